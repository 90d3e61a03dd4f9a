"""Verbs of an act that reorders the territory: draft, submit, decide, withdraw, carry out.

What lives here: states of an act, and carrying a plan out in one transaction. What must not: what
a step means for the tree (reorganisation_plan.py), and what goes along (following.py).

People decide, the sweep carries out: a decided act whose day has come is found by its state, not
by a timer, so a worker that dies in between leaves it decided, and the next tick finds it. Its
transaction holds many rows and must not hold other timers, or somebody's browser, beside them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from logging import getLogger

from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Conflict, GeshiError, Invalid, NotAllowed
from core.kept import forget_remembered
from core.services import audit
from grids import moves
from grids.models import Area, Role, User
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
from grids.services.following import let_follow
from grids.services.placing import place_below
from grids.services.reorganisation_plan import Plan, make_plan
from grids.services.territory import lock_tree, redraw

logger = getLogger(__name__)

DECIDERS = frozenset({Role.COMMAND, Role.SYSTEM_ADMIN})
MOST_STEPS = 50


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

    From its day on the sweep carries it out.
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


def try_again(*, act_id: int, actor: User, seen: int) -> Reorganisation:
    """Let the sweep carry out an act that stumbled on its day.

    Raises Conflict while anything stands against it.
    """
    with transaction.atomic():
        act = _locked(act_id, seen, actor=actor, states={ActState.DECIDED}, decides=True)
        if not act.obstacle:
            day = act.effective_on
            raise Conflict(_("The act is carried out by itself from %(day)s."), day=day)
        _refuse_problems(make_plan(act))
        act.obstacle = ""
        _save(act)
        _record(act, actor, "tried_again")
    return act


def carry_out_due(*, today: date | None = None) -> int:
    """Carry out every act whose day has come, each in its own transaction; return how many.

    One that cannot be carried out keeps the reason, for people to see, and is not tried again
    by itself. One that another worker has in hand is left alone.
    """
    done = 0
    due = Reorganisation.objects.due(today or timezone.localdate())
    for pk in list(due.order_by("effective_on", "pk").values_list("pk", flat=True)):
        try:
            with transaction.atomic():
                act = due.select_for_update(skip_locked=True).filter(pk=pk).first()
                if act is None:
                    continue
                _carry_out(act)
            done += 1
        except GeshiError as error:
            due.filter(pk=pk).update(obstacle=str(error), version=F("version") + 1)
            logger.error("act %s was not carried out: %s", pk, error)
        except OperationalError as error:
            # A deadlock or a lost connection: it stays due for the next tick.
            logger.warning("act %s waits for the next tick: %s", pk, _first_line(error))
    return done


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


def _carry_out(act: Reorganisation) -> None:
    """Change the tree as the plan says and let everything follow; the act's row is locked."""
    lock_tree()
    plan = make_plan(act)
    _refuse_problems(plan)
    areas, renamed = plan.follow, plan.called
    moves.hold(areas, told=renamed, later=True)
    try:
        with transaction.atomic():
            _change_tree(plan, act.effective_on, source=act.document or act.title)
            followed = let_follow(areas, plan.departures, on=act.effective_on, actor=None, act=act)
            moves.tell(renamed)
    except IntegrityError as error:
        raise Conflict(_("The database refuses: %(why)s"), why=_first_line(error)) from error
    act.state, act.carried_out_at = ActState.CARRIED_OUT, timezone.now()
    numbers = {"codes": len(plan.recoded), "followed": followed}
    act.outcome = {"changes": plan.told, **numbers}
    _save(act)
    _record(act, None, "carried_out", codes=len(plan.recoded), **followed)
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
        codes.end_codes(recoded, on=on)
        codes.open_codes(recoded, on=on, source=source[:100])
        # What got a code and went up in another on one day had it for no day.
        codes.end_codes(merges, on=on)
        cursor.execute(_GIVE_NAMES, [list(renamed), list(renamed.values())])
        for pk, parent in plan.moves:
            place_below(pk, parent)
        cursor.execute(_CLOSE, [on, list(merges), list(merges.values())])
        for shape in plan.shapes:
            cursor.execute(_GAIN if shape.gains else _LOSE, [shape.land, shape.area])
    redraw(sorted({shape.area for shape in plan.shapes}))


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]
