"""The ledger as a sheet: what each row would do, and that all of it is done or none."""

import io

import pytest
import xlsxwriter
from django.urls import reverse

from core.models import AuditEntry, SheetUpload
from core.services import sheets
from core.sheets.columns import headings
from core.sheets.writing import listing
from grids.models import Household, HouseholdCare
from grids.services.household_sheet import SHEET, codes_out, columns, rows_out
from grids.tests.households import NAME, PHONE, Ledger, client_of, today

pytestmark = pytest.mark.django_db
KEYS = [
    "number", "place", "place_name", "address", "contact", "phone", "people", "tag", "reason",
    "moved_out_on",
]  # fmt: skip


@pytest.fixture
def world(db):
    ledger = Ledger()
    ledger.rule(30)
    ledger.rule(7, tag=ledger.alone)
    return ledger


def row(area, address="1号院", **cells):
    return {"place": area.code, "address": address, "people": "3"} | cells


def sheet(rows):
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True, "strings_to_formulas": False})
    page = book.add_worksheet()
    page.write_row(0, 0, headings(columns(None)))
    for number, cells in enumerate(rows, 1):
        page.write_row(number, 0, [str(cells.get(key, "")) for key in KEYS])
    book.close()
    return stream.getvalue()


def upload(rows, actor, data=None) -> SheetUpload:
    taken = sheets.take(kind=SHEET, data=data or sheet(rows), file_name="住户.xlsx", actor=actor)
    sheets.work_due()
    taken.refresh_from_db()
    return taken


def save(taken, actor):
    sheets.confirm(upload_id=taken.pk, kind=SHEET, actor=actor)
    sheets.work_due()
    taken.refresh_from_db()
    return taken


def outcomes(taken):
    return [line.outcome for line in sheets.lines_of(taken)]


def cells_at_fault(taken):
    return [
        f"{KEYS[ord(fault.column) - 65]}{fault.row}"
        for line in sheets.lines_of(taken)
        for fault in line.faults
    ]


def test_a_village_comes_in_with_contact_tag_and_due_date(world):
    rows = [
        row(
            world.unit, contact=NAME, phone="１９９ 0000-1234", tag="独居老人", reason="八十岁独居"
        ),
        row(world.county.grids[1], "2号院"),
    ]
    taken = upload(rows, world.office)
    assert outcomes(taken) == ["added", "added"]
    assert not Household.objects.exists()
    done = save(taken, world.office)
    assert done.result["households_added"] == 2
    first, second = Household.objects.order_by("address")
    assert (first.contact, first.phone, first.unit) == (NAME, PHONE, world.unit)
    assert (first.visit_every, second.visit_every) == (7, 30)
    assert (second.village, second.unit) == (world.village, None)
    assert HouseholdCare.objects.get().reason == "八十岁独居"
    entries = AuditEntry.objects.filter(action="household.add")
    assert {entry.village_id for entry in entries} == {world.village.pk}
    assert NAME not in str([entry.data for entry in entries])


def test_the_list_sent_out_comes_back_without_changing_anything(world):
    household = world.household()
    out = listing("住户", columns(None), rows_out([household]))
    taken = upload([], world.office, data=out)
    assert outcomes(taken) == ["unchanged"]
    assert Household.objects.get().contact == NAME


def test_changes_moves_and_departures_are_told_and_done(world):
    changed, moved, left = (world.household() for _ in range(3))
    rows = [
        row(world.unit, "甲", number=changed.pk, people="5", phone="19900005678"),
        row(world.county.grids[1], moved.address, number=moved.pk),
        row(world.unit, left.address, number=left.pk, moved_out_on=str(today())),
    ]
    taken = upload(rows, world.office)
    assert outcomes(taken) == ["changed", "changed", "ended"]
    told = [change for line in sheets.lines_of(taken) for change in line.changes]
    assert PHONE not in str(told)
    assert "199****5678" in str(told)
    save(taken, world.office)
    changed, moved, left = Household.objects.order_by("pk")
    assert (changed.address, changed.people, changed.contact) == ("甲", 5, NAME)
    assert changed.phone == "19900005678"
    assert moved.grid == world.county.grids[1]
    assert left.moved_out_on == today()


def test_a_row_without_number_finds_its_household_by_the_door(world):
    world.household(address="东屋")
    taken = upload([row(world.unit, " 东屋 ", people="3")], world.office)
    assert outcomes(taken) == ["unchanged"]


def test_another_town_s_units_and_numbers_are_refused_like_unknown_ones(world):
    theirs = world.household(area=world.county.grids[4], actor=world.stranger)
    rows = [
        row(world.county.grids[4]),
        row(world.unit, "2号院", number=theirs.pk),
        row(world.unit, "3号院") | {"place": "41990199999999999"},
    ]
    taken = upload(rows, world.office)
    assert outcomes(taken) == ["refused"] * 3
    assert cells_at_fault(taken) == ["place2", "number3", "place4"]


def test_what_is_wrong_is_told_by_cell(world):
    rows = [
        row(world.grid),  # divided into units
        row(world.unit, "2号院", people="0"),
        row(world.unit, "3号院", phone="12345"),
        row(world.unit, "4号院", tag="独居老人"),
        row(world.unit, "5号院", moved_out_on=str(today())),
        row(world.unit, "6号院") | {"place": "123"},
        row(world.unit, "7号院", tag="重点人员", reason="x"),
        row(world.unit, ""),
    ]
    taken = upload(rows, world.office)
    assert outcomes(taken) == ["refused"] * 8
    assert cells_at_fault(taken) == [
        "place2", "people3", "phone4", "reason5", "moved_out_on6", "place7", "tag8", "address9",
    ]  # fmt: skip


def test_the_same_door_or_household_twice_is_refused_with_the_first_row_named(world):
    household = world.household(address="老屋")
    rows = [
        row(world.unit, "新屋"),
        row(world.unit, "新屋"),
        row(world.unit, "甲", number=household.pk),
        row(world.unit, "乙", number=household.pk),
    ]
    taken = upload(rows, world.office)
    assert outcomes(taken) == ["added", "refused", "changed", "refused"]
    assert cells_at_fault(taken) == ["address3", "number5"]


def test_a_door_where_others_live_is_not_taken_from_them(world):
    first, _second = world.household(address="东屋"), world.household(address="西屋")
    taken = upload([row(world.unit, "西屋", number=first.pk)], world.office)
    assert cells_at_fault(taken) == ["address2"]


def test_what_changed_since_the_preview_is_not_overwritten(world):
    household = world.household()
    taken = upload([row(world.unit, "新门牌", number=household.pk)], world.office)
    Household.objects.update(version=9, people=8)
    save(taken, world.office)
    assert taken.state == SheetUpload.State.STALE
    assert Household.objects.get().address == household.address


def test_an_old_code_of_a_place_still_finds_it(world):
    world.unit.codes.update(valid=("2020-01-01", "2025-01-01"))
    old = world.unit.codes.get()
    old.pk, old.code, old.valid = None, "41990100100100199", ("2019-01-01", "2020-01-01")
    old.save()
    taken = upload([row(world.unit) | {"place": old.code}], world.office)
    assert outcomes(taken) == ["added"]


def test_the_template_lists_every_place_one_may_live_at(world):
    codes = [code for code, _name in codes_out([world.village])]
    assert codes == [world.unit.code, world.county.grids[1].code]


def test_many_rows_cost_few_queries(world, django_assert_max_num_queries):
    rows = [row(world.unit, f"{n}号院", contact=NAME) for n in range(120)]
    taken = upload(rows, world.office)
    with django_assert_max_num_queries(45):
        save(taken, world.office)
    assert Household.objects.filter(visit_every=30).count() == 120


def test_many_departures_cost_few_queries_and_end_what_hung_on_them(
    world, django_assert_max_num_queries
):
    homes = [world.household() for _ in range(40)]
    for home in homes:
        HouseholdCare.objects.create(
            household=home, tag=world.alone, reason="独居", review_on=today()
        )
    gone = {"moved_out_on": str(today())}
    rows = [row(world.unit, home.address, number=home.pk, **gone) for home in homes]
    taken = upload(rows, world.office)
    with django_assert_max_num_queries(45):
        save(taken, world.office)
    assert Household.objects.filter(moved_out_on=today()).count() == 40
    assert not HouseholdCare.objects.filter(ended_on__isnull=True).exists()


def test_the_pages_of_the_sheet_are_the_ledger_keepers_own(world):
    household = world.household()
    office, other = client_of(world.office), client_of(world.stranger)
    assert office.get(reverse("households_sheet")).status_code == 200
    assert client_of(world.command).get(reverse("households_sheet")).status_code == 403
    template = office.get(reverse("households_sheet_template"))
    assert template.content.startswith(b"PK")
    taken = upload([row(world.unit, "9号院")], world.office)
    address = reverse("households_sheet_upload", args=[taken.pk])
    assert "9号院" in office.get(address).content.decode()
    assert other.get(address).status_code == 404
    out = office.get(reverse("households_workbook"))
    assert outcomes(upload([], world.office, data=out.content)) == ["unchanged"]
    assert AuditEntry.objects.get(action="households.exported").data == {"n": 1}
    assert outcomes(upload([], world.stranger, data=out.content)) == ["refused"]
    assert household.phone not in out.content.decode("latin-1")
