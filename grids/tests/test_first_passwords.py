"""First passwords for a batch: on paper only, once, for whoever brought the sheet in."""

from datetime import timedelta

import pypdfium2
import pytest
from django.contrib.auth.hashers import check_password
from django.test import Client
from django.utils import timezone

from core.models import AuditEntry, Paper
from core.services import papers
from grids.factories import person, post
from grids.models import Role, User
from grids.services import first_passwords
from grids.services.people import give_first_password
from grids.tests.test_roster_sheet import row, save, upload

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(county) -> User:
    return person(Role.TOWN_ADMIN, county.towns[0])


@pytest.fixture
def saved(county, admin):
    rows = [
        row("赵大力", "19900000001", grid=county.grids[0]),
        row("钱二", "19900000002", grid=county.grids[1]),
    ]
    return save(upload(rows, admin), admin)


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def address(saved) -> str:
    return f"/roster/import/{saved.pk}/passwords/"


def drawn(client: Client, saved) -> Paper:
    answer = client.post(address(saved))
    assert answer.status_code == 302
    papers.work_due()
    return Paper.objects.latest("made_at")


def words_of(pdf: bytes) -> list[str]:
    document = pypdfium2.PdfDocument(pdf)
    return [word for page in document for word in page.get_textpage().get_text_bounded().split()]


def test_everybody_added_gets_a_slip_that_signs_them_in_once(county, admin, saved):
    client = client_of(admin)
    page = client.get(f"/roster/import/{saved.pk}/").content.decode()
    assert address(saved) in page
    assert "赵大力" in client.get(address(saved)).content.decode()
    paper = drawn(client, saved)
    assert "可以打印" in client.get(f"/papers/{paper.pk}/").content.decode()
    answer = client.post(f"/papers/{paper.pk}/file/")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert "no-store" in answer.headers["Cache-Control"]
    words = words_of(answer.content)
    for name in ("赵大力", "钱二"):
        user = User.objects.get(display_name=name)
        assert name in words
        assert user.username in words
        mine = [word for word in words if check_password(word, user.password)]
        assert len(mine) == 1
        assert user.must_change_password
        assert Client().post("/login/", {"username": user.username, "password": mine[0]}).url


def test_it_is_on_record_without_a_password(county, admin, saved):
    client = client_of(admin)
    paper = drawn(client, saved)
    answer = client.post(f"/papers/{paper.pk}/file/")
    words = set(words_of(answer.content))
    given = AuditEntry.objects.filter(action="person.first_password")
    assert {entry.subject_id for entry in given} == set(
        User.objects.filter(display_name__in=["赵大力", "钱二"]).values_list("pk", flat=True)
    )
    assert {entry.town_id for entry in given} == {county.towns[0].pk}
    assert AuditEntry.objects.filter(action="paper.fetched", actor=admin).count() == 1
    kept = str(list(Paper.objects.values())) + str(list(AuditEntry.objects.values("data")))
    assert not [word for word in words if len(word) == 12 and word in kept]


def test_a_second_time_there_is_nobody_left(admin, saved):
    client = client_of(admin)
    drawn(client, saved)
    before = list(User.objects.values_list("pk", "password"))
    assert client.post(address(saved)).status_code == 409
    assert "都已有初始密码" in client.get(address(saved)).content.decode()
    assert address(saved) not in client.get(f"/roster/import/{saved.pk}/").content.decode()
    assert list(User.objects.values_list("pk", "password")) == before


def test_only_whoever_brought_the_sheet_in_prints_them(county, admin, saved):
    fellow = client_of(person(Role.TOWN_ADMIN, county.towns[0]))
    assert fellow.get(address(saved)).status_code == 404
    assert fellow.post(address(saved)).status_code == 404
    paper = drawn(client_of(admin), saved)
    assert fellow.get(f"/papers/{paper.pk}/").status_code == 404
    assert fellow.post(f"/papers/{paper.pk}/file/").status_code == 404


def test_the_paper_is_gone_within_the_hour(admin, saved, time_machine):
    client = client_of(admin)
    paper = drawn(client, saved)
    assert paper.expires_at - timezone.now() <= timedelta(hours=1)
    Paper.objects.update(expires_at=timezone.now())
    assert client.post(f"/papers/{paper.pk}/file/").status_code == 404


def test_whose_posts_the_admin_does_not_keep_gets_none(county, admin, saved):
    both = User.objects.get(display_name="赵大力")
    post(both, Role.COUNTY_LEADER, county.county)
    client = client_of(admin)
    assert "赵大力" not in client.get(address(saved)).content.decode()
    drawn(client, saved)
    both.refresh_from_db()
    assert not both.has_usable_password()
    assert User.objects.get(display_name="钱二").has_usable_password()


def test_a_right_lost_before_the_drawing_gives_nobody_a_password(admin, saved):
    client_of(admin).post(address(saved))
    day = timezone.localdate()
    admin.postings.update(valid_from=day - timedelta(days=9), valid_to=day)
    papers.work_due()
    assert Paper.objects.get().state == "failed"
    assert not User.objects.get(display_name="赵大力").has_usable_password()


def test_a_drawing_that_breaks_gives_nobody_a_password(admin, saved, monkeypatch):
    def broken(*_args, **_more):
        raise RuntimeError("the machine went away")

    client_of(admin).post(address(saved))
    monkeypatch.setattr("grids.services.first_passwords.slips_sheet", broken)
    papers.work_due()
    assert not User.objects.get(display_name="赵大力").has_usable_password()
    monkeypatch.undo()
    papers.work_due(now=timezone.now() + timedelta(minutes=5))
    assert Paper.objects.get().state == "ready"
    assert User.objects.get(display_name="赵大力").has_usable_password()


def test_who_was_given_one_meanwhile_keeps_it(admin, saved, monkeypatch):
    one = User.objects.get(display_name="赵大力")
    other = User.objects.get(display_name="钱二")
    draw = first_passwords.slips_sheet

    def meanwhile(*args, **more):
        give_first_password(person_id=one.pk, actor=admin)
        return draw(*args, **more)

    monkeypatch.setattr(first_passwords, "slips_sheet", meanwhile)
    client_of(admin).post(address(saved))
    papers.work_due()
    other.refresh_from_db()
    assert Paper.objects.get().state == "failed"
    assert not other.has_usable_password()


def test_slips_are_drawn_once_at_a_time(admin, saved):
    client = client_of(admin)
    assert client.post(address(saved)).status_code == 302
    assert client.post(address(saved)).status_code == 409
    assert Paper.objects.count() == 1


def test_a_sheet_that_is_not_saved_has_none(county, admin):
    taken = upload([row(grid=county.grids[0])], admin)
    assert client_of(admin).get(address(taken)).status_code == 404
