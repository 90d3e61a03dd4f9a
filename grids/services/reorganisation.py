"""Verbs of an act that reorders the territory: draft, submit, decide, withdraw, carry out.

What lives here: states of an act, and carrying a plan out in one transaction. What must not: what
a step means for the tree (reorganisation_plan.py), and rows of the floors above, which follow
through grids.moves.

A decided act whose day has come is found by its state, not by a timer: a worker that dies in
between leaves it decided, and the next tick finds it. Its transaction holds many rows and must not
hold other timers beside them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from logging import getLogger

from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Conflict, GeshiError, Invalid, NotAllowed
from core.kept import forget_remembered
from core.services import audit
from grids import moves
from grids.models import SHAPES, Area, Leave, Posting, Role, User
from grids.models.area import Level
from grids.models.reorganisation import (
    PENDING_ACTS,
    WITH_CODE,
    WITH_TARGET,
    ActState,
    Reorganisation,
    ReorganisationStep,
    StepKind,
)
from grids.queries.reach import Reach
from grids.queries.scope import Scope
from grids.services import codes
from grids.services.reorganisation_plan import Plan, make_plan
from grids.services.territory import lock_tree, redraw

logger = getLogger(__name__)

DECIDERS = frozenset({Role.COMMAND, Role.SYSTEM_ADMIN})
MOST_STEPS = 50
# A report sent while an act ran may have read the tree of before; it is on its row by then.
SETTLE_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class NewStep:
    """A step as somebody drafted it."""

    kind: str
    subject: Area
    target: Area | None = None
    new_code: str = ""
    new_name: str = ""


def draft(
    *,
    actor: User,
    title: str,
    effective_on: date,
    steps: Sequence[NewStep],
    document: str = "",
    reason: str = "",
) -> Reorganisation:
    """Write an act down. A town's admin drafts for the town alone; nothing changes yet.

    Raises Invalid for bad input, NotAllowed for areas outside the actor's reach.
    """
    county, towns = _check(actor, title, steps)
    with transaction.atomic():
        act = Reorganisation.objects.create(
            title=title.strip(),
            document=document.strip(),
            reason=reason.strip(),
            effective_on=effective_on,
            county=county,
            drafted_by=actor,
        )
        _write_steps(act, steps, towns)
        _record(act, actor, "drafted", steps=len(steps))
    return act


def revise(
    *,
    act_id: int,
    actor: User,
    seen: int,
    title: str,
    effective_on: date,
    steps: Sequence[NewStep],
    document: str = "",
    reason: str = "",
) -> Reorganisation:
    """Write a draft anew. Raises Conflict once it is submitted or somebody else wrote first."""
    county, towns = _check(actor, title, steps)
    with transaction.atomic():
        act = _locked(act_id, seen, actor=actor, states={ActState.DRAFT})
        act.title, act.document, act.reason = title.strip(), document.strip(), reason.strip()
        act.effective_on, act.county = effective_on, county
        act.steps.all().delete()
        _write_steps(act, steps, towns)
        _save(act)
        _record(act, actor, "revised", steps=len(steps))
    return act


def submit(*, act_id: int, actor: User, seen: int) -> Reorganisation:
    """Hand a draft in for the decision. Raises Conflict while anything stands against it."""
    with transaction.atomic():
        act = _locked(act_id, seen, actor=actor, states={ActState.DRAFT})
        _refuse_problems(make_plan(act))
        act.state, act.submitted_at, act.note = ActState.SUBMITTED, timezone.now(), ""
        _save(act)
        _record(act, actor, "submitted")
    return act


def decide(*, act_id: int, actor: User, seen: int, approve: bool, note: str = "") -> Reorganisation:
    """Approve an act or send it back to its drafter; who drafted it does not decide it.

    One whose day has come is carried out at once.
    """
    with transaction.atomic():
        act = _locked(act_id, seen, actor=actor, states={ActState.SUBMITTED}, decides=True)
        if actor.pk == act.drafted_by_id:
            raise NotAllowed(_("Who drafted an act does not decide it."))
        act.note = note.strip()
        if approve:
            _refuse_problems(make_plan(act))
            act.state, act.decided_by, act.decided_at = ActState.DECIDED, actor, timezone.now()
        elif not act.note:
            raise Invalid(_("Please say why."), field="note")
        else:
            act.state, act.submitted_at = ActState.DRAFT, None
        _save(act)
        _record(act, actor, "approved" if approve else "sent_back")
        if approve and act.effective_on <= timezone.localdate():
            _carry_out(act, actor=actor)
    return act


def withdraw(*, act_id: int, actor: User, seen: int, note: str) -> Reorganisation:
    """Give an act up that was not carried out; its drafter may, and whoever decides."""
    if not note.strip():
        raise Invalid(_("Please say why."), field="note")
    with transaction.atomic():
        act = _locked(act_id, seen, actor=actor, states=PENDING_ACTS)
        if actor.pk != act.drafted_by_id and not _decides(actor, act):
            raise NotAllowed
        act.state, act.note = ActState.WITHDRAWN, note.strip()
        _save(act)
        _record(act, actor, "withdrawn")
    return act


def carry_out(*, act_id: int, actor: User, seen: int) -> Reorganisation:
    """Carry a decided act out whose day has come and which stumbled then.

    All of it or nothing, once: of two people pressing, one reads that it is done. Raises
    Conflict while anything stands against it.
    """
    with transaction.atomic():
        act = _locked(act_id, seen, actor=actor, states={ActState.DECIDED}, decides=True)
        if act.effective_on > timezone.localdate():
            raise Conflict(_("The act takes effect on %(day)s."), day=act.effective_on)
        _carry_out(act, actor=actor)
    return act


def carry_out_due(*, today: date | None = None) -> int:
    """Carry out every act whose day has come, each in its own transaction; return how many.

    One that cannot be carried out keeps the reason, for people to see, and is not tried again
    by itself. One that another worker has in hand is left alone.
    """
    day = today or timezone.localdate()
    done = 0
    due = Reorganisation.objects.due(day)
    for pk in list(due.order_by("effective_on", "pk").values_list("pk", flat=True)):
        try:
            with transaction.atomic():
                act = due.select_for_update(skip_locked=True).filter(pk=pk).first()
                if act is None:
                    continue
                _carry_out(act, actor=None)
            done += 1
        except GeshiError as error:
            due.filter(pk=pk).update(obstacle=str(error))
            logger.error("act %s was not carried out: %s", pk, error)
        except OperationalError as error:
            # A deadlock or a lost connection: it stays due for the next tick.
            logger.warning("act %s waits for the next tick: %s", pk, _first_line(error))
    return done


def settle_due(*, now: datetime | None = None) -> int:
    """Let rows follow that were being written while an act ran; return for how many acts.

    Following twice changes nothing more.
    """
    before = (now or timezone.now()) - SETTLE_AFTER
    waiting = Reorganisation.objects.filter(
        state=ActState.CARRIED_OUT, settled_at__isnull=True, carried_out_at__lte=before
    )
    settled = 0
    for pk in list(waiting.values_list("pk", flat=True)):
        with transaction.atomic():
            act = waiting.select_for_update(skip_locked=True).filter(pk=pk).first()
            if act is None:
                continue
            lock_tree()
            areas = _heirs({int(old): new for old, new in act.outcome.get("follow", [])})
            moves.hold(areas)
            moves.follow(areas, on=act.effective_on, actor=None)
            Reorganisation.objects.filter(pk=pk).update(settled_at=timezone.now())
            settled += 1
    return settled


# Drafting


def _check(actor: User, title: str, steps: Sequence[NewStep]) -> tuple[Area, list[Area]]:
    """Return the county and the towns the steps speak of (3 queries)."""
    errors: dict[str, list[str]] = {}
    if not title.strip():
        errors["title"] = [_("Give the act a title.")]
    if not steps:
        errors["steps"] = [_("Add what the act changes.")]
    if len(steps) > MOST_STEPS:
        errors["steps"] = [_("An act has at most %(n)s steps.") % {"n": MOST_STEPS}]
    for step in steps:
        problem = _unfinished(step)
        if problem:
            errors.setdefault("steps", []).append(problem)
    if errors:
        raise Invalid(errors=errors)
    areas = {area for step in steps for area in (step.subject, step.target) if area}
    reach = Reach.of_user(actor)
    if not all(reach.covers(area) for area in areas):
        raise NotAllowed(_("You may only reorder areas you look after."))
    above = {path for area in areas for path in area.lineage_paths}
    counties = Area.objects.filter(path__in=above, level=Level.COUNTY)
    if len(counties) != 1:
        raise Invalid(_("An act belongs to one county."), field="steps")
    return counties[0], list(Area.objects.filter(path__in=above, level=Level.TOWN))


def _unfinished(step: NewStep) -> str:
    if step.kind not in StepKind.values:
        return _("Choose what the step does.")
    if (step.target is not None) != (step.kind in WITH_TARGET):
        return _("Choose where “%(name)s” goes.") % {"name": step.subject}
    if step.kind in WITH_CODE and not step.new_code.strip():
        return _("Give “%(name)s” a new code.") % {"name": step.subject}
    if step.kind == StepKind.RENAME and not step.new_name.strip():
        return _("Give “%(name)s” a new name.") % {"name": step.subject}
    return ""


def _write_steps(act: Reorganisation, steps: Sequence[NewStep], towns: list[Area]) -> None:
    ReorganisationStep.objects.bulk_create(
        ReorganisationStep(
            act=act,
            position=position,
            kind=step.kind,
            subject=step.subject,
            target=step.target,
            new_code=step.new_code.strip(),
            new_name=step.new_name.strip(),
        )
        for position, step in enumerate(steps, 1)
    )
    act.towns.set(towns)


def _locked(
    act_id: int, seen: int, *, actor: User, states: Iterable[str], decides: bool = False
) -> Reorganisation:
    """Return the act under its lock. Raises NotAllowed, or Conflict when it has moved on."""
    act = Reorganisation.objects.select_for_update().get(pk=act_id)
    reach = Reach.of_user(actor)
    county = reach.covers(act.county)
    if decides and not _decides(actor, act):
        raise NotAllowed
    if not county and not all(reach.covers(town) for town in act.towns.all()):
        raise NotAllowed
    if act.version != seen or act.state not in states:
        raise Conflict(
            _("Somebody was faster: the act is now “%(state)s”. Please look at it again."),
            state=act.get_state_display(),
        )
    return act


def _decides(actor: User, act: Reorganisation) -> bool:
    scope = Scope.for_user(actor)
    return any(scope.holds(role, [act.county_id]) for role in DECIDERS)


def _save(act: Reorganisation) -> None:
    act.version += 1
    act.save()


def _record(act: Reorganisation, actor: User | None, what: str, **data: object) -> None:
    audit.record(
        actor=actor,
        action=f"reorganisation.{what}",
        subject_type="reorganisation",
        subject_id=act.pk,
        data={"title": act.title, "effective_on": act.effective_on.isoformat(), **data},
    )


def _refuse_problems(plan: Plan) -> None:
    if plan.problems:
        first = plan.problems[0]
        raise Conflict(f"{first.text} {first.remedy}")


# Carrying out


def _carry_out(act: Reorganisation, *, actor: User | None) -> None:
    """Change the tree as the plan says and let everything follow; the act's row is locked."""
    lock_tree()
    plan = make_plan(act)
    _refuse_problems(plan)
    areas, on = plan.follow, act.effective_on
    moves.hold(areas)
    try:
        with transaction.atomic():
            _change_tree(plan, on, source=act.document or act.title)
            postings = continue_postings({old: plan.heir(old) for old in plan.merges}, on)
            followed = moves.follow(areas, on=on, actor=actor) if areas else {}
    except IntegrityError as error:
        raise Conflict(_("The database refuses: %(why)s"), why=_first_line(error)) from error
    except OperationalError as error:
        if actor is None:
            raise  # it stays due for the next tick
        raise Conflict(
            _("Somebody is working in these areas just now. Please try again.")
        ) from error
    act.state, act.carried_out_at, act.obstacle = ActState.CARRIED_OUT, timezone.now(), ""
    act.outcome = {
        "changes": plan.told,
        "follow": sorted(areas.items()),
        "postings": postings,
        "followed": followed,
        "codes": len(plan.recoded),
    }
    if not areas:
        act.settled_at = act.carried_out_at
    _save(act)
    _record(act, actor, "carried_out", postings=postings, codes=len(plan.recoded), **followed)
    transaction.on_commit(forget_remembered)


_GIVE_CODES = """
    UPDATE grids_area area SET code = given.code
      FROM unnest(%s::bigint[], %s::text[]) AS given (id, code) WHERE area.id = given.id
"""
_GIVE_NAMES = """
    UPDATE grids_area area SET name = given.name
      FROM unnest(%s::bigint[], %s::text[]) AS given (id, name) WHERE area.id = given.id
"""
_CLOSE = """
    UPDATE grids_area area SET closed_on = %s, merged_into_id = given.new
      FROM unnest(%s::bigint[], %s::bigint[]) AS given (old, new) WHERE area.id = given.old
"""
_GAIN, _LOSE = (
    f"""
    UPDATE grids_area area
       SET boundary = NULLIF(ST_Multi(ST_CollectionExtract({function}(area.boundary,
               (SELECT boundary FROM grids_area WHERE id = %s)), 3)),
               'SRID=4326;MULTIPOLYGON EMPTY'::geometry)
     WHERE area.id = %s
    """  # noqa: S608  two names of ours
    for function in ("ST_Union", "ST_Difference")
)


def _change_tree(plan: Plan, on: date, *, source: str) -> None:
    with connection.cursor() as cursor:
        for given in plan.codes:
            cursor.execute(_GIVE_CODES, [list(given), list(given.values())])
        recoded, renamed, merges = plan.recoded, plan.renamed, plan.merges
        codes.end_codes([*recoded, *merges], on=on)
        codes.open_codes(recoded, on=on, source=source[:100])
        cursor.execute(_GIVE_NAMES, [list(renamed), list(renamed.values())])
        for pk, parent in plan.moves:
            _move(pk, parent)
        cursor.execute(_CLOSE, [on, list(merges), list(merges.values())])
        for shape in plan.shapes:
            cursor.execute(_GAIN if shape.gains else _LOSE, [shape.land, shape.area])
    redraw(sorted({shape.area for shape in plan.shapes}))


def _move(pk: int, parent: int) -> None:
    rows = Area.objects.defer(*SHAPES).in_bulk([pk, parent])
    Area.objects.move(rows[pk], rows[parent], "last-child")


def continue_postings(merges: Mapping[int, int], on: date) -> int:
    """End postings at merged areas on the day and go on with them at their heirs; return how many.

    Whoever holds the same post at the heir keeps that one; only the days it does not cover are
    added. A leave goes on with its posting and its cover.
    """
    held = Posting.objects.filter(area__in=[*merges, *merges.values()]).order_by("pk")
    postings = list(held.select_for_update())
    spans: dict[tuple[int, str, int], list[tuple[date, date]]] = {}
    for posting in postings:
        key = (posting.user_id, posting.role, posting.area_id or 0)
        spans.setdefault(key, []).append((posting.valid_from, posting.valid_to or date.max))
    ended, begun = 0, []
    goes_on: dict[int, Posting] = {}
    for posting in postings:
        heir = merges.get(posting.area_id or 0)
        last = posting.valid_to or date.max
        if heir is None or last <= on:
            continue
        first = max(on, posting.valid_from)
        Posting.objects.filter(pk=posting.pk).update(valid_to=first)
        ended += 1
        taken = spans.setdefault((posting.user_id, posting.role, heir), [])
        for start, end in _uncovered(first, last, taken):
            taken.append((start, end))
            copy = _copy(posting, heir, start, None if end == date.max else end)
            begun.append(copy)
            goes_on.setdefault(posting.pk, copy)
    Posting.objects.bulk_create(begun)
    _continue_leaves(goes_on, on)
    return ended


def _continue_leaves(goes_on: Mapping[int, Posting], on: date) -> None:
    """Let leaves go on with the postings of both, {old posting: the one that goes on}."""
    leaves = Leave.objects.filter(posting__in=goes_on, cover__in=goes_on, away_until__gt=on)
    for leave in list(leaves.select_for_update()):
        first, last = max(on, leave.away_from), leave.away_until
        Leave.objects.filter(pk=leave.pk).update(away_until=first)
        Leave.objects.create(
            posting=goes_on[leave.posting_id],
            cover=goes_on[leave.cover_id],
            away_from=first,
            away_until=last,
            reason=leave.reason,
        )


def _copy(posting: Posting, area_id: int, start: date, end: date | None) -> Posting:
    fields = [field for field in Posting._meta.concrete_fields if not field.primary_key]
    copy = Posting(**{field.attname: getattr(posting, field.attname) for field in fields})
    copy.area_id, copy.valid_from, copy.valid_to = area_id, start, end
    return copy


def _uncovered(
    first: date, last: date, taken: Iterable[tuple[date, date]]
) -> list[tuple[date, date]]:
    """Return the spans of [first, last) that no span of ``taken`` covers."""
    free = []
    for start, end in sorted(taken):
        if end <= first or start >= last:
            continue
        if start > first:
            free.append((first, start))
        first = max(first, end)
    if first < last:
        free.append((first, last))
    return free


def _heirs(areas: Mapping[int, int]) -> dict[int, int]:
    """Return the same map with areas that were merged since replaced by their heirs."""
    into = dict(Area.objects.filter(merged_into__isnull=False).values_list("pk", "merged_into_id"))

    def heir(pk: int) -> int:
        while pk in into:
            pk = into[pk]
        return pk

    return {old: heir(new) for old, new in areas.items()}


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
