"""The roster as a sheet: what each row would do, and that all of it is done or none."""

import io
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from threading import Thread

import pytest
import xlsxwriter
from django.conf import settings as django_settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import Conflict, Invalid
from core.id_number import check_character
from core.models import AuditEntry, SheetLine, SheetUpload
from core.services import sheets
from core.sheets.columns import headings
from core.sheets.reading import Fault
from grids.factories import DepartmentFactory, SmallCounty, person, post, small_county
from grids.models import GridWithoutChief, Posting, Role, User, WorkerKind
from grids.rostering import SHEET
from grids.services import roster_save
from grids.services.leaves import cover_leave
from grids.services.people import PersonFields, Post, add_person, end_posting
from grids.services.roster_columns import columns

DAY = timedelta(days=1)
ROOT = django_settings.BASE_DIR
KEYS = [column.key for column in columns(None)]


def id_number(n: int) -> str:
    """An ID number that checks, of a county that does not exist."""
    first = f"41990119900101{n:03}"
    return first + check_character(first)


@pytest.fixture
def county(db) -> SmallCounty:
    return small_county()


@pytest.fixture
def admin(county) -> User:
    return person(Role.TOWN_ADMIN, county.towns[0])


def row(name="王小明", phone="19900001234", role="网格员", kind="专职", **cells) -> dict[str, str]:
    grid = cells.pop("grid", None)
    given = {"name": name, "phone": phone, "role": role, "worker_kind": kind, **cells}
    if grid is not None:
        given["place"] = grid.code
    if role != "网格员" and kind == "专职":
        given["worker_kind"] = ""
    return given


def sheet(rows: list[dict[str, str]]) -> bytes:
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True})
    page = book.add_worksheet()
    page.write_row(0, 0, headings(columns(None)))
    for number, cells in enumerate(rows, 1):
        page.write_row(number, 0, [str(cells.get(key, "")) for key in KEYS])
    book.close()
    return stream.getvalue()


def upload(rows: list[dict[str, str]], actor: User) -> SheetUpload:
    taken = sheets.take(kind=SHEET, data=sheet(rows), file_name="花名册.xlsx", actor=actor)
    sheets.work_due()
    taken.refresh_from_db()
    return taken


def outcomes(taken: SheetUpload) -> list[str]:
    return [line.outcome for line in sheets.lines_of(taken)]


def faults(taken: SheetUpload) -> list[Fault]:
    return [fault for line in sheets.lines_of(taken) for fault in line.faults]


def cells_at_fault(taken: SheetUpload) -> list[str]:
    return [f"{KEYS[ord(fault.column) - 65]}{fault.row}" for fault in faults(taken)]


def save(taken: SheetUpload, actor: User) -> SheetUpload:
    sheets.confirm(upload_id=taken.pk, kind=SHEET, actor=actor)
    sheets.work_due()
    taken.refresh_from_db()
    return taken


def chief_of(grid) -> Posting:
    return person(Role.GRID_CHIEF, grid).postings.get()


def test_nothing_is_saved_before_it_is_confirmed_and_then_all_of_it(county, admin):
    before = User.objects.count()
    taken = upload(
        [
            row("王一", "19900000001", grid=county.grids[0], id_number=id_number(1)),
            row("王一", "19900000001", "网格长", grid=county.grids[1]),
            row("王二", "19900000002", grid=county.grids[1], valid_from="2026-03-01"),
        ],
        admin,
    )
    assert (taken.state, outcomes(taken)) == ("ready", ["added"] * 3)
    assert User.objects.count() == before
    save(taken, admin)
    assert taken.state == "saved"
    assert taken.result == {
        "people_added": 2,
        "people_changed": 0,
        "postings_opened": 3,
        "postings_ended": 0,
    }
    one = User.objects.get(display_name="王一")
    assert (one.phone, one.id_number) == ("19900000001", id_number(1))
    assert {p.role for p in one.postings.all()} == {Role.GRID_WORKER, Role.GRID_CHIEF}
    two = User.objects.get(display_name="王二").postings.get()
    assert (two.valid_from, two.worker_kind) == (date(2026, 3, 1), WorkerKind.FULL_TIME)


def test_the_same_sheet_again_changes_nothing(county, admin):
    rows = [row(grid=county.grids[0]), row("王二", "19900000002", "网格长", grid=county.grids[1])]
    save(upload(rows, admin), admin)
    again = upload(rows, admin)
    assert outcomes(again) == ["unchanged"] * 2
    with pytest.raises(Invalid, match="没有需要保存"):
        sheets.confirm(upload_id=again.pk, kind=SHEET, actor=admin)


def test_a_known_person_is_changed_and_a_post_ended(county, admin):
    save(upload([row(grid=county.grids[0], valid_from="2026-01-01")], admin), admin)
    user = User.objects.get(display_name="王小明")
    taken = upload(
        [
            row("王晓明", account=user.username, grid=county.grids[0], kind="兼职"),
            row("王晓明", account=user.username, grid=county.grids[1]),
        ],
        admin,
    )
    assert outcomes(taken) == ["changed", "added"]
    save(taken, admin)
    taken = upload([row("王晓明", grid=county.grids[0], last_day="2026-06-30", kind="兼职")], admin)
    assert outcomes(taken) == ["ended"]
    save(taken, admin)
    user.refresh_from_db()
    assert user.display_name == "王晓明"
    old, new = user.postings.order_by("valid_from")
    assert (old.valid_to, old.worker_kind) == (date(2026, 7, 1), WorkerKind.PART_TIME)
    assert new.valid_to is None


def test_the_audit_trail_has_an_entry_for_each_act_and_nothing_personal(county, admin):
    save(upload([row(grid=county.grids[0], id_number=id_number(7))], admin), admin)
    user = User.objects.get(display_name="王小明")
    entries = AuditEntry.objects.filter(subject_type="user", subject_id=user.pk)
    assert {entry.action for entry in entries} == {"person.add", "posting.open"}
    assert {entry.town_id for entry in entries} == {county.towns[0].pk}
    told = str([entry.data for entry in AuditEntry.objects.all()])
    assert not any(text in told for text in ("19900001234", id_number(7), "王小明"))


# Each wrong row is told with its cell.


@pytest.mark.parametrize(
    ("cells", "at"),
    [
        ({"name": ""}, "name2"),
        ({"phone": "1234"}, "phone2"),
        ({"phone": ""}, "phone2"),
        ({"phone": "199****1234"}, "phone2"),
        ({"id_number": "419901199001010011"}, "id_number2"),
        ({"role": "队长"}, "role2"),
        ({"role": "系统管理员"}, "role2"),
        ({"worker_kind": ""}, "worker_kind2"),
        ({"worker_kind": "临时"}, "worker_kind2"),
        ({"place": "419901009009009"}, "place2"),
        ({"place": ""}, "place2"),
        ({"place": "大王庄"}, "place2"),
        ({"role": "村（社区）"}, "place2"),
        ({"valid_from": "三月"}, "valid_from2"),
        ({"last_day": "2026-01-01"}, "last_day2"),
        ({"account": "nobody"}, "account2"),
    ],
)
def test_a_wrong_cell_is_told_with_column_value_and_remedy(county, admin, cells, at):
    if cells.get("role") == "村（社区）":
        cells = {"role": str(Role.VILLAGE_OFFICE.label), "worker_kind": ""}
    taken = upload([row(grid=county.grids[0]) | cells], admin)
    assert cells_at_fault(taken) == [at]
    assert all(fault.problem and fault.remedy for fault in faults(taken))
    assert outcomes(taken) == ["refused"]


def test_an_id_number_of_a_county_long_abolished_is_taken(county, admin):
    # Wanxian of Sichuan, 512221: in Chongqing, under another code, since 1997.
    first = "51222119700101000"
    number = first + check_character(first)
    assert outcomes(upload([row(grid=county.grids[0], id_number=number)], admin)) == ["added"]


def test_the_preview_says_what_will_be_added_changed_and_ended(county, admin):
    save(upload([row(grid=county.grids[0], valid_from="2026-01-01")], admin), admin)
    guide = row(role="网格指导员", grid=county.grids[0])
    changed = row(grid=county.grids[0], kind="兼职", last_day="2026-06-30")
    new = row("王二", "19900000002", grid=county.grids[0], valid_from="2026-03-01")
    taken = upload([guide, changed, new], admin)
    told = [{what: after for what, _b, after in x.changes} for x in sheets.lines_of(taken)]
    assert outcomes(taken) == ["added", "ended", "added"]
    assert told[0]["任职第一日"].endswith("增加任职")
    assert (told[1]["任职最后一日"], told[1]["网格员类别"]) == ("2026-06-30", "兼职")
    assert told[2]["任职第一日"] == "2026-03-01 · 新增人员"


def test_good_rows_are_saved_beside_refused_ones(county, admin):
    taken = upload([row(grid=county.grids[0]), row("王二", "1", grid=county.grids[0])], admin)
    assert outcomes(taken) == ["added", "refused"]
    save(taken, admin)
    assert not User.objects.filter(display_name="王二").exists()
    assert User.objects.filter(display_name="王小明").exists()
    # Only what has to be handed back is kept.
    assert outcomes(taken) == ["refused"]


def test_a_place_of_another_town_is_as_unknown_as_one_that_is_none(county, admin):
    taken = upload(
        [row(grid=county.grids[-1]), row("王二", "19900000002", place="419901999999999")], admin
    )
    other, none = faults(taken)
    assert (other.problem, other.remedy) == (none.problem, none.remedy)


def test_an_account_of_another_town_is_as_unknown_as_one_that_is_none(county, admin):
    theirs = person(Role.GRID_WORKER, county.grids[-1])
    taken = upload(
        [
            row(theirs.display_name, account=theirs.username, grid=county.grids[0]),
            row("王二", "19900000002", account="nobody", grid=county.grids[0]),
        ],
        admin,
    )
    assert len({fault.problem for fault in faults(taken)}) == 1
    assert cells_at_fault(taken) == ["account2", "account3"]


def test_a_person_another_town_looks_after_is_not_taken_over(county, admin):
    command = person(Role.COMMAND, county.county)
    add_person(
        fields=PersonFields("王小明", "19900001234", id_number(1)),
        post=Post(Role.GRID_WORKER, county.grids[-1], date(2026, 1, 1), worker_kind="full_time"),
        actor=command,
    )
    taken = upload([row(grid=county.grids[0], id_number=id_number(1))], admin)
    assert cells_at_fault(taken) == ["name2"]
    assert outcomes(upload([row(grid=county.grids[0], id_number=id_number(1))], command)) == [
        "added"
    ]


def test_somebody_with_a_post_in_the_county_keeps_name_and_phone(county, admin):
    worker = person(Role.GRID_WORKER, county.grids[0], worker_kind="full_time")
    post(worker, Role.COMMAND, county.county)
    taken = upload([row("别名", account=worker.username, grid=county.grids[0])], admin)
    assert cells_at_fault(taken) == ["name2"]


def test_a_town_names_no_town_admin_and_the_county_names_handlers(county, admin):
    department = DepartmentFactory(county=county.county)
    command = person(Role.COMMAND, county.county)
    rows = [
        row("王一", "19900000001", str(Role.TOWN_ADMIN.label), place=county.towns[0].code),
        row("王二", "19900000002", str(Role.DEPARTMENT_HANDLER.label), place=department.code),
    ]
    assert outcomes(upload(rows, admin)) == ["refused"] * 2
    assert outcomes(upload(rows, command)) == ["added"] * 2


def test_nobody_changes_a_post_of_their_own(county, admin):
    taken = upload([row(admin.display_name, account=admin.username, grid=county.grids[0])], admin)
    assert cells_at_fault(taken) == ["name2"]


def test_no_sheet_gives_an_administrator_of_the_system_another_post(county):
    """Each of the three could do the work of another."""
    command = person(Role.COMMAND, county.county)
    keeper = person(Role.SYSTEM_ADMIN, county.county)
    rows = [row(keeper.display_name, "", account=keeper.username, grid=county.grids[0])]
    assert cells_at_fault(upload(rows, command)) == ["role2"]


# Who is who.


def test_one_phone_with_two_names_is_told_unless_id_numbers_tell_them_apart(county, admin):
    rows = [row("王一", grid=county.grids[0]), row("王二", grid=county.grids[0])]
    assert cells_at_fault(upload(rows, admin)) == ["phone3"]
    rows = [
        row("王一", grid=county.grids[0], id_number=id_number(1)),
        row("王二", grid=county.grids[0], id_number=id_number(2)),
    ]
    assert outcomes(upload(rows, admin)) == ["added"] * 2


def test_a_phone_of_somebody_on_the_roster_needs_the_id_number(county, admin):
    save(upload([row("王一", grid=county.grids[0])], admin), admin)
    assert cells_at_fault(upload([row("王二", grid=county.grids[0])], admin)) == ["phone2"]
    taken = upload([row("王二", grid=county.grids[0], id_number=id_number(2))], admin)
    assert outcomes(taken) == ["added"]


def test_an_id_number_given_later_is_added_to_the_known_person(county, admin):
    save(upload([row(grid=county.grids[0])], admin), admin)
    taken = upload([row(grid=county.grids[0], id_number=id_number(3))], admin)
    assert outcomes(taken) == ["changed"]
    save(taken, admin)
    assert User.objects.get(display_name="王小明").id_number == id_number(3)


def test_rows_of_somebody_new_with_and_without_the_id_number_are_one_person(county, admin):
    rows = [
        row("王一", grid=county.grids[0]),
        row("王一", grid=county.grids[1], id_number=id_number(1)),
        row("王一", grid=county.grids[2], id_number=id_number(2)),
    ]
    taken = save(upload(rows, admin), admin)
    assert taken.result["people_added"] == 2
    assert {u.id_number: u.postings.count() for u in User.objects.filter(display_name="王一")} == {
        id_number(1): 2,
        id_number(2): 1,
    }


def test_an_id_number_of_somebody_else_is_refused(county, admin):
    save(
        upload([row("王一", "19900000001", grid=county.grids[0], id_number=id_number(1))], admin),
        admin,
    )
    save(upload([row("王二", "19900000002", grid=county.grids[0])], admin), admin)
    two = User.objects.get(display_name="王二")
    taken = upload(
        [row("王二", account=two.username, grid=county.grids[0], id_number=id_number(1))], admin
    )
    assert cells_at_fault(taken) == ["id_number2"]


def test_rows_of_one_person_must_agree(county, admin):
    rows = [
        row("王一", "19900000001", grid=county.grids[0], id_number=id_number(1)),
        row("王壹", "19900000001", grid=county.grids[1], id_number=id_number(1)),
    ]
    assert cells_at_fault(upload(rows, admin)) == ["name3"]


def test_the_same_post_twice_is_refused_once(county, admin):
    rows = [row(grid=county.grids[0]), row(grid=county.grids[0])]
    assert outcomes(upload(rows, admin)) == ["added", "refused"]
    save(upload(rows[:1], admin), admin)
    assert outcomes(upload(rows, admin)) == ["unchanged", "refused"]


def test_an_earlier_code_still_means_the_grid(county, admin):
    grid = county.grids[0]
    grid.codes.update(valid=(date(2020, 1, 1), date(2025, 1, 1)))
    old = grid.code
    grid.code = old[:-3] + "077"
    grid.save()
    taken = upload([row(place=old)], admin)
    assert outcomes(taken) == ["added"]


# A grid keeps a chief.


def test_the_last_chief_ends_only_with_a_successor_or_a_reason(county, admin):
    old = chief_of(county.grids[0]).user
    ending = row(
        old.display_name, "", "网格长", account=old.username, grid=county.grids[0],
        last_day=timezone.localdate(),
    )  # fmt: skip
    taken = upload([ending], admin)
    assert cells_at_fault(taken) == ["last_day2"]
    with_successor = [ending, row("王二", "19900000002", "网格长", grid=county.grids[0])]
    assert outcomes(upload(with_successor, admin)) == ["ended", "added"]
    saved = save(upload([ending | {"no_chief_reason": "待选任"}], admin), admin)
    assert saved.state == "saved"
    assert GridWithoutChief.objects.get().grid == county.grids[0]
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_substitutes_post_is_not_ended_by_a_sheet(county, admin):
    chief = chief_of(county.grids[0])
    substitute = person(Role.GRID_WORKER, county.grids[1])
    today = timezone.localdate()
    cover_leave(
        posting_id=chief.pk,
        substitute_id=substitute.pk,
        away_from=today,
        away_until=today + 10 * DAY,
        actor=admin,
    )
    taken = upload(
        [
            row(
                substitute.display_name,
                "",
                "网格长",
                account=substitute.username,
                grid=county.grids[0],
                last_day=today,
            )
        ],
        admin,
    )
    assert cells_at_fault(taken) == ["last_day2"]


# Between preview and confirmation.


def test_what_changed_since_the_preview_stops_all_of_it(county, admin):
    save(upload([row(grid=county.grids[0], valid_from="2026-01-01")], admin), admin)
    user = User.objects.get(display_name="王小明")
    taken = upload(
        [
            row(grid=county.grids[0], last_day="2026-06-30"),
            row("王二", "19900000002", grid=county.grids[0]),
        ],
        admin,
    )
    end_posting(posting_id=user.postings.get().pk, day=date(2026, 3, 1), actor=admin)
    save(taken, admin)
    assert (taken.state, "第 2 行" in taken.problem) == ("stale", True)
    assert not User.objects.filter(display_name="王二").exists()
    assert [line.number for line in SheetLine.objects.filter(overtaken=True)] == [2]
    sheets.plan_again(upload_id=taken.pk, kind=SHEET, actor=admin)
    sheets.work_due()
    taken.refresh_from_db()
    assert (taken.state, outcomes(taken)) == ("ready", ["refused", "added"])


def test_a_right_lost_since_the_preview_stops_all_of_it(county, admin):
    taken = upload([row(grid=county.grids[0])], admin)
    admin.postings.update(valid_to=timezone.localdate(), valid_from=date(2026, 1, 1))
    save(taken, admin)
    assert taken.state == "stale"
    assert not User.objects.filter(display_name="王小明").exists()


def test_two_presses_save_once(county, admin):
    taken = upload([row(grid=county.grids[0])], admin)
    sheets.confirm(upload_id=taken.pk, kind=SHEET, actor=admin)
    with pytest.raises(Conflict):
        sheets.confirm(upload_id=taken.pk, kind=SHEET, actor=admin)
    sheets.work_due()
    with pytest.raises(Conflict):
        sheets.confirm(upload_id=taken.pk, kind=SHEET, actor=admin)
    assert User.objects.filter(display_name="王小明").count() == 1


def test_a_save_that_breaks_in_the_middle_leaves_nothing(county, admin, monkeypatch):
    taken = upload([row(grid=county.grids[0])], admin)

    def broken(*_args, **_kwargs):
        raise RuntimeError("the machine went away")

    monkeypatch.setattr("grids.services.roster_save.lift_marks", broken)
    sheets.confirm(upload_id=taken.pk, kind=SHEET, actor=admin)
    sheets.work_due()
    assert not User.objects.filter(display_name="王小明").exists()
    monkeypatch.undo()
    sheets.work_due()
    assert User.objects.filter(display_name="王小明").exists()


def test_a_sheet_that_never_saves_holds_up_no_other_and_says_so(county, admin, monkeypatch):
    taken = upload([row(grid=county.grids[0])], admin)
    other = upload([row("王二", "19900000002", grid=county.grids[0])], admin)
    apply = roster_save.lift_marks

    def broken(postings, **more):
        if User.objects.filter(display_name="王小明").exists():
            raise RuntimeError("nobody foresaw this")
        apply(postings, **more)

    monkeypatch.setattr("grids.services.roster_save.lift_marks", broken)
    for one in (taken, other):
        sheets.confirm(upload_id=one.pk, kind=SHEET, actor=admin)
    for _tick in range(4):
        sheets.work_due()
    taken.refresh_from_db()
    other.refresh_from_db()
    assert (taken.state, other.state) == ("stale", "saved")
    assert "未保存" in taken.problem


def test_a_reader_that_died_is_replaced_and_gives_up_after_three_times(county, admin):
    taken = sheets.take(
        kind=SHEET, data=sheet([row(grid=county.grids[0])]), file_name="a.xlsx", actor=admin
    )
    silent = timezone.now() - 2 * sheets.SILENT
    SheetUpload.objects.update(state="reading", claimed_at=silent, attempts=1)
    sheets.work_due()
    taken.refresh_from_db()
    assert taken.state == "ready"
    SheetUpload.objects.update(state="reading", claimed_at=silent, attempts=3)
    sheets.work_due()
    taken.refresh_from_db()
    assert taken.state == "unreadable"


def test_another_persons_upload_is_not_there(county, admin):
    taken = upload([row(grid=county.grids[0])], admin)
    other = person(Role.TOWN_ADMIN, county.towns[0])
    for act in (sheets.confirm, sheets.discard, sheets.plan_again, sheets.upload_of):
        with pytest.raises(Exception, match=r"^$") as caught:
            act(upload_id=taken.pk, kind=SHEET, actor=other)
        assert type(caught.value).__name__ == "Http404"


def test_uploads_are_forgotten_after_a_day_and_nothing_personal_lies_in_clear(county, admin):
    taken = upload([row(grid=county.grids[0])], admin)
    with connection.cursor() as cursor:
        cursor.execute("SELECT content FROM core_sheetline")
        assert not any("19900001234" in content for (content,) in cursor.fetchall())
    SheetUpload.objects.update(made_at=timezone.now() - timedelta(hours=25))
    assert sheets.forget_old() == 1
    assert not SheetLine.objects.filter(upload=taken).exists()


# The plan and what is saved are the same thing.

ACTS = st.lists(
    st.tuples(
        st.integers(0, 5),  # who
        st.integers(0, 3),  # which grid of the town
        st.sampled_from(["网格员", "网格长", "网格指导员"]),
        st.sampled_from(["", "", "2026-06-30", "2027-06-30"]),
    ),
    min_size=1,
    max_size=14,
)


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(acts=ACTS)
def test_what_is_saved_is_what_the_preview_said(county, admin, acts):
    def standing() -> set[tuple[str, str, int, str]]:
        held = Posting.objects.filter(user__display_name__startswith="甲")
        return {(p.user.display_name, p.role, p.area_id, str(p.valid_to)) for p in held}

    rows = [
        row(f"甲{who}", f"1990000100{who}", role, grid=county.grids[grid], last_day=last)
        for who, grid, role, last in acts
    ]
    before, people_before = standing(), User.objects.count()
    taken = upload(rows, admin)
    lines = list(sheets.lines_of(taken))
    assert len(lines) == len(rows)
    assert (standing(), User.objects.count()) == (before, people_before)
    if not any(line.outcome in ("added", "changed", "ended") for line in lines):
        return
    save(taken, admin)
    assert taken.state == "saved", taken.problem
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    added = sum(line.outcome == "added" for line in lines)
    ended = sum(line.outcome == "ended" for line in lines)
    after = standing()
    assert taken.result["postings_opened"] == added == len(after) - len(before)
    assert taken.result["postings_ended"] == ended == len(before - after)
    again = upload(
        [r for r, line in zip(rows, lines, strict=True) if line.outcome == "added"], admin
    )
    assert set(outcomes(again)) <= {"unchanged", "refused"}


KILLED_WHILE_SAVING = """
import os, signal
import django
django.setup()
from core.services import sheets
from grids.services import roster_save
roster_save.lift_marks = lambda *_rows, **_more: os.kill(os.getpid(), signal.SIGKILL)
sheets.work_due()
"""


@pytest.mark.django_db(transaction=True)
def test_nobody_ends_a_post_on_a_page_while_a_sheet_is_being_saved(monkeypatch):
    county = small_county()
    admin = person(Role.TOWN_ADMIN, county.towns[0])
    save(upload([row(grid=county.grids[0], valid_from="2026-01-01")], admin), admin)
    posting = Posting.objects.get(user__display_name="王小明")
    taken = upload([row(grid=county.grids[0], last_day="2026-06-30")], admin)
    met: list[Exception] = []

    def end_meanwhile():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '200ms'")
                end_posting(posting_id=posting.pk, day=date(2026, 3, 1), actor=admin)
        except OperationalError as error:
            met.append(error)
        finally:
            connection.close()

    apply = roster_save.apply

    def slow(lines, **more):
        thread = Thread(target=end_meanwhile)
        thread.start()
        thread.join()
        return apply(lines, **more)

    monkeypatch.setitem(sheets._kinds, SHEET, replace(sheets.kind_of(SHEET), apply=slow))
    save(taken, admin)
    posting.refresh_from_db()
    assert (taken.state, posting.valid_to, len(met)) == ("saved", date(2026, 7, 1), 1)
    with pytest.raises(Conflict):
        end_posting(posting_id=posting.pk, day=date(2026, 7, 1), actor=admin)


@pytest.mark.stack
@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_while_saving_leaves_nothing_and_the_next_one_saves_all():
    county = small_county()
    admin = person(Role.TOWN_ADMIN, county.towns[0])
    taken = upload(
        [row(grid=county.grids[0]), row("王二", "19900000002", grid=county.grids[1])], admin
    )
    sheets.confirm(upload_id=taken.pk, kind=SHEET, actor=admin)
    environment = os.environ | {"GESHI_TEST_DATABASE": connection.settings_dict["NAME"]}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_SAVING], env=environment, check=False, cwd=ROOT
    )
    assert killed.returncode == -signal.SIGKILL
    assert not User.objects.filter(display_name__startswith="王").exists()
    sheets.work_due()
    taken.refresh_from_db()
    assert taken.state == "saved"
    assert User.objects.filter(display_name__startswith="王").count() == 2
