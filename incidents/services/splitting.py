"""Splitting a case into tasks, each with an owner and a clock of its own.

A task is a case without a reporter: dispatch, clocks, desks and rights work for it as they stand.
Its answer is checked by whoever owns the whole, and nobody rates it. What must not live here: the
steps a task shares with every case.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from core.errors import Conflict, Invalid, NotAllowed
from core.masking import mask_text
from core.text import bigrams
from core.working_calendar import Unit
from grids.models import Area, Department
from incidents.models import Incident, Source, State, Tier
from incidents.services import clocks
from incidents.services.dispatching import VILLAGE_LEVELS, check_target, hand_to
from incidents.services.handling import lapse_requests
from incidents.services.intake import new_tracking_code
from incidents.services.step import Step, background_row, required, step
from incidents.workflow import SYSTEM, Actor, Right, rights

# At once, and altogether.
MOST_AT_ONCE, MOST_TASKS = 5, 20
LONGEST = 720


@dataclass(frozen=True)
class Task:
    """One part of the work: what is to be done, by whom, in how much time."""

    text: str
    amount: int
    unit: str
    department: Department | None = None
    area: Area | None = None


def split(
    *, incident_id: int, actor: Actor, tasks: Sequence[Task], seen: int | None = None
) -> list[Incident]:
    """Split a case into tasks, which start at once; return them.

    Its owner keeps the case and answers it when every task is closed. Raises Invalid for an empty
    text, a time of nothing or too many, NotAllowed for an owner the actor may not choose.
    """
    if not 0 < len(tasks) <= MOST_AT_ONCE:
        raise Invalid(_("Give between 1 and %(n)s tasks at once."), field="tasks", n=MOST_AT_ONCE)
    with step(incident_id=incident_id, action="split", actor=actor, seen=seen) as case:
        incident = case.incident
        if incident.task_count + len(tasks) > MOST_TASKS:
            raise Conflict(_("A case has at most %(n)s tasks."), n=MOST_TASKS)
        made = []
        for n, task in enumerate(tasks):
            _check(case, task, n)
            made.append(_make(case, task))
        incident.task_count += len(made)
        case.data = {
            "tasks": [
                {"code": row.tracking_code, "to": str(task.department or task.area)}
                for row, task in zip(made, tasks, strict=True)
            ]
        }
    return made


def _check(case: Step, task: Task, n: int) -> None:
    if len(task.text.strip()) < 2:
        raise Invalid(_("Please say what is to be done."), field=f"text_{n}")
    if task.unit not in Unit.values:
        raise Invalid(_("Choose a unit."), field=f"unit_{n}")
    if not 0 < task.amount <= LONGEST:
        raise Invalid(_("Give between 1 and %(n)s."), field=f"amount_{n}", n=LONGEST)
    held, incident = rights(case.actor, case.incident), case.incident
    if Right.DISPATCHER in held:
        check_target(incident, case.actor, task.department, task.area)
        return
    _check_own(incident, task, f"owner_{n}")


def _check_own(incident: Incident, task: Task, field: str) -> None:
    """Raise unless the case's owner may give work there.

    A department gives it to departments of the county and to places of the case's town, a place
    to what lies inside it.
    """
    owner = incident.owner
    if task.department is not None and not isinstance(owner, Department):
        raise NotAllowed(
            _("A town calls departments in by whistle; the command centre dispatches to them.")
        )
    if isinstance(owner, Area) and task.area is not None:
        inside = task.area.path.startswith(owner.path)
        if not inside or task.area.level not in VILLAGE_LEVELS:
            raise Invalid(
                _("You give tasks to grids and villages inside your own area."), field=field
            )
    # What else bounds every dispatch; the owner's own reach was looked at above.
    check_target(incident, SYSTEM, task.department, task.area)


def _make(case: Step, task: Task) -> Incident:
    """Write a task of the case, owned and running."""
    whole = case.incident
    text = mask_text(task.text.strip())
    row = Incident.objects.create(
        tracking_code=new_tracking_code(),
        source=Source.SPLIT,
        parent=whole,
        task_amount=task.amount,
        task_unit=task.unit,
        text=text,
        address=whole.address,
        bigrams=bigrams(f"{text} {whole.address}"),
        urgency=whole.urgency,
        state=State.DISPATCHED,
        area_id=whole.area_id,
        county_id=whole.county_id,
        town_id=whole.town_id,
        village_id=whole.village_id,
        grid_id=whole.grid_id,
        unit_id=whole.unit_id,
        location=whole.location,
        found_by=whole.found_by,
        category=whole.category,
        tier=Tier.LOCAL,
        deadline_version_id=whole.deadline_version_id,
        owner_department=task.department,
        owner_area=task.area,
        reported_at=case.now,
        triaged_at=case.now,
        triage_tried_at=case.now,
    )
    with background_row(incident=row, action="task", actor=case.actor, now=case.now) as made:
        made.from_state = ""
        made.data = {"to": str(task.department or task.area)}
        hand_to(made, department=task.department, area=task.area)
    return row


def drop(*, incident_id: int, actor: Actor, reason: str, seen: int | None = None) -> Incident:
    """End a task that is not needed any more, with a reason; the whole case goes on without it."""
    with step(incident_id=incident_id, action="drop_task", actor=actor, seen=seen) as case:
        case.note = required(reason, "reason")
        case.tell_owner("task_dropped")
        lapse_requests(case, _("The case went another way in the meantime."))
        case.incident.suspended_from, case.incident.suspended_until = "", None
        clocks.drop(case)
    return case.incident
