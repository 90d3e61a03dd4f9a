"""Connected systems: one administrator keeps them, a key is seen once, and use is counted."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from core.errors import Invalid, NotAllowed
from core.models import AuditEntry
from grids.factories import person
from grids.models import Role
from incidents.factories import actor, as_
from incidents.models import System, SystemDay
from incidents.queries.systems import days_of, system_rows
from incidents.services import systems
from incidents.services.systems import SystemFields

pytestmark = pytest.mark.django_db
FORM = {
    "name": "市热线",
    "contact": "信息科",
    "scopes": ["report"],
    "daily_quota": "50",
    "minute_quota": "60",
}


@pytest.fixture
def admin(world):
    return person(Role.SYSTEM_ADMIN, world.county)


@pytest.fixture
def system(admin):
    return systems.add_system(
        fields=SystemFields(name="市热线", contact="信息科", scopes=["report"]), actor=actor(admin)
    )


def test_a_system_is_connected_and_gets_its_key_on_the_page(admin):
    page = as_(admin)
    made = page.post("/systems/new/", FORM, follow=True)
    system = System.objects.get()
    assert made.redirect_chain[-1][0] == f"/systems/{system.pk}/"
    assert (system.scopes, system.daily_quota, system.key_hash) == (["report"], 50, None)
    shown = page.post(f"/systems/{system.pk}/key/").content.decode()
    key = shown.partition("data-key>")[2].partition("<")[0]
    assert key.startswith("gs_")
    assert systems.system_of(key) == system
    assert key not in page.get(f"/systems/{system.pk}/").content.decode()
    assert "no-store" in page.get(f"/systems/{system.pk}/").headers["Cache-Control"]


def test_a_key_is_kept_only_as_a_hash_and_the_contact_encrypted(admin, system):
    key = systems.new_key(system_id=system.pk, actor=actor(admin))
    with connection.cursor() as cursor:
        cursor.execute("SELECT s::text FROM incidents_system s")
        stored = cursor.fetchone()[0]
    assert key not in stored
    assert key[:8] in stored
    assert "信息科" not in stored


def test_a_new_key_ends_the_one_before(admin, system):
    old = systems.new_key(system_id=system.pk, actor=actor(admin))
    new = systems.new_key(system_id=system.pk, actor=actor(admin))
    assert systems.system_of(new) == system
    with pytest.raises(NotAllowed):
        systems.system_of(old)


def test_a_closed_door_opens_again_with_the_same_key(admin, system):
    key = systems.new_key(system_id=system.pk, actor=actor(admin))
    page = as_(admin)
    assert page.post(f"/systems/{system.pk}/close/").status_code == 302
    with pytest.raises(NotAllowed):
        systems.system_of(key)
    page.post(f"/systems/{system.pk}/open/")
    assert systems.system_of(key) == system


def test_what_is_typed_wrong_comes_back_whole(admin, system):
    page = as_(admin)
    for wrong in ({"name": ""}, {"daily_quota": "0"}, {"scopes": ["all"]}, {"name": "市热线"}):
        form = FORM | {"name": "别的", "contact": "王科长"} | wrong
        answer = page.post("/systems/new/", form)
        assert answer.status_code == 422
        assert "王科长" in answer.content.decode()
    assert page.post(f"/systems/{system.pk}/", FORM | {"name": ""}).status_code == 422
    assert System.objects.count() == 1
    with pytest.raises(Invalid):
        systems.add_system(fields=SystemFields(name="市热线"), actor=actor(admin))


def test_each_act_is_on_record_without_key_or_contact(admin, system):
    key = systems.new_key(system_id=system.pk, actor=actor(admin))
    systems.change_system(
        system_id=system.pk,
        fields=SystemFields(name="热线", contact="李科长", scopes=["update"], daily_quota=9),
        actor=actor(admin),
    )
    systems.set_active(system_id=system.pk, active=False, actor=actor(admin))
    entries = AuditEntry.objects.filter(subject_type="system").order_by("pk")
    assert [entry.action for entry in entries] == [
        "system.add",
        "system.key",
        "system.change",
        "system.close",
    ]
    told = str([entry.data for entry in entries])
    assert "'daily_quota': 9" in told
    for secret in (key, "信息科", "李科长"):
        assert secret not in told


@pytest.mark.parametrize("role", [Role.COMMAND, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN])
def test_nobody_else_keeps_systems(world, system, role):
    other = person(role, world.county)
    assert as_(other).get("/systems/").status_code == 403
    for act in (
        lambda by: systems.add_system(fields=SystemFields(name="x"), actor=by),
        lambda by: systems.change_system(
            system_id=system.pk, fields=SystemFields(name="x"), actor=by
        ),
        lambda by: systems.new_key(system_id=system.pk, actor=by),
        lambda by: systems.set_active(system_id=system.pk, active=False, actor=by),
    ):
        with pytest.raises(NotAllowed):
            act(actor(other))


def test_use_is_counted_by_day(admin, system, time_machine):
    key = systems.new_key(system_id=system.pk, actor=actor(admin))
    time_machine.move_to("2026-05-06 09:00+08:00", tick=False)
    for _n in range(2):
        systems.admit(key=key, right="report")
    time_machine.move_to("2026-05-07 09:00+08:00", tick=False)
    systems.admit(key=key, right="report")
    (row,) = system_rows()
    assert (row.today, row.calls, row.refused) == (1, 3, 0)
    assert row.last_at == timezone.now()
    assert [calls for _day, calls, _refused in days_of(system)] == [1, 2]
    time_machine.move_to("2026-07-07 09:00+08:00", tick=False)
    assert system_rows()[0].calls == 0


def test_the_pages_cost_the_same_however_many_there_are(admin, system, django_assert_num_queries):
    for number in range(3):
        other = System.objects.create(name=f"系统{number}")
        for days in range(3):
            day = timezone.localdate() - timedelta(days=days)
            SystemDay.objects.create(system=other, day=day, calls=5)
    with django_assert_num_queries(3):
        assert len(system_rows()) == 4
