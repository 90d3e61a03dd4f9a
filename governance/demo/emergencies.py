"""The demo county's standing orders, an emergency called for by one, and a case split into tasks.

Written through the services, by the demonstration accounts. What must not live here: what a call
or a task is (incidents/services/standing.py, splitting.py).
"""

from datetime import date

from django.db import transaction
from django.utils import timezone

from grids.models import Area, Department, Role, User
from grids.queries import demo_accounts
from incidents.models import EmergencyCall, EmergencyKind, Incident, Source, State
from incidents.services import handling, splitting, standing, verification
from incidents.services.intake import Report, report
from incidents.services.splitting import Task
from incidents.services.standing import CallTerm
from incidents.workflow import Actor

SINCE = date(2026, 1, 1)
# kind → who is called, each with so many seconds.
ORDERS = {
    EmergencyKind.FIRE: (
        (Role.GRID_WORKER, 60),
        (Role.VILLAGE_OFFICE, 120),
        (Role.TOWN_ADMIN, 180),
    ),
    EmergencyKind.MEDICAL: ((Role.GRID_WORKER, 60), (Role.VILLAGE_OFFICE, 120)),
    EmergencyKind.POLICE: ((Role.VILLAGE_OFFICE, 60), (Role.TOWN_ADMIN, 120)),
    EmergencyKind.OTHER: ((Role.GRID_CHIEF, 120), (Role.VILLAGE_OFFICE, 180)),
}


def build_emergencies(county: Area) -> None:
    """Write the orders, one emergency somebody has, and one case in three tasks."""
    held = {posting.role: posting for posting in demo_accounts()}
    command = held[Role.COMMAND].user
    for kind, steps in ORDERS.items():
        standing.put_order(
            kind=kind,
            area=county,
            valid_from=min(SINCE, timezone.localdate()),
            valid_to=None,
            steps=[CallTerm(seconds, role=role) for role, seconds in steps],
            actor=command,
        )
    worker = held[Role.GRID_WORKER]
    if worker.area is not None:
        _emergency(worker.area, worker.user)
    handler = held[Role.DEPARTMENT_HANDLER]
    if handler.department is not None:
        _split(handler.department, handler.user)


def _emergency(grid: Area, worker: User) -> None:
    sent = Report(
        text="小卖部后院电动车充电时起火，浓烟往居民楼里飘", source=Source.RESIDENT, area=grid
    )
    incident, _new = report(sent)
    with transaction.atomic():
        standing.start(incident_id=incident.pk, numbers=["119"], now=timezone.now())
    first = EmergencyCall.objects.filter(incident=incident, called_at__isnull=False).first()
    if first is not None and not first.nobody:
        standing.acknowledge(call_id=first.pk, actor=Actor.for_user(worker))


def _split(department: Department, handler: User) -> None:
    mine = Incident.objects.filter(
        owner_department=department, state__in=[State.ACCEPTED, State.ARRIVED], parent=None
    )
    whole = mine.filter(overdue_at=None).order_by("-pk").first() or mine.order_by("-pk").first()
    if whole is None:
        return
    other = Department.objects.filter(county=department.county, active=True).exclude(
        pk=department.pk
    )
    actor = Actor.for_user(handler)
    done, *_rest = splitting.split(
        incident_id=whole.pk,
        actor=actor,
        tasks=[
            Task("现场拍照取证，划定处理范围", 4, "working_hours", department=department),
            Task("协助核对地下管线走向并出具意见", 2, "working_days", department=other[0]),
            Task("组织清理并恢复原状", 3, "working_days", department=department),
        ],
    )
    handling.accept(incident_id=done.pk, actor=actor)
    handling.respond(incident_id=done.pk, actor=actor, result="已拍照取证，范围已划定")
    colleague = User.objects.filter(postings__department=department).exclude(pk=handler.pk).first()
    if colleague is not None:
        verification.verify_pass(incident_id=done.pk, actor=Actor.for_user(colleague))
