"""Papers: ordered on a page, drawn in the background, fetched by whoever ordered them.

What lives here: the registry of kinds and the verbs. What must not: what stands on a paper.

What is to be done stands in the rows, so a lost queue or a killed process loses nothing: a paper
whose drawer fell silent is drawn again. One is drawn at a time, so that printing never takes the
workers from the clocks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from logging import getLogger
from time import monotonic
from typing import Any
from uuid import UUID

from django.core.files.base import ContentFile
from django.db import transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from core.crypto import decrypt_bytes, encrypt_bytes
from core.errors import Conflict, GeshiError, TooMany
from core.models import Paper
from core.services import audit

logger = getLogger(__name__)
State = Paper.State

# A drawer that has not said anything for this long is dead; it speaks every second.
SILENT = timedelta(seconds=120)
MOST_ATTEMPTS = 3
# Each person's papers that may wait at once.
MOST_WAITING = 3
# A paper that failed, or that nobody drew, is forgotten after this.
FORGOTTEN_AFTER = timedelta(hours=24)
_SAY_EVERY_SECONDS = 1.0

# (how many are done, of how many)
Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class PaperKind:
    """One kind of paper. Registered from AppConfig.ready.

    ``draw(order, actor=, progress=)`` draws without changing anything and returns what remains
    to be done: a function that runs in the transaction which makes the paper ready, and returns
    the PDF. ``may(order, actor)`` is asked again before drawing and at each fetching. ``home``
    is the name of the page it was ordered from.
    """

    key: str
    draw: Callable[..., Callable[[], bytes]]
    may: Callable[[Mapping[str, Any], Any], bool]
    kept: timedelta
    home: str


_kinds: dict[str, PaperKind] = {}


def register(kind: PaperKind) -> None:
    """Let papers of ``kind`` be ordered. Called from AppConfig.ready."""
    _kinds[kind.key] = kind


def kind_of(paper: Paper) -> PaperKind:
    """Return the kind of a paper."""
    return _kinds[paper.kind]


def order(*, kind: str, title: str, order: Mapping[str, Any], actor: Any) -> Paper:
    """Have a paper drawn; ``order`` is ready for JSON and holds nothing personal."""
    waiting = Paper.objects.filter(owner=actor, state__in=[State.WAITING, State.DRAWING])
    if waiting.count() >= MOST_WAITING:
        raise TooMany(retry_after=30)
    return Paper.objects.create(
        kind=_kinds[kind].key,
        owner=actor,
        title=title[:200],
        order=dict(order),
        language=get_language() or "",
    )


def paper_of(*, paper_id: UUID, actor: Any) -> Paper:
    """Return a paper of the person's own that may still be seen; raises Http404."""
    found = Paper.objects.filter(pk=paper_id, owner=actor).first()
    if found is None or _is_over(found) or not kind_of(found).may(found.order, actor):
        raise Http404
    return found


def latest_of(*, kind: str, actor: Any, at_most: int = 5) -> list[Paper]:
    """Return the person's papers of a kind that can still be opened, newest first (1 query)."""
    mine = Paper.objects.filter(owner=actor, kind=kind).order_by("-made_at")[:at_most]
    return [paper for paper in mine if not _is_over(paper)]


def fetch(*, paper_id: UUID, actor: Any, ip: str | None = None) -> tuple[Paper, bytes]:
    """Return a paper and its PDF; each fetching is on record.

    Raises Conflict before it is ready.
    """
    paper = paper_of(paper_id=paper_id, actor=actor)
    if paper.state != State.READY:
        raise Conflict(_("This paper is not ready."))
    try:
        with paper.file.open("rb") as file:
            data = decrypt_bytes(file.read())
    except FileNotFoundError as error:
        raise Http404 from error
    audit.record(
        actor=actor,
        action="paper.fetched",
        subject_type="paper",
        data={"paper": str(paper.pk), "kind": paper.kind},
        ip=ip,
    )
    return paper, data


def work_due(*, now: datetime | None = None) -> bool:
    """Draw the paper that has waited longest; return whether there was one."""
    paper = _claim(now or timezone.now())
    if paper is None:
        return False
    with override(paper.language):
        try:
            _draw(paper)
        except GeshiError as error:
            _fail(paper, str(error))
        except Exception:
            # Tried again when its claim has run out; after the third time it is told.
            logger.exception("paper %s could not be drawn", paper.pk)
    return True


def forget_old(*, now: datetime | None = None) -> int:
    """Erase papers whose time is over, file and row; return how many."""
    now = now or timezone.now()
    over = Paper.objects.filter(expires_at__lte=now) | Paper.objects.filter(
        expires_at__isnull=True, made_at__lte=now - FORGOTTEN_AFTER
    )
    erased = 0
    for paper in over.order_by("pk"):
        # The file first: a row without its file is erased by the next run, not the reverse.
        if paper.file:
            paper.file.delete(save=False)
        erased += Paper.objects.filter(pk=paper.pk).delete()[0]
    return erased


def _is_over(paper: Paper) -> bool:
    return paper.expires_at is not None and paper.expires_at <= timezone.now()


@transaction.atomic
def _claim(now: datetime) -> Paper | None:
    drawing = Paper.objects.filter(state=State.DRAWING)
    dead = drawing.filter(claimed_at__lt=now - SILENT).select_for_update(skip_locked=True)
    for paper in dead:
        if paper.attempts < MOST_ATTEMPTS:
            Paper.objects.filter(pk=paper.pk).update(state=State.WAITING)
        else:
            with override(paper.language):
                _fail(paper, _("The paper could not be drawn. Order a smaller one."))
    if drawing.exists():
        return None
    waiting = Paper.objects.filter(state=State.WAITING).order_by("made_at")
    found = waiting.select_for_update(skip_locked=True, of=("self",)).select_related("owner")
    claimed = found.first()
    if claimed is None:
        return None
    claimed.state, claimed.claimed_at = State.DRAWING, timezone.now()
    claimed.attempts += 1
    claimed.save(update_fields=["state", "claimed_at", "attempts"])
    return claimed


def _draw(paper: Paper) -> None:
    kind = kind_of(paper)
    if not kind.may(paper.order, paper.owner):
        raise Conflict(_("You may no longer print this."))
    mine = Paper.objects.filter(pk=paper.pk, state=State.DRAWING, attempts=paper.attempts)
    said = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal said
        if monotonic() - said >= _SAY_EVERY_SECONDS:
            said = monotonic()
            mine.update(done=done, total=total, claimed_at=timezone.now())

    finish = kind.draw(paper.order, actor=paper.owner, progress=progress)
    try:
        with transaction.atomic():
            if mine.select_for_update().first() is None:
                return
            paper.file.save("paper", ContentFile(encrypt_bytes(finish())), save=False)
            paper.state = State.READY
            paper.expires_at = timezone.now() + kind.kept
            paper.save(update_fields=["file", "state", "expires_at"])
    except Exception:
        if paper.file:
            paper.file.delete(save=False)
        raise


def _fail(paper: Paper, why: str) -> None:
    Paper.objects.filter(pk=paper.pk, attempts=paper.attempts).update(
        state=State.FAILED, problem=why, claimed_at=None
    )
