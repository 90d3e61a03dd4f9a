"""The ledger of households: kept by its line, closed to everybody else."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse

from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry
from grids.factories import person
from grids.models import NEVER, Area, CareTag, Household, HouseholdLink, Role, VisitRule
from grids.models.household import LINKS_MOST
from grids.queries import Scope
from grids.queries import households as ledger
from grids.services import care
from grids.services import households as service
from grids.services.households import HouseholdFields
from grids.services.territory import TREE_LOCK
from grids.tests.households import NAME, PHONE, Ledger, client_of, today
from grids.views import households as households_pages

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db):
    return Ledger()


def fresh(household):
    return Household.objects.get(pk=household.pk)


# ---------- what is kept


def test_a_household_knows_its_place_at_every_level(world):
    household = world.household()
    lineage = {world.county.county, world.town, world.village, world.grid, world.unit}
    assert household.area_ids == {area.pk for area in lineage}


def test_name_and_phone_are_not_in_the_table_and_not_in_the_audit(world):
    household = world.household(phone="１９９ 0000-1234")
    assert fresh(household).phone == PHONE
    service.change_household(
        household_id=household.pk,
        fields=HouseholdFields("1号院", "李小苗", "19900004321", 4),
        seen=1,
        actor=world.office,
    )
    with connection.cursor() as cursor:
        for table in ("grids_household", "core_auditentry"):
            cursor.execute(f"SELECT t::text FROM {table} t")
            stored = "".join(line for (line,) in cursor.fetchall())
            for secret in (PHONE, NAME, "李小苗", "19900004321"):
                assert secret not in stored
    entry = AuditEntry.objects.get(action="household.change")
    assert entry.data == {"fields": ["contact", "phone", "people"]}
    assert (entry.town_id, entry.village_id) == (world.town.pk, world.village.pk)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"address": " "}, "address"),
        ({"address": "长" * 101}, "address"),
        ({"phone": "1990000"}, "phone"),
        ({"people": 0}, "people"),
        ({"people": 61}, "people"),
        ({"contact": "名" * 41}, "contact"),
    ],
)
def test_what_cannot_be_is_refused_by_the_field(world, wrong, field):
    with pytest.raises(Invalid) as refused:
        world.household(**wrong)
    assert field in refused.value.errors


def test_a_door_has_one_household_until_it_moves_out(world):
    first = world.household(address="东屋")
    with pytest.raises(Invalid) as refused:
        world.household(address=" 东屋 ")
    assert "address" in refused.value.errors
    service.move_out(household_id=first.pk, on=today(), seen=first.version, actor=world.office)
    assert world.household(address="东屋").pk != first.pk


def test_a_grid_divided_into_units_takes_no_household_itself(world):
    with pytest.raises(Invalid):
        world.household(area=world.grid)
    assert world.household(area=world.county.grids[1]).unit is None


# ---------- whose it is


def test_only_posts_that_look_after_households_open_them(world):
    household = world.household()
    for user in (world.head, world.worker, world.chief, world.office, world.admin, world.command):
        assert household in ledger.visible_households(Scope.for_user(user))
    for user in (world.leader, world.mediator, world.stranger):
        assert household not in ledger.visible_households(Scope.for_user(user))


def test_the_town_next_door_finds_nothing_by_any_address(world):
    household = world.household()
    other = client_of(world.stranger)
    for name in ("change", "tag", "link", "move", "move_out", "review_care", "end_care", "unlink"):
        address = reverse("household_do", args=[household.pk, name])
        assert other.get(address).status_code == 404
        assert other.post(address, {"seen": 1}).status_code == 404
    assert other.get(reverse("household", args=[household.pk])).status_code == 404
    for field in ("contact", "phone"):
        address = reverse("reveal", args=["household", household.pk, field])
        assert other.post(address, {"reason": "核对"}).status_code == 404
    assert household.address not in other.get(reverse("households")).content.decode()
    assert other.get(reverse("households"), {"area": world.unit.pk}).status_code == 404
    assert other.get(reverse("visits_coverage"), {"area": world.town.pk}).status_code == 404
    assert household.address not in file_of(other, "households_file")


def file_of(client, name, **query):
    return b"".join(client.get(reverse(name), query).streaming_content).decode("utf-8-sig")


def test_services_refuse_the_town_next_door_and_the_county(world):
    household = world.household()
    for actor in (world.stranger, world.command, world.worker):
        with pytest.raises(NotAllowed):
            service.change_household(
                household_id=household.pk, fields=HouseholdFields("1号"), seen=1, actor=actor
            )
        with pytest.raises(NotAllowed):
            service.tag_household(
                household_id=household.pk, tag=world.alone, reason="独居", actor=actor
            )
        with pytest.raises(NotAllowed):
            world.household(actor=actor)


def test_a_household_cannot_be_moved_over_the_border(world):
    household = world.household()
    with pytest.raises(NotAllowed):
        service.move_household(
            household_id=household.pk, area=world.county.grids[4], seen=1, actor=world.admin
        )
    assert fresh(household).town == world.town


def test_the_county_looks_on_masked_without_diary_or_reason(world):
    household = world.household()
    service.tag_household(
        household_id=household.pk, tag=world.alone, reason="子女在外", actor=world.office
    )
    page = client_of(world.command).get(reverse("household", args=[household.pk])).content.decode()
    assert "周**" in page
    assert "独居老人" in page
    for secret in (NAME, PHONE, "子女在外"):
        assert secret not in page
    address = reverse("household_do", args=[household.pk, "change"])
    assert client_of(world.command).get(address).status_code == 403
    address = reverse("reveal", args=["household", household.pk, "phone"])
    assert client_of(world.command).post(address, {"reason": "核对"}).status_code == 403


def test_the_line_sees_a_phone_on_a_reason_and_on_record(world):
    household = world.household()
    address = reverse("reveal", args=["household", household.pk, "phone"])
    office = client_of(world.office)
    assert PHONE not in office.get(reverse("household", args=[household.pk])).content.decode()
    assert office.post(address, {"reason": ""}).status_code == 422
    assert PHONE in office.post(address, {"reason": "约上门时间"}).content.decode()
    entry = AuditEntry.objects.get(action="reveal.phone", subject_id=household.pk)
    assert entry.actor == world.office


# ---------- two people at once


def test_the_second_of_two_who_correct_the_same_reads_that_it_has_changed(world):
    household = world.household()
    fields = HouseholdFields("新门牌", NAME, PHONE, 3)
    service.change_household(household_id=household.pk, fields=fields, seen=1, actor=world.office)
    with pytest.raises(Conflict):
        service.change_household(
            household_id=household.pk,
            fields=HouseholdFields("别的门牌"),
            seen=1,
            actor=world.admin,
        )
    assert fresh(household).address == "新门牌"


def test_the_page_keeps_what_was_typed_when_somebody_was_first(world):
    household = world.household()
    office = client_of(world.office)
    address = reverse("household_do", args=[household.pk, "change"])
    typed = {"address": "南屋二楼", "people": "2", "contact": "", "phone": "", "seen": "1"}
    Household.objects.update(version=2)
    late = office.post(address, typed)
    assert late.status_code == 409
    assert "南屋二楼" in late.content.decode()


def test_an_empty_field_keeps_the_name_and_a_tick_forgets_it(world):
    household = world.household()
    office = client_of(world.office)
    address = reverse("household_do", args=[household.pk, "change"])
    typed = {"address": "1号院", "people": "2", "contact": "", "phone": "", "seen": "1"}
    assert office.post(address, typed).status_code == 302
    assert (fresh(household).contact, fresh(household).people) == (NAME, 2)
    typed |= {"seen": "2", "forget": "on"}
    assert office.post(address, typed).status_code == 302
    assert (fresh(household).contact, fresh(household).phone_index) == ("", "")


# ---------- care


def test_a_care_tag_has_a_reason_and_a_day_to_look_again(world):
    household = world.household()
    with pytest.raises(Invalid):
        service.tag_household(
            household_id=household.pk, tag=world.alone, reason=" ", actor=world.office
        )
    given = service.tag_household(
        household_id=household.pk, tag=world.alone, reason="八十岁独居", actor=world.office
    )
    assert today() + timedelta(days=150) < given.review_on < today() + timedelta(days=190)
    with pytest.raises(Conflict):
        service.tag_household(
            household_id=household.pk, tag=world.alone, reason="再来", actor=world.office
        )
    far = today() + timedelta(days=900)
    tag = CareTag.objects.create(code="ill", name="大病", review_months=3)
    with pytest.raises(Invalid):
        service.tag_household(
            household_id=household.pk, tag=tag, reason="x", actor=world.office, review_on=far
        )


def test_a_tag_due_for_review_is_found_and_a_review_moves_it_on(world):
    household = world.household()
    given = service.tag_household(
        household_id=household.pk, tag=world.alone, reason="八十岁独居", actor=world.office
    )
    given.review_on = today()
    given.save()
    office = client_of(world.office)
    listed = office.get(reverse("households"), {"show": "review"}).content.decode()
    assert household.address in listed
    service.review_care(
        care_id=given.pk, household_id=household.pk, reason="仍然独居", actor=world.office
    )
    listed = office.get(reverse("households"), {"show": "review"}).content.decode()
    assert household.address not in listed


@pytest.mark.parametrize("word", ["重点人员", "上访户", "涉稳对象", "吸毒人员", "Key person"])
def test_a_tag_that_watches_people_is_refused_by_the_database(world, word):
    with pytest.raises(IntegrityError), transaction.atomic():
        CareTag.objects.create(code="x", name=word)


def test_the_shipped_tags_come_with_their_rules_and_never_change_a_county_s_own(world):
    assert care.load_care(county=world.county.county) == 0
    CareTag.objects.all().delete()
    assert care.load_care(county=world.county.county) == 6
    assert VisitRule.objects.filter(tag__isnull=False).count() == 6
    assert care.load_care(county=world.county.county) == 0


# ---------- links


def test_a_member_links_eight_households_and_no_ninth(world):
    households = [world.household() for _ in range(LINKS_MOST + 1)]
    for household in households[:LINKS_MOST]:
        service.link_household(household_id=household.pk, member=world.worker, actor=world.office)
    with pytest.raises(Invalid):
        service.link_household(
            household_id=households[-1].pk, member=world.worker, actor=world.office
        )
    first = HouseholdLink.objects.earliest("pk")
    service.unlink_household(link_id=first.pk, household_id=first.household_id, actor=world.office)
    service.link_household(household_id=households[-1].pk, member=world.worker, actor=world.office)
    assert ledger.linked_count([world.worker.pk], today())[world.worker.pk] == LINKS_MOST


def test_the_database_itself_has_no_ninth_place(world):
    households = [world.household() for _ in range(2)]
    HouseholdLink.objects.create(member=world.worker, household=households[0], slot=1)
    for slot in (0, 9, 1):
        with pytest.raises(IntegrityError), transaction.atomic():
            HouseholdLink.objects.create(member=world.worker, household=households[1], slot=slot)


def test_a_member_with_few_households_is_shown_with_a_warning(world):
    household = world.household()
    service.link_household(household_id=household.pk, member=world.worker, actor=world.office)
    page = client_of(world.office).get(reverse("household", args=[household.pk])).content.decode()
    assert "一般联系五至八户" in page


def test_somebody_of_another_town_links_nobody_here(world):
    household = world.household()
    outsider = person(Role.GRID_WORKER, world.county.grids[4])
    with pytest.raises(Invalid):
        service.link_household(household_id=household.pk, member=outsider, actor=world.office)


def test_the_page_names_the_head_of_the_unit_while_in_post(world):
    household = world.household()
    address = reverse("household", args=[household.pk])
    assert client_of(world.office).get(address).context["heads"] == [world.head]
    world.head.postings.update(valid_from="2020-01-01", valid_to=today())
    assert client_of(world.office).get(address).context["heads"] == []


# ---------- leaving


def test_who_moved_out_is_never_due_and_has_neither_link_nor_care(world):
    world.rule(7)
    household = world.household()
    service.tag_household(
        household_id=household.pk, tag=world.alone, reason="独居", actor=world.office
    )
    service.link_household(household_id=household.pk, member=world.worker, actor=world.office)
    seen = fresh(household).version
    service.move_out(household_id=household.pk, on=today(), seen=seen, actor=world.office)
    left = fresh(household)
    assert left.next_due_on == NEVER
    assert not ledger.links_on(left, today())
    assert not ledger.open_care(household_ids=[left.pk])
    with pytest.raises(Conflict):
        service.tag_household(
            household_id=household.pk, tag=world.alone, reason="独居", actor=world.office
        )


def test_nothing_ends_before_it_began_when_an_old_departure_is_noted_late(world):
    household = world.household()
    service.tag_household(
        household_id=household.pk, tag=world.alone, reason="独居", actor=world.office
    )
    service.link_household(household_id=household.pk, member=world.worker, actor=world.office)
    seen, long_ago = fresh(household).version, today() - timedelta(days=20)
    service.move_out(household_id=household.pk, on=long_ago, seen=seen, actor=world.office)
    care, link = household.care.get(), household.links.get()
    assert (care.since, care.ended_on) == (today(), today())
    assert (link.valid_from, link.valid_to) == (today(), today())
    assert fresh(household).moved_out_on == long_ago


# ---------- beside others who change the tree


def test_a_household_waits_for_whoever_changes_the_tree_and_finds_the_grid_closed(world):
    """A grid must not be closed between the look at it and the household that comes into it."""
    grid = world.county.grids[1]
    with connection.cursor() as cursor:
        held = """
            SELECT count(*) FROM pg_locks
             WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted
               AND pid = pg_backend_pid() AND (classid::bigint << 32) | objid::bigint = %s
        """
        cursor.execute(held, [TREE_LOCK.number])
        assert cursor.fetchone() == (0,)
        world.household(area=grid)
        cursor.execute(held, [TREE_LOCK.number])
        assert cursor.fetchone() == (1,)
    Area.objects.filter(pk=grid.pk).update(closed_on=today())
    with pytest.raises(Invalid):
        world.household(area=grid)  # as it was read before, still open


# ---------- pages


def test_the_list_is_narrowed_by_what_is_asked_for(world):
    world.rule(7)
    late, calm = world.household(address="甲"), world.household(address="乙", phone="19900005678")
    Household.objects.filter(pk=late.pk).update(next_due_on=today() - timedelta(days=3))
    service.link_household(household_id=calm.pk, member=world.worker, actor=world.office)
    scope = [world.village]

    def found(**asked):
        filters = ledger.Filters(**asked)
        page = ledger.ledger_page(scope, filters, today=today(), cursor=None)
        return [household.address for household in page.items]

    assert found() == ["甲", "乙"]
    assert found(show="overdue") == ["甲"]
    assert found(show="unlinked") == ["甲"]
    assert found(words="乙") == ["乙"]
    assert found(words="19900005678") == ["乙"]
    assert found(words="+86 199-0000-5678") == ["乙"]
    assert found(area=world.county.grids[1]) == []
    assert found(tag_id=world.alone.pk) == []


def test_pages_follow_each_other_without_gap(world):
    for _ in range(55):
        world.household()
    office = client_of(world.office)
    first = office.get(reverse("households"))
    assert len(first.context["rows"]) == 50
    second = office.get(
        reverse("households") + first.context["next_url"].removeprefix("/households/")
    )
    assert len(second.context["rows"]) == 5


def test_the_list_costs_the_same_for_one_and_for_many(world, django_assert_num_queries):
    for _ in range(3):
        household = world.household()
    service.tag_household(
        household_id=household.pk, tag=world.alone, reason="独居", actor=world.office
    )
    with django_assert_num_queries(3):
        page = ledger.ledger_page([world.village], ledger.Filters(), today=today(), cursor=None)
        assert len(ledger.as_rows(page.items, today=today())) == 3


def test_every_step_has_its_form_and_a_wrong_one_loses_nothing(world):
    household = world.household()
    office = client_of(world.office)
    for name in ("change", "tag", "link", "move", "move_out"):
        assert office.get(reverse("household_do", args=[household.pk, name])).status_code == 200
    assert office.get(reverse("household_do", args=[household.pk, "burn"])).status_code == 404
    address = reverse("household_do", args=[household.pk, "tag"])
    wrong = office.post(
        address, {"tag": world.alone.pk, "reason": "写得很清楚", "review_on": "昨天"}
    )
    assert wrong.status_code == 422
    assert "写得很清楚" in wrong.content.decode()


def test_an_empty_list_says_how_households_come_in(world):
    office, command = client_of(world.office), client_of(world.command)
    assert "还没有登记住户" in office.get(reverse("households")).content.decode()
    assert reverse("households_sheet") in office.get(reverse("households")).content.decode()
    assert reverse("households_sheet") not in command.get(reverse("households")).content.decode()
    none_found = office.get(reverse("households"), {"words": "甲"}).content.decode()
    assert "还没有登记住户" not in none_found


def test_a_household_is_added_at_the_desk(world):
    office = client_of(world.office)
    page = office.get(reverse("household_new"))
    places = dict(page.context["form"].fields["area"].choices)
    assert world.unit.pk in places
    assert world.grid.pk not in places
    assert world.county.grids[4].pk not in places
    typed = {
        "area": world.unit.pk,
        "address": "9号院",
        "people": "4",
        "phone": PHONE,
        "contact": NAME,
    }
    assert office.post(reverse("household_new"), typed).status_code == 302
    assert Household.objects.get().contact == NAME
    again = office.post(reverse("household_new"), typed)
    assert again.status_code == 422


def test_a_list_longer_than_a_sheet_is_told_and_never_cut(world, monkeypatch):
    for _ in range(3):
        world.household()
    monkeypatch.setattr(households_pages, "MAX_ROWS", 2)
    office = client_of(world.office)
    refused = office.get(reverse("households_workbook"), {"show": ""}, follow=True)
    assert "一张表最多 2 户，这里有 3 户" in refused.content.decode()
    assert len(file_of(office, "households_file").splitlines()) == 4


def test_every_list_that_goes_out_is_on_record(world):
    world.household()
    office = client_of(world.office)
    file_of(office, "households_file")
    office.get(reverse("households_workbook"))
    entries = AuditEntry.objects.filter(action="households.exported", actor=world.office)
    assert [entry.data for entry in entries] == [{"n": 1}, {"n": 1}]


def test_the_file_of_many_households_is_read_a_thousand_at_a_time(
    world, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(ledger, "AT_ONCE", 2)
    doors = [world.household().address for _ in range(5)]
    found = ledger.narrowed([world.village], ledger.Filters(), today=today())
    with django_assert_num_queries(1 + 3 * 2):
        rows = list(ledger.every_row(found, today=today()))
    assert [row.household.address for row in rows] == doors
