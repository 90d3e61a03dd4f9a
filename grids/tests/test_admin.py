"""Who opens what in the administration site."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client

from core.models import AuditEntry
from grids.factories import UserFactory, person, post
from grids.management.commands import create_admin, reset_account
from grids.models import Posting, Role, User


def staff(role: str, place) -> Client:
    user = person(role, place)
    User.objects.filter(pk=user.pk).update(is_staff=True)
    client = Client()
    client.force_login(User.objects.get(pk=user.pk))
    return client


@pytest.fixture
def administrator(county) -> Client:
    return staff(Role.SYSTEM_ADMIN, county.county)


PAGES = ["area", "areacode", "department", "user", "posting"]


@pytest.mark.parametrize("page", PAGES)
def test_the_system_administrator_opens_territory_and_people(administrator, page):
    assert administrator.get(f"/admin/grids/{page}/?q=1").status_code == 200


@pytest.mark.parametrize("page", ["department", "user", "posting"])
def test_the_system_administrator_may_add(administrator, page):
    assert administrator.get(f"/admin/grids/{page}/add/").status_code == 200


@pytest.mark.parametrize("role", [Role.COMMAND, Role.AUDIT_ADMIN, Role.SECURITY_ADMIN])
@pytest.mark.parametrize("page", PAGES)
def test_the_others_do_not(county, role, page):
    assert staff(role, county.county).get(f"/admin/grids/{page}/").status_code == 403


def test_the_audit_trail_is_for_the_audit_administrator_alone(county, administrator):
    auditor = staff(Role.AUDIT_ADMIN, county.county)
    assert auditor.get("/admin/core/auditentry/").status_code == 200
    assert administrator.get("/admin/core/auditentry/").status_code == 403


def test_lockouts_are_for_the_security_administrator(county, administrator):
    keeper = staff(Role.SECURITY_ADMIN, county.county)
    assert keeper.get("/admin/axes/accessattempt/").status_code == 200
    assert administrator.get("/admin/axes/accessattempt/").status_code == 403


def test_a_post_without_the_staff_mark_opens_nothing(client, county):
    client.force_login(person(Role.SYSTEM_ADMIN, county.county))
    assert client.get("/admin/grids/user/", follow=True).status_code == 403


def test_the_administration_site_has_no_login_page_of_its_own(client, db):
    asked = client.get("/admin/grids/user/", follow=True)
    assert asked.redirect_chain[-1][0] == "/login/?next=/admin/grids/user/"
    posted = client.post("/admin/login/", {"username": "x", "password": "y"})
    assert posted.url.startswith("/login/")


def test_a_post_that_ended_opens_nothing(county, time_machine):
    time_machine.move_to("2026-05-06 09:00+08:00", tick=False)
    client = staff(Role.SYSTEM_ADMIN, county.county)
    assert client.get("/admin/grids/user/").status_code == 200
    Posting.objects.update(valid_to="2026-05-06")
    assert client.get("/admin/grids/user/").status_code == 403


def test_an_area_is_looked_at_only(administrator, county):
    grid = county.grids[0]
    url = f"/admin/grids/area/{grid.pk}/"
    assert grid.name in administrator.get(f"{url}change/").content.decode()
    inline = {"codes-TOTAL_FORMS": 0, "codes-INITIAL_FORMS": 0}
    assert administrator.post(f"{url}change/", {"name": "新名", **inline}).status_code == 403
    assert administrator.get(f"{url}delete/").status_code == 403
    assert administrator.get("/admin/grids/area/add/").status_code == 403
    old_name = grid.name
    grid.refresh_from_db()
    assert grid.name == old_name


def test_nobody_is_deleted(administrator, county):
    someone = person(Role.GRID_WORKER, county.grids[0])
    assert administrator.get(f"/admin/grids/user/{someone.pk}/delete/").status_code == 403
    posting = someone.postings.get()
    assert administrator.get(f"/admin/grids/posting/{posting.pk}/delete/").status_code == 403


def test_an_account_is_made_without_flags_for_rights(administrator):
    data = {
        "username": "zhao",
        "display_name": "赵某",
        "password1": "copper-Bridge-58",
        "password2": "copper-Bridge-58",
        "is_superuser": "on",
    }
    assert administrator.post("/admin/grids/user/add/", data).status_code == 302
    made = User.objects.get(username="zhao")
    assert (made.is_superuser, made.is_staff) == (False, False)
    assert made.check_password("copper-Bridge-58")
    assert made.must_change_password
    page = administrator.get(f"/admin/grids/user/{made.pk}/change/").content.decode()
    assert "is_superuser" not in page
    assert "user_permissions" not in page


def post_in_admin(client: Client, user: User, role: str, **place) -> object:
    data = {"user": user.pk, "role": role, "valid_from": "2026-01-01", **place}
    return client.post("/admin/grids/posting/add/", data)


def test_a_posting_is_given_in_the_administration_site(administrator, county):
    someone = UserFactory()
    response = post_in_admin(administrator, someone, Role.TOWN_ADMIN, area=county.towns[0].pk)
    assert response.status_code == 302
    assert someone.postings.get().area == county.towns[0]
    assert AuditEntry.objects.filter(action="admin_added", subject_type="posting").exists()


def test_a_role_is_not_held_at_the_wrong_level(administrator, county):
    someone = UserFactory()
    response = post_in_admin(administrator, someone, Role.TOWN_ADMIN, area=county.county.pk)
    assert "不能任职于" in response.content.decode()
    assert not someone.postings.exists()


def test_nobody_posts_themselves(administrator, county):
    me = User.objects.get(pk=administrator.session["_auth_user_id"])
    response = post_in_admin(administrator, me, Role.COMMAND, area=county.county.pk)
    assert "任何人不得给自己任职" in response.content.decode()
    assert me.postings.count() == 1


KEEPER_ROLES = [Role.SYSTEM_ADMIN, Role.AUDIT_ADMIN, Role.SECURITY_ADMIN]


@pytest.mark.parametrize("role", KEEPER_ROLES)
def test_no_administrator_is_appointed_in_the_administration_site(administrator, county, role):
    someone = UserFactory()
    response = post_in_admin(administrator, someone, role, area=county.county.pk)
    assert "只能在服务器上任命" in response.content.decode()
    assert not someone.postings.exists()


@pytest.mark.parametrize("role", KEEPER_ROLES)
def test_the_post_and_account_of_an_administrator_are_out_of_reach(administrator, county, role):
    keeper = person(role, county.county)
    posting = keeper.postings.get()
    data = {"user": keeper.pk, "role": Role.COMMAND, "area": county.county.pk}
    data |= {"valid_from": posting.valid_from.isoformat(), "valid_to": "2026-11-01"}
    url = f"/admin/grids/posting/{posting.pk}/change/"
    assert administrator.post(url, data).status_code == 403
    account = {"username": "taken-over", "display_name": "某", "is_staff": ""}
    url = f"/admin/grids/user/{keeper.pk}/change/"
    assert administrator.post(url, account).status_code == 403
    assert keeper.postings.get().valid_to is None
    assert User.objects.filter(pk=keeper.pk, username=keeper.username).exists()


@pytest.mark.parametrize("role", KEEPER_ROLES)
def test_an_administrator_is_given_no_other_post(administrator, county, role):
    keeper = person(role, county.county)
    response = post_in_admin(administrator, keeper, Role.COMMAND, area=county.county.pk)
    assert "不得兼任其他岗位" in response.content.decode()
    assert keeper.postings.count() == 1


def test_the_system_administrator_sets_no_password_and_locks_nobody(administrator, county):
    worker = person(Role.GRID_WORKER, county.grids[0])
    before = User.objects.get(pk=worker.pk).password
    new = {"password1": "copper-Bridge-58", "password2": "copper-Bridge-58"}
    assert administrator.post(f"/admin/grids/user/{worker.pk}/password/", new).status_code == 403
    data = {"username": worker.username, "display_name": "改名", "password": "x"}
    assert administrator.post(f"/admin/grids/user/{worker.pk}/change/", data).status_code == 302
    after = User.objects.get(pk=worker.pk)
    assert (after.display_name, after.password, after.is_active) == ("改名", before, True)


def test_two_administrators_in_one_are_refused_by_the_database_too(county):
    auditor = person(Role.AUDIT_ADMIN, county.county)
    with pytest.raises(IntegrityError), transaction.atomic():
        post(auditor, Role.SECURITY_ADMIN, county.county)
    other_place = UserFactory()
    for role in (Role.GRID_WORKER, Role.GRID_CHIEF):
        post(other_place, role, county.grids[0])
    later = auditor.postings.get().valid_from + timedelta(days=30)
    auditor.postings.update(valid_to=later)
    post(auditor, Role.SECURITY_ADMIN, county.county, valid_from=later)


def test_the_audit_names_the_address_behind_our_own_proxy(administrator, county, settings):
    settings.TRUSTED_PROXIES = 1
    headers = {"X-Forwarded-For": "198.51.100.7"}
    data = {"user": UserFactory().pk, "role": Role.TOWN_ADMIN, "valid_from": "2026-01-01"}
    data["area"] = county.towns[0].pk
    assert administrator.post("/admin/grids/posting/add/", data, headers=headers).status_code == 302
    assert AuditEntry.objects.get(action="admin_added").ip == "198.51.100.7"


def answer(monkeypatch, *passwords: str) -> None:
    given = iter(passwords)
    monkeypatch.setattr(create_admin, "getpass", lambda _prompt: next(given))


def test_the_first_administrator_is_made_on_the_command_line(county, monkeypatch):
    answer(monkeypatch, "copper-Bridge-58", "copper-Bridge-58")
    call_command("create_admin", "root2")
    made = User.objects.get(username="root2")
    assert made.is_staff
    assert not made.is_superuser
    assert made.postings.get().role == Role.SYSTEM_ADMIN
    client = Client()
    client.post("/login/", {"username": "root2", "password": "copper-Bridge-58"})
    assert client.get("/admin/grids/posting/").url == "/password/"
    own = {"new_password1": "silver-Harbour-91", "new_password2": "silver-Harbour-91"}
    assert client.post("/password/", {"old_password": "copper-Bridge-58", **own}).status_code == 302
    assert client.get("/admin/grids/posting/").status_code == 200


@pytest.mark.parametrize("role", KEEPER_ROLES)
def test_each_of_the_three_is_made_on_the_command_line(county, monkeypatch, role):
    answer(monkeypatch, "copper-Bridge-58", "copper-Bridge-58")
    call_command("create_admin", "root3", role=role)
    assert User.objects.get(username="root3").postings.get().role == role


def test_an_administrator_who_lost_everything_is_reset_at_the_server(county, monkeypatch):
    keeper = person(Role.SECURITY_ADMIN, county.county)
    keeper.authenticators.create(kind="totp", name="app", secret="x")
    User.objects.filter(pk=keeper.pk).update(is_active=False)
    new = "copper-Bridge-58"
    monkeypatch.setattr(reset_account, "getpass", lambda _prompt: new)
    call_command("reset_account", keeper.username)
    keeper.refresh_from_db()
    assert keeper.check_password(new)
    assert (keeper.must_change_password, keeper.is_active) == (True, True)
    assert not keeper.authenticators.exists()
    assert AuditEntry.objects.filter(action="account.reset_at_server").exists()
    with pytest.raises(CommandError, match="没有这个用户名"):
        call_command("reset_account", "nobody")


@pytest.mark.parametrize(
    ("passwords", "reason"),
    [(("copper-Bridge-58", "other"), "不一致"), (("12345678", "12345678"), "password")],
)
def test_a_bad_password_makes_no_administrator(county, monkeypatch, passwords, reason):
    answer(monkeypatch, *passwords)
    with pytest.raises(CommandError, match=reason):
        call_command("create_admin", "root2")
    assert not User.objects.exists()


def test_without_a_county_there_is_no_administrator(db, monkeypatch):
    answer(monkeypatch, "copper-Bridge-58", "copper-Bridge-58")
    with pytest.raises(CommandError, match="import_areas"):
        call_command("create_admin", "root2")


def test_the_command_centre_keeps_the_catalogue_and_nothing_of_the_roster(county):
    client = staff(Role.COMMAND, county.county)
    for page in ("incidents/category", "core/calendaryear"):
        assert client.get(f"/admin/{page}/").status_code == 200, page
    assert client.get("/admin/grids/posting/").status_code == 403
