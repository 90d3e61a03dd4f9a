"""Who looked at whom, and the trail: each reads what is theirs, a page costs the same for ever."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from core.audit_words import actions
from core.models import AuditEntry
from core.services.audit import record
from core.services.sealing import seal, verify
from grids.factories import SmallCounty, UserFactory, person
from grids.models import Role, User
from grids.queries import place_of_area
from grids.queries.looks import first_id
from grids.views import looks

REVEALS, TRAIL, FILE = "/audit/reveals/", "/audit/", "/audit/audit.csv"


def page(user: User, url: str, **query) -> str:
    client = Client()
    client.force_login(user)
    answer = client.get(url, query)
    assert answer.status_code == 200
    if answer.streaming:
        return b"".join(answer.streaming_content).decode()
    return answer.content.decode()


def looked(whom: User, area, reason: str, by: User | None = None) -> AuditEntry:
    return record(
        actor=by or UserFactory(),
        action="reveal.phone",
        subject_type="user",
        subject_id=whom.pk,
        data={"reason": reason},
        place=place_of_area(area),
    )


@pytest.fixture
def seen(county: SmallCounty) -> User:
    """A worker of the first grid whose phone, and those of two others elsewhere, were seen."""
    worker = person(Role.GRID_WORKER, county.grids[0])
    looked(worker, county.grids[0], "第一网格理由")
    looked(UserFactory(), county.grids[1], "同村邻格理由")
    looked(UserFactory(), county.grids[-1], "外乡理由")
    return worker


@pytest.mark.parametrize(
    ("role", "place", "reads"),
    [
        (Role.AUDIT_ADMIN, "county", 3),
        (Role.COMMAND, "county", 3),
        (Role.TOWN_ADMIN, "town", 2),
        (Role.VILLAGE_OFFICE, "village", 2),
        (Role.GRID_GUIDE, "village", 2),
        (Role.GRID_CHIEF, "grid", 1),
    ],
)
def test_the_line_reads_who_looked_in_its_place(county, seen, role, place, reads):
    places = {"county": county.county, "town": county.towns[0], "village": county.villages[0]}
    places["grid"] = county.grids[0]
    shown = page(person(role, places[place]), REVEALS)
    told = ["第一网格理由", "同村邻格理由", "外乡理由"]
    assert [reason in shown for reason in told] == [n < reads for n in range(3)]


@pytest.mark.parametrize("role", [Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.COUNTY_LEADER])
def test_the_others_do_not(county, role):
    client = Client()
    client.force_login(person(role, county.county))
    for url in (REVEALS, TRAIL, FILE):
        assert client.get(url).status_code == 403


def test_everybody_reads_who_looked_at_them_and_nothing_else(seen):
    shown = page(seen, "/account/looks/")
    assert "第一网格理由" in shown
    assert "查看电话" in shown
    assert "同村邻格理由" not in shown


def test_looks_are_found_by_whoever_looked_and_by_day(county, seen):
    nosy = UserFactory(username="nosy")
    looked(seen, county.grids[0], "好奇", by=nosy)
    auditor = person(Role.AUDIT_ADMIN, county.county)
    shown = page(auditor, REVEALS, actor="nosy")
    assert "好奇" in shown
    assert "外乡理由" not in shown
    assert "好奇" not in page(auditor, REVEALS, actor="nobody")
    today = timezone.localdate()
    assert "好奇" in page(auditor, REVEALS, since=today, until=today)
    assert "好奇" not in page(auditor, REVEALS, until=today - timedelta(days=1))
    assert "好奇" in page(auditor, REVEALS, since="not a day")


def test_a_page_of_looks_holds_to_its_queries(county, seen, django_assert_max_num_queries):
    for n in range(60):
        looked(seen, county.grids[0], f"理由{n}")
    for role, place in ((Role.AUDIT_ADMIN, county.county), (Role.TOWN_ADMIN, county.towns[0])):
        client = Client()
        client.force_login(person(role, place))
        with django_assert_max_num_queries(9):
            shown = client.get(REVEALS).content.decode()
        assert shown.count("<time datetime") == 50
        assert "cursor=" in shown


# ---------- the trail


def test_the_auditor_reads_all_in_words_with_seal_and_verification(county, seen):
    auditor = person(Role.AUDIT_ADMIN, county.county)
    before = page(auditor, TRAIL)
    assert "尚未校验" in before
    assert "数秒内封存" in before
    seal()
    verify()
    shown = page(auditor, TRAIL)
    assert "校验通过" in shown
    assert "数秒内封存" not in shown
    assert f"({seen.username})" in shown


def test_a_fault_stands_on_top(county, seen):
    seal()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE core_auditentry DISABLE TRIGGER USER")
        cursor.execute("UPDATE core_auditentry SET action = 'reveal.reporter'")
        cursor.execute("ALTER TABLE core_auditentry ENABLE TRIGGER USER")
    verify()
    assert "最近一次校验发现问题" in page(person(Role.AUDIT_ADMIN, county.county), TRAIL)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"action": "reveal.phone"}, 3),
        ({"action": "posting.open"}, 1),
        ({"action": "'; drop", "kind": "user"}, 4),
        ({"kind": "user"}, 4),
        ({"kind": "user", "subject": "x"}, 4),
        ({"kind": "user", "since": "2020-01-01", "until": "2020-01-02"}, 0),
        ({"actor": "a\0b"}, 0),
        ({"actor": "inspector"}, 1),
    ],
)
def test_the_trail_is_filtered(county, seen, query, found):
    inspector = UserFactory(username="inspector")
    record(actor=inspector, action="posting.open", subject_type="user", subject_id=seen.pk)
    shown = page(person(Role.AUDIT_ADMIN, county.county), TRAIL, **query)
    assert shown.count("<time datetime") == found


def test_the_town_reads_its_own_and_no_further(county, seen):
    town = person(Role.TOWN_ADMIN, county.towns[0])
    shown = page(town, TRAIL)
    assert shown.count("<time datetime") == 2
    other = str(county.towns[1].pk)
    assert page(town, TRAIL, town=other).count("<time datetime") == 0
    lines = page(town, FILE).splitlines()
    assert len(lines) == 3


def test_the_file_is_harmless_to_spreadsheets_and_on_record(county):
    wicked = UserFactory(display_name="=HYPERLINK(1)")
    record(actor=wicked, action="posting.open", subject_type="user", subject_id=wicked.pk)
    auditor = person(Role.AUDIT_ADMIN, county.county)
    body = page(auditor, FILE, action="posting.open")
    assert body.startswith("\ufeff")
    assert ",'=HYPERLINK(1)" in body
    assert ",=HYPERLINK" not in body
    entry = AuditEntry.objects.get(action="audit.exported")
    assert entry.data == {"filter": {"action": "posting.open"}}


def test_a_file_that_is_not_whole_says_so_in_its_last_line(county, seen, monkeypatch):
    auditor = person(Role.AUDIT_ADMIN, county.county)
    monkeypatch.setattr(looks, "EXPORTED_AT_MOST", 2)
    short = page(auditor, FILE, kind="user").splitlines()
    assert len(short) == 4
    assert "最新的 2 条" in short[-1]
    monkeypatch.setattr(looks, "EXPORTED_AT_MOST", 3)
    assert "最新的" not in page(auditor, FILE, kind="user")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"until": "9999-12-31"}, "到"),
        ({"since": "0001-01-01"}, "从"),
        ({"since": "yesterday"}, "从"),
        ({"subject": "x"}, "编号"),
        ({"subject": "9" * 30}, "编号"),
        ({"action": "'; drop"}, "事项"),
    ],
)
def test_what_is_not_understood_is_named_and_left_out(county, seen, query, field):
    auditor = person(Role.AUDIT_ADMIN, county.county)
    everything = page(auditor, TRAIL)
    shown = page(auditor, TRAIL, **query)
    assert shown.count("<time datetime") == everything.count("<time datetime")
    told = shown.split("查询时未采用：")[1].split("<")[0]
    assert told.startswith(f"“{field}”")
    assert "查询时未采用" not in everything
    if {"since", "until"} & set(query):
        assert "查询时未采用" in page(auditor, REVEALS, **query)


def test_the_town_reads_what_the_administration_site_did_to_its_posts(county):
    clerk = person(Role.TOWN_ADMIN, county.towns[0])
    theirs, ours = (person(Role.GRID_WORKER, county.grids[n]) for n in (-1, 0))
    for worker in (theirs, ours):
        posting = worker.postings.get()
        record(actor=None, action="admin_changed", subject_type="posting", subject_id=posting.pk)
    shown = page(clerk, TRAIL)
    assert f"{ours} · 网格员" in shown
    assert f"{theirs} · 网格员" not in shown


def test_the_first_id_of_a_moment_is_found_by_halving(county, time_machine):
    ids = []
    for hour in range(10):
        time_machine.move_to(f"2027-05-06 {hour:02}:00+08:00", tick=False)
        ids.append(record(actor=None, action="posting.open", subject_type="user").pk)
    now = timezone.now()
    assert first_id(now - timedelta(hours=4, minutes=30)) <= ids[5]
    assert first_id(now - timedelta(hours=4, minutes=30)) > ids[4]
    assert first_id(now + timedelta(days=1)) == ids[-1] + 1
    assert first_id(now - timedelta(days=900)) <= ids[0]


def test_a_page_of_the_trail_holds_to_its_queries(county, seen, django_assert_max_num_queries):
    for n in range(60):
        looked(seen, county.grids[0], f"理由{n}")
    client = Client()
    client.force_login(person(Role.AUDIT_ADMIN, county.county))
    today = timezone.localdate()
    with django_assert_max_num_queries(13):
        client.get(TRAIL, {"since": today, "until": today, "actor": "nobody"})
    with django_assert_max_num_queries(11):
        client.get(TRAIL)


def test_every_act_has_chinese_words(db):
    for action, words in actions().items():
        assert any("\u4e00" <= sign <= "\u9fff" for sign in words), action
