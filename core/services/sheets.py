"""Uploaded sheets: kept, read and planned in the background, confirmed whole or not at all.

What lives here: the registry of kinds and the verbs on uploads. What must not: what a list does
with a row (its ``SheetKind``), and who may upload it (the views and the kind).

Whatever is to be done stands in the rows: a sweep finds it, so a lost queue or a killed process
loses nothing. Reading is claimed by time and done again when its process died; saving is one
transaction that holds the upload's row, or one for each batch where the kind says so.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from logging import getLogger
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F
from django.http import Http404
from django.utils import timezone
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from core.errors import Conflict, GeshiError, Invalid, TooMany
from core.models import SheetLine, SheetUpload
from core.services import audit
from core.sheets.plan import (
    OUTCOMES,
    REFUSED,
    UNCHANGED,
    Line,
    Row,
    SheetKind,
    make_plan,
    parsed,
    parsed_table,
)
from core.sheets.reading import RawRow, check_file, headings_in, read_table

logger = getLogger(__name__)
State = SheetUpload.State

KEPT_HOURS = 24
# A reader that has not said anything for this long is dead; it speaks every few hundred rows.
SILENT = timedelta(seconds=120)
MOST_ATTEMPTS = 3
# Each person's uploads that may wait at once.
MOST_WAITING = 3
SAY_EVERY = 500
_kinds: dict[str, SheetKind] = {}


def register(kind: SheetKind) -> None:
    """Let sheets of ``kind`` be uploaded. Called from AppConfig.ready."""
    _kinds[kind.key] = kind


def kind_of(key: str) -> SheetKind:
    """Return a registered kind; raises KeyError."""
    return _kinds[key]


def kind_for(upload: SheetUpload) -> SheetKind:
    """Return an upload's kind, with what its owner chose for it."""
    kind = _kinds[upload.kind]
    return kind.bound(upload) if kind.bound else kind


def take(
    *,
    kind: str,
    data: bytes,
    file_name: str,
    actor: Any,
    settings: Mapping[str, Any] | None = None,
) -> SheetUpload:
    """Keep a file to be read in the background; raises BadUpload for one that need not be."""
    check_file(data)
    mine = SheetUpload.objects.filter(owner=actor, state__in=[State.WAITING, State.READING])
    if mine.count() >= MOST_WAITING:
        raise TooMany(retry_after=30)
    return SheetUpload.objects.create(
        kind=_kinds[kind].key,
        owner=actor,
        file_name=file_name.replace("\x00", "")[-200:] or "-",
        language=get_language() or "",
        settings=dict(settings or {}),
        payload=base64.b64encode(data).decode(),
    )


def upload_of(*, upload_id: UUID, kind: str, actor: Any) -> SheetUpload:
    """Return an upload of the person's own (1 query, without the file); raises Http404."""
    found = (
        SheetUpload.objects.filter(pk=upload_id, kind=kind, owner=actor).defer("payload").first()
    )
    if found is None:
        raise Http404
    return found


def match(*, upload_id: UUID, kind: str, actor: Any, columns: Mapping[str, str]) -> None:
    """Have a file read by the columns its owner matched: {key: heading}. Raises Conflict."""
    upload = upload_of(upload_id=upload_id, kind=kind, actor=actor)
    with transaction.atomic():
        _move(upload, State.MATCHING, State.WAITING)
        settings = {**upload.settings, "columns": dict(columns)}
        SheetUpload.objects.filter(pk=upload.pk).update(settings=settings)


def confirm(*, upload_id: UUID, kind: str, actor: Any) -> None:
    """Have what the preview showed saved by the background; raises Conflict for a second press.

    Raises Invalid if there is nothing to save.
    """
    upload = upload_of(upload_id=upload_id, kind=kind, actor=actor)
    todo = sum(upload.counts.get(o, 0) for o in OUTCOMES if o not in (REFUSED, UNCHANGED))
    if upload.state == State.READY and not todo:
        raise Invalid(_("There is nothing to save."))
    _move(upload, State.READY, State.CONFIRMED)


def plan_again(*, upload_id: UUID, kind: str, actor: Any) -> None:
    """Have the rows of an overtaken upload planned anew."""
    upload = upload_of(upload_id=upload_id, kind=kind, actor=actor)
    _move(upload, State.STALE, State.WAITING)


def discard(*, upload_id: UUID, kind: str, actor: Any) -> None:
    """Throw an upload away that is not being saved and was not."""
    upload = upload_of(upload_id=upload_id, kind=kind, actor=actor)
    gone, _by_model = (
        SheetUpload.objects.filter(pk=upload.pk)
        .exclude(state__in=[State.CONFIRMED, State.SAVED])
        .delete()
    )
    if not gone:
        raise Conflict(_("This sheet is being saved or was saved already."))


def _move(upload: SheetUpload, before: str, after: str) -> None:
    moved = SheetUpload.objects.filter(pk=upload.pk, state=before).update(
        state=after, attempts=0, done=0, problem="", claimed_at=None
    )
    if not moved:
        raise Conflict(_("This was pressed already, or the sheet has moved on."))


def work_due(*, now: datetime | None = None) -> int:
    """Read and save what is waiting, one upload after the other; return how many."""
    worked = 0
    while _read_next(now or timezone.now()) or _save_next():
        worked += 1
    return worked


def forget_old(*, now: datetime | None = None) -> int:
    """Delete uploads a day old, and the rows of those that were saved; return how many uploads.

    They hold personal data that the roster keeps, or that was never wanted.
    """
    before = (now or timezone.now()) - timedelta(hours=KEPT_HOURS)
    old = SheetUpload.objects.filter(made_at__lt=before).exclude(state=State.CONFIRMED)
    _total, by_model = old.delete()
    return by_model.get("core.SheetUpload", 0)


def _read_next(now: datetime) -> bool:
    upload = _claim(now)
    if upload is None:
        return False
    try:
        with override(upload.language):
            _plan(upload)
    except GeshiError as error:
        with override(upload.language):
            _refuse(upload, str(error))
    except Exception:
        # Tried again when its claim has run out; after the third time it is told.
        logger.exception("sheet %s could not be planned", upload.pk)
    return True


@transaction.atomic
def _claim(now: datetime) -> SheetUpload | None:
    dead = SheetUpload.objects.filter(state=State.READING, claimed_at__lt=now - SILENT)
    for upload in dead.filter(attempts__gte=MOST_ATTEMPTS).select_for_update(skip_locked=True):
        with override(upload.language):
            _refuse(upload, _("The file could not be read. Divide it and upload the parts."))
    dead.update(state=State.WAITING)
    found = (
        SheetUpload.objects.filter(state=State.WAITING)
        .order_by("made_at")
        .select_for_update(skip_locked=True)
        .first()
    )
    if found is None:
        return None
    found.state, found.claimed_at = State.READING, timezone.now()
    found.attempts += 1
    found.save(update_fields=["state", "claimed_at", "attempts"])
    return found


def _refuse(upload: SheetUpload, why: str) -> None:
    SheetUpload.objects.filter(pk=upload.pk).update(
        state=State.UNREADABLE, problem=why, payload="", claimed_at=None
    )


def _plan(upload: SheetUpload) -> None:
    if _kinds[upload.kind].matched and "columns" not in upload.settings:
        _ask(upload)
        return
    kind = kind_for(upload)
    columns = kind.columns(upload.owner)
    if upload.payload:
        table = read_table(base64.b64decode(upload.payload), columns)
        rows = parsed_table(table, columns)
        letters, notices = table.letters, table.notices
    else:
        rows = _rows_again(upload, columns)
        letters, notices = upload.letters, upload.notices
    mine = SheetUpload.objects.filter(pk=upload.pk, state=State.READING, attempts=upload.attempts)
    mine.update(total=len(rows), done=0, claimed_at=timezone.now())

    def progress(done: int) -> None:
        if done % SAY_EVERY == 0:
            mine.update(done=done, claimed_at=timezone.now())

    lines = make_plan(kind, rows, actor=upload.owner, progress=progress)
    counts = dict.fromkeys(OUTCOMES, 0)
    for line in lines:
        counts[line.outcome] += 1
    with transaction.atomic():
        taken = mine.update(
            state=State.READY,
            payload="",
            letters=letters,
            notices=notices,
            counts=counts,
            done=len(lines),
        )
        if not taken:
            return
        SheetLine.objects.filter(upload=upload).delete()
        SheetLine.objects.bulk_create(
            (
                SheetLine(
                    upload=upload,
                    number=line.number,
                    outcome=line.outcome,
                    content=line.to_json(),
                )
                for line in lines
            ),
            batch_size=1000,
        )


def _ask(upload: SheetUpload) -> None:
    """Let the owner say which column is which."""
    headings = headings_in(base64.b64decode(upload.payload))
    SheetUpload.objects.filter(pk=upload.pk, state=State.READING, attempts=upload.attempts).update(
        state=State.MATCHING, settings={**upload.settings, "headings": headings}
    )


def _rows_again(upload: SheetUpload, columns: Sequence[Any]) -> list[Row]:
    """Return the rows of an upload from its planned lines, faults of the file itself included."""
    return [_row_of(line, upload, columns) for line in lines_of(upload)]


def _row_of(line: Line, upload: SheetUpload, columns: Sequence[Any]) -> Row:
    raw = RawRow(line.number, line.cells, tuple(f for f in line.faults if f.of_file))
    return parsed(raw, columns, upload.letters)


def lines_of(upload: SheetUpload, *, outcome: str = "") -> Iterable[Line]:
    """Yield the planned lines of an upload in order of their rows, all or of one outcome."""
    stored = SheetLine.objects.filter(upload=upload).order_by("number")
    if outcome:
        stored = stored.filter(outcome=outcome)
    for line in stored.iterator(chunk_size=2000):
        yield Line.from_json(line.number, line.outcome, line.content)


def _save_next() -> bool:
    """Save one confirmed upload, whole or a batch of it; return whether there was one.

    What fails for a reason nobody foresaw lets others go first, and is told after three times.
    """
    pk = None
    try:
        with transaction.atomic():
            upload = (
                SheetUpload.objects.filter(state=State.CONFIRMED)
                .order_by("attempts", "made_at")
                .select_for_update(skip_locked=True, of=("self",))
                .select_related("owner")
                .first()
            )
            if upload is None:
                return False
            pk = upload.pk
            with override(upload.language):
                if _kinds[upload.kind].batch:
                    _save_some(upload)
                else:
                    _save(upload)
    except Exception:
        logger.exception("sheet %s could not be saved", pk)
        if pk is not None:
            _stumbled(pk)
        return False
    return True


def _stumbled(pk: UUID) -> None:
    confirmed = SheetUpload.objects.filter(pk=pk, state=State.CONFIRMED)
    confirmed.update(attempts=F("attempts") + 1)
    for upload in confirmed.filter(attempts__gte=MOST_ATTEMPTS):
        with override(upload.language):
            if upload.done:
                _overtaken(upload, _("Not all rows could be saved. Look at those that are left."))
            else:
                _overtaken(upload, _("The sheet could not be saved. Nothing was saved."))


def _save(upload: SheetUpload) -> None:
    try:
        # A savepoint: what a failed attempt wrote is undone, and the upload says so.
        with transaction.atomic():
            result = _apply(upload)
    except _Overtaken as error:
        SheetLine.objects.filter(upload=upload, number__in=error.numbers).update(overtaken=True)
        _overtaken(upload, str(error))
    except GeshiError as error:
        _overtaken(upload, str(error))
    except (IntegrityError, ValidationError, OperationalError):
        logger.warning("sheet %s was overtaken while it was saved", upload.pk, exc_info=True)
        _overtaken(upload, _("The list was changed while this was saved. Nothing was saved."))
    else:
        upload.state, upload.result = State.SAVED, result
        upload.save(update_fields=["state", "result"])
        # What was done is on record; the rows hold personal data nobody needs twice.
        SheetLine.objects.filter(upload=upload).exclude(outcome=REFUSED).delete()


def _save_some(upload: SheetUpload) -> None:
    """Save the next rows for good, in the caller's transaction; the last ones end the upload.

    Planned anew under lock, so a row that came by another way meanwhile is left alone.
    """
    kind = kind_for(upload)
    columns = kind.columns(upload.owner)
    waiting = SheetLine.objects.filter(upload=upload).exclude(outcome__in=[REFUSED, UNCHANGED])
    taken = [
        Line.from_json(line.number, line.outcome, line.content)
        for line in waiting.order_by("number")[: kind.batch]
    ]
    rows = [_row_of(line, upload, columns) for line in taken]
    lines = make_plan(kind, rows, actor=upload.owner, lock=True)
    todo = [line for line in lines if line.outcome not in (REFUSED, UNCHANGED)]
    done = kind.apply(todo, actor=upload.owner, source=str(upload.pk))
    for line in lines:
        stored = SheetLine.objects.filter(upload=upload, number=line.number)
        if line.outcome == REFUSED:
            stored.update(outcome=REFUSED, content=line.to_json())
    numbers = [line.number for line in lines if line.outcome != REFUSED]
    SheetLine.objects.filter(upload=upload, number__in=numbers).delete()
    upload.done += len(taken)
    for word, number in done.items():
        upload.result[word] = upload.result.get(word, 0) + number
    if not waiting.exists():
        upload.state = State.SAVED
        upload.counts[REFUSED] = SheetLine.objects.filter(upload=upload, outcome=REFUSED).count()
        SheetLine.objects.filter(upload=upload).exclude(outcome=REFUSED).delete()
        _record_saved(upload)
    upload.save(update_fields=["state", "counts", "result", "done"])


def _record_saved(upload: SheetUpload) -> None:
    audit.record(
        actor=upload.owner,
        action=f"{upload.kind}.sheet_saved",
        subject_type="sheet",
        data={"upload": str(upload.pk), "counts": upload.counts, "result": upload.result},
    )


def _overtaken(upload: SheetUpload, why: str) -> None:
    upload.state, upload.problem = State.STALE, why
    upload.save(update_fields=["state", "problem"])


class _Overtaken(Exception):
    """What the preview showed is no longer what would happen, in these rows."""

    def __init__(self, numbers: list[int]) -> None:
        super().__init__(numbers)
        self.numbers = numbers

    def __str__(self) -> str:
        rows = "、".join(str(number) for number in self.numbers[:20])
        return _(
            "Since the preview somebody changed what %(n)s rows say (rows %(rows)s). "
            "Nothing was saved. Look at the new preview."
        ) % {"n": len(self.numbers), "rows": rows}


def _apply(upload: SheetUpload) -> dict[str, int]:
    """Do what the preview showed; raises _Overtaken when it would no longer do the same."""
    kind = kind_for(upload)
    columns = kind.columns(upload.owner)
    shown = list(lines_of(upload))
    rows = [_row_of(line, upload, columns) for line in shown]
    lines = make_plan(kind, rows, actor=upload.owner, lock=True)
    differ = [
        line.number
        for line, before in zip(lines, shown, strict=True)
        if not line.agrees_with(before)
    ]
    if differ:
        raise _Overtaken(differ)
    todo = [line for line in lines if line.outcome not in (REFUSED, UNCHANGED)]
    result = kind.apply(todo, actor=upload.owner, source=str(upload.pk))
    audit.record(
        actor=upload.owner,
        action=f"{upload.kind}.sheet_saved",
        subject_type="sheet",
        data={"upload": str(upload.pk), "counts": upload.counts, "result": result},
    )
    return result
