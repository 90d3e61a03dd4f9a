"""The roster's pages: the list, a person, sheets, and the border between towns."""

import io
import zipfile
from datetime import date, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from core.models import AuditEntry, SheetUpload
from core.services import sheets
from grids.factories import SmallCounty, UserFactory, person, post, small_county
from grids.models import GridWithoutChief, Role, User
from grids.services.people import PersonFields, Post, add_person
from grids.tests.test_roster_sheet import id_number, row, sheet

DAY = timedelta(days=1)


@pytest.fixture
def county(db) -> SmallCounty:
    return small_county()


@pytest.fixture
def admin(county) -> User:
    return person(Role.TOWN_ADMIN, county.towns[0])


@pytest.fixture
def town(admin) -> Client:
    return signed_in(admin)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def worker(county, actor, name="王小明", grid=0) -> User:
    return add_person(
        fields=PersonFields(name, "19900001234", id_number(1)),
        post=Post(Role.GRID_WORKER, county.grids[grid], date(2026, 1, 1), worker_kind="full_time"),
        actor=actor,
    )


def text(response) -> str:
    return response.content.decode()


def test_the_list_has_the_town_and_nobody_else(county, admin, town):
    worker(county, admin)
    theirs = person(Role.GRID_WORKER, county.grids[-1])
    page = text(town.get("/roster/"))
    assert "王小明" in page
    assert theirs.display_name not in page
    assert "199****1234" in page
    assert "19900001234" not in page


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("search=小明", True),
        ("search=19900001234", True),
        ("search=" + id_number(1), True),
        ("search=1990000", False),
        ("role=grid_worker", True),
        ("role=grid_chief", False),
        ("worker_kind=part_time", False),
        ("standing=ended", False),
        ("standing=leave", False),
        ("standing=all", True),
    ],
)
def test_the_list_is_narrowed(county, admin, town, asked, found):
    worker(county, admin)
    assert ("王小明" in text(town.get(f"/roster/?{asked}"))) is found


def test_a_filter_by_another_towns_place_finds_nothing_of_it(county, admin, town):
    theirs = person(Role.GRID_WORKER, county.grids[-1])
    page = text(town.get(f"/roster/?place={county.towns[1].code}&search={theirs.username}"))
    assert theirs.display_name not in page
    assert "辖区内没有" in page


def test_the_list_costs_the_same_however_long(county, admin, town, django_assert_max_num_queries):
    for n in range(12):
        post(UserFactory(), Role.GRID_WORKER, county.grids[n % 4])
    with django_assert_max_num_queries(9):
        town.get("/roster/")


def test_a_person_of_another_town_is_not_there(county, admin, town):
    theirs = person(Role.GRID_WORKER, county.grids[-1])
    posting = theirs.postings.get()
    for path in ("", "do/change/", f"do/end/?of={posting.pk}", "do/appoint/"):
        assert town.get(f"/roster/{theirs.pk}/{path}").status_code == 404
    assert town.post(f"/roster/{theirs.pk}/password/").status_code == 404
    assert town.post(f"/roster/{theirs.pk}/do/end/", {"of": posting.pk}).status_code == 404


def test_a_posting_of_another_person_or_town_is_not_reached_through_ones_own(county, admin, town):
    mine = worker(county, admin)
    theirs = person(Role.GRID_WORKER, county.grids[-1]).postings.get()
    assert town.get(f"/roster/{mine.pk}/do/end/?of={theirs.pk}").status_code == 404


def test_a_new_person_is_put_in_by_code_or_name_of_the_place(county, town):
    given = {
        "name": "王小明",
        "phone": "19900001234",
        "role": "grid_worker",
        "worker_kind": "full_time",
        "valid_from": "2026-03-01",
    }
    assert town.post("/roster/new/", given | {"place": "第1网格"}).status_code == 422
    assert town.post("/roster/new/", given | {"place": county.grids[-1].code}).status_code == 422
    answer = town.post("/roster/new/", given | {"place": county.grids[0].code})
    assert answer.status_code == 302
    assert User.objects.get(display_name="王小明").postings.get().area == county.grids[0]


def test_bad_input_comes_back_whole(county, town):
    answer = town.post("/roster/new/", {"name": "王小明", "phone": "12", "role": "grid_worker"})
    assert answer.status_code == 422
    assert 'value="王小明"' in text(answer)


def test_the_acts_of_a_person(county, admin, town):
    user = worker(county, admin)
    posting = user.postings.get()
    page = f"/roster/{user.pk}/"
    today = timezone.localdate()
    substitute = person(Role.GRID_WORKER, county.grids[1])
    leave = {
        "of": posting.pk,
        "away_from": today,
        "last_day": today + 5 * DAY,
        "substitute": substitute.username,
    }
    assert town.post(f"{page}do/leave/", leave).status_code == 302
    assert "代理" in text(town.get(page))
    away = posting.leaves.get()
    assert town.get("/roster/?standing=leave").status_code == 200
    assert "王小明" in text(town.get("/roster/?standing=leave"))
    back = {"of": away.pk, "day": today + DAY}
    assert town.post(f"{page}do/back/", back).status_code == 302
    seen = town.get(f"{page}do/change/").context["seen"]
    change = {"name": "王晓明", "phone": "", "id_number": "", "seen": seen}
    assert town.post(f"{page}do/change/", change).status_code == 302
    assert town.post(f"{page}do/change/", change | {"name": "王大明"}).status_code == 409
    user.refresh_from_db()
    assert (user.display_name, user.phone, user.id_number) == (
        "王晓明",
        "19900001234",
        id_number(1),
    )
    move = {
        "of": posting.pk,
        "role": "grid_worker",
        "worker_kind": "part_time",
        "place": county.grids[1].code,
        "valid_from": today,
    }
    assert town.post(f"{page}do/transfer/", move).status_code == 302
    new = user.postings.get(valid_to=None)
    end = {"of": new.pk, "last_day": today}
    assert town.post(f"{page}do/end/", end).status_code == 302
    assert town.post(f"{page}do/end/", end).status_code == 409
    assert user.postings.count() == 2


def test_a_first_password_is_shown_once_and_must_be_changed(county, admin, town):
    user = worker(county, admin)
    password = town.post(f"/roster/{user.pk}/password/").context["password"]
    user.refresh_from_db()
    assert user.check_password(password)
    assert user.must_change_password
    assert password not in text(town.get(f"/roster/{user.pk}/"))
    assert AuditEntry.objects.filter(action="person.first_password", subject_id=user.pk).exists()


def test_an_id_number_is_shown_to_its_keeper_on_a_reason_and_to_nobody_else(county, admin, town):
    user = worker(county, admin)
    shown = f"/reveal/user/{user.pk}/id_number/"
    assert id_number(1) not in text(town.get(f"/roster/{user.pk}/"))
    assert id_number(1) in text(town.post(shown, {"reason": "核对证件"}))
    assert AuditEntry.objects.filter(action="reveal.id_number", subject_id=user.pk).exists()
    chief = signed_in(person(Role.GRID_CHIEF, county.grids[0]))
    assert chief.post(shown, {"reason": "看看"}).status_code == 403
    other = signed_in(person(Role.TOWN_ADMIN, county.towns[1]))
    assert other.post(shown, {"reason": "看看"}).status_code == 404


def test_a_town_gives_no_password_to_its_fellow_admin(county, admin, town):
    fellow = person(Role.TOWN_ADMIN, county.towns[0])
    assert town.post(f"/roster/{fellow.pk}/password/").status_code == 403
    assert town.post(f"/roster/{admin.pk}/password/").status_code == 403


def test_the_system_administrator_looks_but_changes_nothing(county, admin):
    user = worker(county, admin)
    system = signed_in(person(Role.SYSTEM_ADMIN, county.county))
    page = text(system.get(f"/roster/{user.pk}/"))
    assert "19900001234" not in page
    assert system.get(f"/roster/{user.pk}/do/change/").status_code == 403
    assert system.post("/roster/import/").status_code == 403


def test_grids_without_a_chief_are_listed_and_marked(county, town):
    person(Role.GRID_CHIEF, county.grids[0])
    page = text(town.get("/roster/chiefless/"))
    assert county.grids[0].code not in page
    assert county.grids[1].code in page
    assert county.grids[-1].code not in page
    marked = {"grid": county.grids[1].code, "no_chief_reason": "待选任"}
    assert town.post("/roster/chiefless/", marked).status_code == 302
    assert GridWithoutChief.objects.get().reason == "待选任"
    theirs = {"grid": county.grids[-1].code, "no_chief_reason": "待选任"}
    assert town.post("/roster/chiefless/", theirs).status_code == 404


# Out and in.


def cells_of(response) -> str:
    data = b"".join(response.streaming_content) if response.streaming else response.content
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        names = [name for name in book.namelist() if "sharedStrings" in name]
        return book.read(names[0]).decode()


def test_an_export_is_masked_scoped_and_defused(county, admin, town):
    user = worker(county, admin, name="=HYPERLINK(1)")
    theirs = person(Role.GRID_WORKER, county.grids[-1])
    told = cells_of(town.get("/roster/export/"))
    assert "&#39;=HYPERLINK(1)" in told or "'=HYPERLINK(1)" in told
    assert "199****1234" in told
    assert "19900001234" not in told
    assert theirs.display_name not in told
    assert user.username in told


def test_whole_numbers_go_out_on_a_reason_only_and_on_record(county, admin, town):
    worker(county, admin)
    assert "19900001234" not in cells_of(town.post("/roster/export/", {"reason": " "}))
    assert "19900001234" in cells_of(town.post("/roster/export/", {"reason": "统一换卡"}))
    assert AuditEntry.objects.get(action="reveal.roster").data["reason"] == "统一换卡"
    system = signed_in(person(Role.SYSTEM_ADMIN, county.county))
    assert "19900001234" not in cells_of(system.post("/roster/export/", {"reason": "统一换卡"}))


def test_whole_numbers_go_out_only_of_those_whose_every_post_one_keeps(county, admin, town):
    both = worker(county, admin)
    post(both, Role.COUNTY_LEADER, county.county)
    told = cells_of(town.post("/roster/export/", {"reason": "统一换卡"}))
    assert "王小明" in told
    assert "19900001234" not in told
    assert id_number(1) not in told


def test_an_export_has_the_posts_the_list_is_narrowed_to(county, admin, town):
    one = worker(county, admin)
    post(one, Role.GRID_GUIDE, county.villages[0])
    post(one, Role.GRID_WORKER, county.grids[2], worker_kind="part_time")
    told = cells_of(town.get("/roster/export/?worker_kind=part_time"))
    assert county.grids[2].code in told
    assert county.grids[0].code not in told


def test_an_export_too_long_for_a_sheet_is_refused_in_words(county, admin, town, monkeypatch):
    monkeypatch.setattr("grids.services.roster_export.MAX_ROWS", 1)
    worker(county, admin)
    answer = town.get("/roster/export/?standing=all", follow=True)
    assert answer.redirect_chain[0][0] == "/roster/?standing=all"
    assert "筛选" in text(answer)


def test_what_was_exported_comes_back_unchanged(county, admin, town):
    worker(county, admin)
    person(Role.GRID_CHIEF, county.grids[1])
    data = town.get("/roster/export/?standing=all").content
    taken = send(town, data)
    assert taken.counts["unchanged"] == 2, [line.faults for line in sheets.lines_of(taken)]
    # The admin's own row is nobody's to change.
    assert taken.counts["refused"] == 1


def send(client: Client, data: bytes, name: str = "花名册.xlsx") -> SheetUpload:
    answer = client.post("/roster/import/", {"file": SimpleUploadedFile(name, data)})
    assert answer.status_code == 302, text(answer)
    sheets.work_due()
    return SheetUpload.objects.get(pk=answer.url.rstrip("/").rsplit("/", 1)[1])


def test_the_template_has_drop_downs_and_the_towns_codes_only(county, town):
    answer = town.get("/roster/import/template/")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
        rules = book.read("xl/worksheets/sheet1.xml").decode()
    assert rules.count('<dataValidation type="list"') == 2
    assert "专职,兼职,专属,辅助" in rules
    told = cells_of(answer)
    assert county.grids[0].code in told
    assert county.grids[-1].code not in told
    assert "系统管理员" not in told


def test_a_sheet_from_upload_to_the_result(county, admin, town):
    taken = send(
        town, sheet([row("赵大力", grid=county.grids[0]), row("王二", "12", grid=county.grids[0])])
    )
    page = f"/roster/import/{taken.pk}/"
    shown = text(town.get(page))
    assert "C3 手机号" in shown
    assert "11 位" in shown
    errors = cells_of(town.get(f"{page}errors/"))
    assert "王二" in errors
    assert "赵大力" not in errors
    assert town.post(f"{page}confirm/").status_code == 302
    assert town.post(f"{page}confirm/").status_code == 409
    assert 'hx-trigger="every 1s"' in text(town.get(page))
    sheets.work_due()
    assert "已保存" in text(town.get(page))
    assert User.objects.filter(display_name="赵大力").exists()


def test_the_file_of_errors_comes_back_once_it_is_put_right(county, admin, town):
    taken = send(town, sheet([row("王二", "12", grid=county.grids[0])]))
    data = town.get(f"/roster/import/{taken.pk}/errors/").content
    again = send(town, data)
    assert again.counts["refused"] == 1
    assert any("原文件行号" in notice for notice in again.notices)


def test_nobody_opens_anothers_sheet(county, admin, town):
    taken = send(town, sheet([row(grid=county.grids[0])]))
    other = signed_in(person(Role.TOWN_ADMIN, county.towns[0]))
    page = f"/roster/import/{taken.pk}/"
    assert other.get(page).status_code == 404
    assert other.get(f"{page}errors/").status_code == 404
    for act in ("confirm", "again", "discard"):
        assert other.post(f"{page}{act}/").status_code == 404


def test_a_bad_file_is_refused_on_the_spot_or_after_reading(county, town):
    answer = town.post(
        "/roster/import/", {"file": SimpleUploadedFile("a.xlsx", b"\xd0\xcf\x11\xe0")}
    )
    assert answer.status_code == 422
    assert town.post("/roster/import/").status_code == 422
    taken = send(town, "没有表头\n".encode("gbk"), "a.csv")
    assert taken.state == "unreadable"
    assert "缺少这些列" in text(town.get(f"/roster/import/{taken.pk}/"))


def test_a_sheet_is_thrown_away(county, town):
    taken = send(town, sheet([row(grid=county.grids[0])]))
    assert town.post(f"/roster/import/{taken.pk}/discard/").status_code == 302
    assert not SheetUpload.objects.exists()
