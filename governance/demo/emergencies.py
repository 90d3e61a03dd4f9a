"""The demo county's standing orders, an emergency called for by one, and a case split into tasks.

Written through the services, by the demonstration accounts. What must not live here: what a call
or a task is (incidents/services/standing.py, splitting.py).
"""

from datetime import date

from django.db import transaction
from django.utils import timezone

from grids.models import Area, Department, Posting, Role, User
from grids.queries import demo_accounts
from incidents.models import Category, EmergencyCall, EmergencyKind, Source
from incidents.services import dispatching, handling, splitting, standing, verification
from incidents.services.intake import Report, report
from incidents.services.splitting import Task
from incidents.services.standing import CallTerm
from incidents.workflow import Actor

SINCE = date(2026, 1, 1)
# The item of the case that is split, and the department that another's task is for.
SPLIT_AS, DRAINS = "HW-01", "ZJ"
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
    """Write the orders, one emergency somebody has, and one case split into tasks."""
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
        _split(worker.area, worker.user)


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


def _split(grid: Area, worker: User) -> None:
    """Split a department's case of the worker's grid: a task in each state one looks at."""
    category = Category.objects.select_related("owner").get(code=SPLIT_AS)
    department = category.owner
    assert department is not None
    works = Department.objects.get(county=department.county, code=DRAINS)
    handler, colleague = _staff(department, is_demo=True), _staff(department, is_demo=False)
    command = Actor.for_user(User.objects.get(username="command"))
    office = User.objects.get(username="village")
    village = Posting.objects.get(user=office, role=Role.VILLAGE_OFFICE).area
    sent = Report(
        text="夜市收摊后污水和杂物没人清，地面打滑，雨水口也堵了",
        source=Source.RESIDENT,
        area=grid,
    )
    whole, _new = report(sent)
    dispatching.triage(incident_id=whole.pk, actor=command, category=category, send=False)
    dispatching.dispatch(incident_id=whole.pk, actor=command, department=department)
    handling.accept(incident_id=whole.pk, actor=handler)
    looked, answered, _waits, begun = splitting.split(
        incident_id=whole.pk,
        actor=handler,
        tasks=[
            Task("现场拍照取证，划定清理范围", 4, "working_hours", department=department),
            Task("通知周边摊主和住户，清出作业场地", 1, "working_days", area=grid),
            Task("疏通堵塞的雨水口", 2, "working_days", department=works),
            Task("组织保洁员清运杂物、冲洗地面", 3, "working_days", area=village),
        ],
    )
    handling.accept(incident_id=looked.pk, actor=handler)
    handling.respond(incident_id=looked.pk, actor=handler, result="已拍照取证，范围已划定")
    verification.verify_pass(incident_id=looked.pk, actor=colleague)
    handling.accept(incident_id=answered.pk, actor=Actor.for_user(worker))
    handling.respond(
        incident_id=answered.pk,
        actor=Actor.for_user(worker),
        result="摊主和住户已逐户通知，作业场地已清出",
    )
    handling.accept(incident_id=begun.pk, actor=Actor.for_user(office))


def _staff(department: Department, *, is_demo: bool) -> Actor:
    people = User.objects.filter(postings__department=department, is_demo=is_demo)
    return Actor.for_user(people.order_by("pk")[0])
