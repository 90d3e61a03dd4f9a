"""Work orders of a hotline: any columns, each order once, its deadline kept, results given back."""

import io
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import xlsxwriter
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone
from python_calamine import CalamineWorkbook

from core.errors import BadUpload, Conflict, Invalid
from core.models import AuditEntry, SheetLine, SheetUpload
from core.services import sheets
from grids.factories import person
from grids.models import Role
from incidents.factories import actor, as_
from incidents.models import (
    HotlineMapping,
    Incident,
    ReporterContact,
    SentCase,
    Source,
    Stage,
    System,
)
from incidents.services import dispatching, handling, hotline_sheet
from incidents.services.hotline_sheet import KIND, guessed

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]
State = SheetUpload.State
HEADINGS = [
    "工单编号",
    "来电时间",
    "来电人",
    "联系电话",
    "诉求内容",
    "所属区域",
    "地址",
    "办结时限",
]
PHONE = "19900001234"


@pytest.fixture
def hotline(world):
    return System.objects.create(name="12345热线")


def order(number: str, text: str = "桥头垃圾没人清", **more: str) -> list[str]:
    values = {"name": "赵某", "phone": PHONE, "area": "东关镇", "due": ""} | more
    called = "2026-11-20 09:30"
    return [
        number,
        called,
        values["name"],
        values["phone"],
        text,
        values["area"],
        "桥头",
        values["due"],
    ]


def csv(*rows: list[str], headings: list[str] | None = None) -> bytes:
    lines = [headings or HEADINGS, *rows]
    return "\n".join(",".join(cells) for cells in lines).encode("gbk")


def take(hotline: System, user, data: bytes) -> SheetUpload:
    """Upload, and let the background read the headings."""
    taken = hotline_sheet.take(system_id=hotline.pk, data=data, file_name="工单.csv", actor=user)
    sheets.work_due()
    taken.refresh_from_db()
    return taken


def preview(hotline: System, user, data: bytes) -> SheetUpload:
    """Upload and take the columns that are offered."""
    taken = take(hotline, user, data)
    chosen = hotline_sheet.offered(taken)
    hotline_sheet.match(upload=taken, chosen=chosen, actor=user)
    sheets.work_due()
    taken.refresh_from_db()
    return taken


def save(upload: SheetUpload, user) -> SheetUpload:
    sheets.confirm(upload_id=upload.pk, kind=KIND, actor=user)
    sheets.work_due()
    upload.refresh_from_db()
    return upload


@pytest.mark.parametrize(
    ("headings", "expected"),
    [
        (HEADINGS, ["number", "called_at", "name", "phone", "text", "area", "address", "due_at"]),
        (["受理编号*", "问题描述", "市民姓名"], ["number", "name", "text"]),
        (["序号", "联系电话", "电话", "内容"], ["phone", "text"]),
    ],
)
def test_columns_are_guessed_from_their_headings(headings, expected):
    found = guessed(headings)
    assert list(found) == [key for key in hotline_sheet.ALIASES if key in expected]
    assert len(set(found.values())) == len(found)


def test_each_work_order_becomes_one_report(world, hotline):
    done = save(preview(hotline, world.command, csv(order("A-1"), order("A-2"))), world.command)
    assert (done.state, done.result) == (State.SAVED, {"cases_opened": 2})
    case = SentCase.objects.get(external_id="A-1")
    assert case.incident.source == Source.HOTLINE
    assert case.incident.town == world.town
    assert timezone.localtime(case.called_at).hour == 9
    contact = ReporterContact.objects.get(incident=case.incident)
    assert (contact.name, contact.phone) == ("赵某", PHONE)
    assert not SheetLine.objects.filter(upload=done).exists()
    assert AuditEntry.objects.filter(action="hotline_orders.sheet_saved").exists()


def test_the_same_file_again_makes_nothing_new_and_says_so(world, hotline):
    data = csv(order("A-1"), order("A-2"))
    save(preview(hotline, world.command, data), world.command)
    again = preview(hotline, world.command, data)
    assert again.counts["unchanged"] == 2
    page = as_(world.command).get(f"/hotline/import/{again.pk}/").content.decode()
    assert "都已导入" in page
    with pytest.raises(Invalid):
        sheets.confirm(upload_id=again.pk, kind=KIND, actor=world.command)
    assert Incident.objects.count() == 2


def test_what_was_matched_once_is_offered_for_the_next_file_like_it(world, hotline):
    headings = ["甲", "乙", "丙"]
    taken = take(hotline, world.command, csv(["A-1", "桥头垃圾", "x"], headings=headings))
    assert taken.state == State.MATCHING
    assert hotline_sheet.offered(taken) == {}
    page = as_(world.command)
    here = f"/hotline/import/{taken.pk}/match/"
    assert page.post(here, {"number": "甲", "text": "甲"}).status_code == 422
    assert page.post(here, {"number": "甲"}).status_code == 422
    assert page.post(here, {"number": "甲", "text": "乙"}).status_code == 302
    sheets.work_due()
    taken.refresh_from_db()
    assert taken.counts["added"] == 1
    again = take(hotline, world.command, csv(["A-2", "桥头垃圾", "x"], headings=headings))
    assert hotline_sheet.offered(again) == {"number": "甲", "text": "乙"}
    other = System.objects.create(name="市平台")
    assert hotline_sheet.offered(take(other, world.command, csv(headings=headings))) == {}
    assert HotlineMapping.objects.count() == 1


def test_faults_are_told_row_by_row_and_the_others_go_on(world, hotline):
    shown = preview(
        hotline,
        world.command,
        csv(
            order("A-1"),
            order("A-1", "又一次"),
            order("", "没有编号"),
            order("A-3", ""),
            order("A-4", due="明天"),
            order("A-5", phone="未留"),
        ),
    )
    assert (shown.counts["added"], shown.counts["refused"]) == (2, 4)
    page = as_(world.command).get(f"/hotline/import/{shown.pk}/").content.decode()
    for told in ("第2行", "明天", "2026-03-01 18:00"):
        assert told in page
    assert (
        PHONE
        not in as_(world.command).get(f"/hotline/import/{shown.pk}/?outcome=added").content.decode()
    )
    done = save(shown, world.command)
    assert (done.result, Incident.objects.count()) == ({"cases_opened": 2}, 2)
    assert not ReporterContact.objects.get(incident__sent__external_id="A-5").phone


def test_an_order_that_came_by_another_way_meanwhile_is_left_alone(world, hotline):
    shown = preview(hotline, world.command, csv(order("A-1"), order("A-2")))
    other = preview(hotline, person(Role.COMMAND, world.county), csv(order("A-1")))
    save(other, other.owner)
    done = save(shown, world.command)
    assert done.result == {"cases_opened": 1}
    assert Incident.objects.count() == 2


def test_two_presses_save_once(world, hotline):
    shown = preview(hotline, world.command, csv(order("A-1")))
    sheets.confirm(upload_id=shown.pk, kind=KIND, actor=world.command)
    with pytest.raises(Conflict):
        sheets.confirm(upload_id=shown.pk, kind=KIND, actor=world.command)
    sheets.work_due()
    assert Incident.objects.count() == 1


@pytest.mark.parametrize(("days", "stricter"), [(2, True), (30, False)])
def test_the_files_deadline_counts_where_it_is_stricter(world, hotline, days, stricter):
    due = timezone.localtime() + timedelta(days=days)
    save(preview(hotline, world.command, csv(order("A-1", due=f"{due:%Y-%m-%d}"))), world.command)
    incident = Incident.objects.get()
    by = actor(world.command)
    dispatching.triage(incident_id=incident.pk, actor=by, category=world.rubbish, send=False)
    dispatching.dispatch(incident_id=incident.pk, actor=by, department=world.city)
    clock = incident.clocks.get(stage=Stage.RESOLVE)
    wanted = SentCase.objects.get().due_at
    assert timezone.localtime(wanted).strftime("%H:%M:%S") == "23:59:59"
    assert (clock.due_at == wanted) is stricter
    assert clock.due_at <= wanted


def test_results_go_back_by_work_order_number(world, hotline):
    save(preview(hotline, world.command, csv(order("A-1"), order("A-2"))), world.command)
    incident = Incident.objects.get(sent__external_id="A-1")
    by = actor(world.command)
    dispatching.triage(incident_id=incident.pk, actor=by, category=world.rubbish, send=False)
    dispatching.dispatch(incident_id=incident.pk, actor=by, department=world.city)
    handler = actor(world.city_handler)
    handling.accept(incident_id=incident.pk, actor=handler)
    handling.respond(incident_id=incident.pk, actor=handler, result="已清运完毕")
    today = timezone.localdate().isoformat()
    form = {"system": hotline.pk, "since": today, "until": today}
    answer = as_(world.command).post("/hotline/results/", form)
    book = CalamineWorkbook.from_filelike(io.BytesIO(answer.content))
    rows = book.get_sheet_by_index(0).to_python()
    assert [row[0] for row in rows[1:]] == ["A-1", "A-2"]
    assert rows[1][3] == "已清运完毕"
    assert PHONE not in str(rows)
    assert "赵某" not in str(rows)
    assert AuditEntry.objects.get(action="hotline.export").data["n"] == 2
    wrong = form | {"since": "2026-01-01"}
    assert as_(world.command).post("/hotline/results/", wrong).status_code == 422


def test_hostile_files_are_refused_before_they_are_read(world, hotline):
    with pytest.raises(BadUpload):
        take(hotline, world.command, b"\xd0\xcf\x11\xe0" + b"x" * 100)
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for place, cell in enumerate(["工单号", "诉求内容"]):
            sheet.write(0, place, cell)
        sheet.write_string(1, 0, "A-1")
        sheet.write_formula(1, 1, '=HYPERLINK("http://evil.example")')
    shown = preview(hotline, world.command, stream.getvalue())
    assert shown.counts["refused"] == 1
    page = as_(world.command)
    bad = SimpleUploadedFile("x.xls", b"\xd0\xcf\x11\xe0xxxx")
    answer = page.post("/hotline/import/", {"system": hotline.pk, "file": bad})
    assert answer.status_code == 422


def test_the_pages_are_the_command_centres(world, hotline):
    shown = preview(hotline, world.command, csv(order("A-1")))
    for other in (world.town_admin, world.city_handler, person(Role.SYSTEM_ADMIN, world.county)):
        for url in ("/hotline/", "/hotline/import/", f"/hotline/import/{shown.pk}/"):
            assert as_(other).get(url).status_code == 403
    neighbour = person(Role.COMMAND, world.county)
    assert as_(neighbour).get(f"/hotline/import/{shown.pk}/").status_code == 404
    assert as_(world.command).get("/hotline/").status_code == 200


KILLED_IN_THE_SECOND_BATCH = """
import os, signal
import django
django.setup()
from core.services import sheets
from incidents.services import hotline_sheet
hotline_sheet.BATCH = 2
taken = hotline_sheet.send_report
def send(**more):
    if more["external_id"] == "A-4":
        os.kill(os.getpid(), signal.SIGKILL)
    return taken(**more)
hotline_sheet.send_report = send
object.__setattr__(sheets._kinds["hotline_orders"], "batch", 2)
sheets.work_due()
"""


@pytest.mark.stack
@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_in_between_loses_no_order_and_doubles_none(world, hotline):
    data = csv(*(order(f"A-{n}") for n in range(1, 6)))
    shown = preview(hotline, world.command, data)
    sheets.confirm(upload_id=shown.pk, kind=KIND, actor=world.command)
    environment = os.environ | {"GESHI_TEST_DATABASE": connection.settings_dict["NAME"]}
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_IN_THE_SECOND_BATCH],
        env=environment,
        check=False,
        cwd=ROOT,
    )
    assert killed.returncode == -signal.SIGKILL
    assert Incident.objects.count() == 2, "the first batch stands, the second is taken back"
    shown.refresh_from_db()
    assert (shown.state, shown.done) == (State.CONFIRMED, 2)
    sheets.work_due()
    shown.refresh_from_db()
    assert (shown.state, shown.result) == (State.SAVED, {"cases_opened": 5})
    numbers = SentCase.objects.values_list("external_id", flat=True)
    assert sorted(numbers) == [f"A-{n}" for n in range(1, 6)]
