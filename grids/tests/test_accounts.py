"""First passwords, sessions, and who may do what to whose account."""

from datetime import timedelta

import pytest
from axes.models import AccessLog
from django.contrib.auth import get_user
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.models import AuditEntry
from grids.factories import PASSWORD, UserFactory, person, post
from grids.models import Posting, Role, User, UserSession
from grids.services import accounts, people, sessions
from grids.services.accounts import Act
from grids.views.account import device_words

NEW = "copper-Bridge-58"


def sign_in(user: User, password: str = PASSWORD, **extra) -> Client:
    client = Client()
    client.post("/login/", {"username": user.username, "password": password}, **extra)
    assert get_user(client) == user
    return client


def change(client: Client, old: str, new: str):
    data = {"old_password": old, "new_password1": new, "new_password2": new}
    return client.post("/password/", data)


# ---------- a first password


@pytest.fixture
def fresh(county) -> User:
    worker = person(Role.GRID_WORKER, county.grids[0])
    User.objects.filter(pk=worker.pk).update(must_change_password=True)
    return worker


@pytest.mark.parametrize("page", ["/worker/", "/account/", "/worker/report/", "/account/looks/"])
def test_with_a_first_password_only_its_change_is_open(fresh, page):
    client = sign_in(fresh)
    assert client.get(page).url == "/password/"
    assert client.post(page).url == "/password/"
    assert client.get("/password/").status_code == 200
    assert client.post("/logout/").status_code == 302


def test_with_a_first_password_the_api_says_why_not(fresh):
    told = sign_in(fresh).get("/api/v1/me/")
    assert (told.status_code, told.json()["code"]) == (403, "password_change_needed")


def test_the_new_password_is_another_and_opens_the_desk(fresh):
    client = sign_in(fresh)
    same = change(client, PASSWORD, PASSWORD)
    assert "不能与原密码相同" in same.content.decode()
    assert change(client, PASSWORD, NEW).url == "/"
    assert client.get("/worker/").status_code == 200
    assert AuditEntry.objects.filter(action="account.password_changed", actor=fresh).exists()


# ---------- sessions


def test_each_sign_in_is_listed_and_one_or_all_others_are_ended(county):
    worker = person(Role.GRID_WORKER, county.grids[0])
    phone = "Mozilla/5.0 (Linux; Android 14) AppleWebKit Chrome/120.0 Mobile Safari/537.36"
    here = sign_in(worker)
    there = sign_in(worker, headers={"User-Agent": phone}, REMOTE_ADDR="192.0.2.7")
    third = sign_in(worker)
    page = here.get("/account/").content.decode()
    assert "Chrome · Android" in page
    assert "192.0.2.7" in page
    key = there.cookies["sessionid"].value
    assert key not in page
    here.post("/account/sessions/end/", {"session": sessions.public_name(key)})
    assert there.get("/worker/").status_code == 302
    assert third.get("/worker/").status_code == 200
    here.post("/account/sessions/end/")
    assert third.get("/worker/").status_code == 302
    assert here.get("/worker/").status_code == 200
    assert UserSession.objects.filter(user=worker).count() == 1


def test_nobody_ends_the_session_of_another(county):
    mine, theirs = (person(Role.GRID_WORKER, county.grids[0]) for _ in range(2))
    other = sign_in(theirs)
    name = sessions.public_name(other.cookies["sessionid"].value)
    sign_in(mine).post("/account/sessions/end/", {"session": name})
    assert other.get("/worker/").status_code == 200


def test_a_session_ended_is_gone_from_database_and_cache(county):
    worker = person(Role.GRID_WORKER, county.grids[0])
    client = sign_in(worker)
    sessions.end(users=[worker.pk])
    assert not Session.objects.exists()
    cache.clear()
    assert client.get("/worker/").url.startswith("/login/")


def test_a_new_password_ends_the_other_sessions_and_keeps_this(county):
    worker = person(Role.GRID_WORKER, county.grids[0])
    here, there = sign_in(worker), sign_in(worker)
    change(here, PASSWORD, NEW)
    assert here.get("/worker/").status_code == 200
    assert there.get("/worker/").status_code == 302
    assert UserSession.objects.get().session_key == here.cookies["sessionid"].value


def test_signing_out_forgets_the_session(county):
    client = sign_in(person(Role.GRID_WORKER, county.grids[0]))
    client.post("/logout/")
    assert not UserSession.objects.exists()


def test_the_end_of_the_last_post_ends_the_sessions(county):
    town = person(Role.TOWN_ADMIN, county.towns[0])
    worker = person(Role.GRID_WORKER, county.grids[0])
    second = Posting.objects.create(user=worker, role=Role.GRID_WORKER, area=county.grids[1])
    client = sign_in(worker)
    today = timezone.localdate()
    people.end_posting(posting_id=second.pk, day=today, actor=town)
    assert client.get("/worker/").status_code == 200
    people.end_posting(posting_id=worker.postings.order_by("pk")[0].pk, day=today, actor=town)
    assert client.get("/worker/").status_code == 302
    assert not UserSession.objects.exists()


def test_being_seen_costs_one_statement_a_minute(county, monkeypatch):
    client = sign_in(person(Role.GRID_WORKER, county.grids[0]))
    client.get("/account/looks/")

    def writes() -> int:
        with CaptureQueriesContext(connection) as asked:
            client.get("/account/looks/")
        return sum("INSERT INTO grids_usersession" in q["sql"] for q in asked.captured_queries)

    assert writes() == 0
    now = sessions.monotonic()
    monkeypatch.setattr(sessions, "monotonic", lambda: now + 61)
    assert (writes(), writes()) == (1, 0)


def test_sessions_that_ran_out_are_forgotten(county, settings, time_machine):
    time_machine.move_to("2027-05-06 09:00+08:00", tick=False)
    sign_in(person(Role.GRID_WORKER, county.grids[0]))
    time_machine.shift(settings.SESSION_COOKIE_AGE + 1)
    assert sessions.tidy() == 1


def test_a_session_ends_on_time_however_much_it_is_used(county, settings, time_machine):
    time_machine.move_to("2027-05-06 09:00+08:00", tick=False)
    client = sign_in(person(Role.GRID_WORKER, county.grids[0]))
    for _ in range(11):
        time_machine.shift(settings.SESSION_COOKIE_AGE / 12)
        assert client.get("/account/app/").status_code == 200  # writes to the session
    time_machine.shift(settings.SESSION_COOKIE_AGE / 12 + 1)
    cache.clear()  # Redis has a clock of its own
    assert client.get("/account/").url.startswith("/login/")


def test_who_signed_in_is_kept_for_half_a_year_and_no_longer(county, time_machine):
    time_machine.move_to("2027-01-06 09:00+08:00", tick=False)
    sign_in(person(Role.GRID_WORKER, county.grids[0]))
    time_machine.move_to("2027-07-06 09:00+08:00", tick=False)
    sessions.tidy()
    assert AccessLog.objects.exists()
    time_machine.move_to("2027-08-06 09:00+08:00", tick=False)
    sessions.tidy()
    assert not AccessLog.objects.exists()


def test_a_process_remembers_some_sessions_only(monkeypatch):
    monkeypatch.setattr(sessions, "_seen", {str(n): float(n) for n in range(7)})
    monkeypatch.setattr(sessions, "REMEMBERED", 6)
    sessions._forget_old()
    assert list(sessions._seen) == ["3", "4", "5", "6"]


@pytest.mark.parametrize("agent", ["", "curl/8", "x" * 500])
def test_odd_browsers_sign_in_like_others(county, agent):
    sign_in(person(Role.GRID_WORKER, county.grids[0]), headers={"User-Agent": agent})
    assert len(device_words(agent)) <= 40


# ---------- others' accounts

ALL = frozenset(Act)
WHAT = {
    Role.SYSTEM_ADMIN: dict.fromkeys(("keeper", "county", "town", "next town"), frozenset()),
    Role.AUDIT_ADMIN: dict.fromkeys(("keeper", "county", "town", "next town"), frozenset()),
    Role.SECURITY_ADMIN: {
        "keeper": frozenset({Act.LOCK, Act.SESSIONS}),
        "county": ALL,
        "town": ALL,
        "next town": ALL,
    },
    Role.TOWN_ADMIN: {
        "keeper": frozenset(),
        "county": frozenset(),
        "town": frozenset({Act.PASSWORD, Act.SESSIONS}),
        "next town": frozenset(),
    },
    Role.VILLAGE_OFFICE: dict.fromkeys(("keeper", "county", "town", "next town"), frozenset()),
}


@pytest.mark.parametrize("role", WHAT)
def test_what_each_may_do_to_each(county, role):
    places = {Role.TOWN_ADMIN: county.towns[0], Role.VILLAGE_OFFICE: county.villages[0]}
    actor = person(role, places.get(role, county.county))
    scope = accounts.Scope.for_user(actor)
    others = {
        "county": [person(Role.COMMAND, county.county)],
        "town": [person(Role.GRID_WORKER, county.grids[0])],
        "next town": [person(Role.GRID_WORKER, county.grids[-1])],
        "keeper": [
            person(keeper, county.county)
            for keeper in (Role.SYSTEM_ADMIN, Role.AUDIT_ADMIN, Role.SECURITY_ADMIN)
        ],
    }
    for who, persons in others.items():
        for somebody in persons:
            assert accounts.may(actor, scope, somebody) == WHAT[role][who], who
    assert accounts.may(actor, scope, actor) == frozenset()


def test_an_administrator_to_be_is_one_already(county):
    soon = timezone.localdate() + timedelta(days=3)
    heir = UserFactory()
    post(heir, Role.AUDIT_ADMIN, county.county, valid_from=soon, valid_to=soon + timedelta(days=9))
    security = person(Role.SECURITY_ADMIN, county.county)
    acts = accounts.may(security, accounts.Scope.for_user(security), heir)
    assert acts == frozenset({Act.LOCK, Act.SESSIONS})


def test_a_worker_who_also_serves_the_county_is_not_the_town_s_to_reset(county):
    town = person(Role.TOWN_ADMIN, county.towns[0])
    worker = person(Role.GRID_WORKER, county.grids[0])
    Posting.objects.create(user=worker, role=Role.COMMAND, area=county.county)
    with pytest.raises(people.NotAllowed):
        people.give_first_password(person_id=worker.pk, actor=town)


@pytest.fixture
def security(county) -> Client:
    client = Client()
    client.force_login(person(Role.SECURITY_ADMIN, county.county))
    return client


def test_the_security_administrator_finds_and_opens_an_account(county, security):
    worker = person(Role.GRID_WORKER, county.grids[0])
    found = security.get("/account/people/", {"q": worker.username}).content.decode()
    assert f"/account/people/{worker.pk}/" in found
    assert "第1网格" in security.get(f"/account/people/{worker.pk}/").content.decode()


def test_a_new_first_password_is_shown_once_and_ends_the_sessions(county, security):
    worker = person(Role.GRID_WORKER, county.grids[0])
    client = sign_in(worker)
    shown = security.post(f"/account/people/{worker.pk}/password/").content.decode()
    password = shown.split("data-password>")[1].split("<")[0]
    assert client.get("/worker/").status_code == 302
    again = sign_in(worker, password)
    assert again.get("/worker/").url == "/password/"
    assert password not in security.get(f"/account/people/{worker.pk}/").content.decode()
    assert password not in str(list(AuditEntry.objects.values_list("data", flat=True)))


def test_a_locked_account_is_out_at_once_and_comes_back_forgiven(county, security):
    worker = person(Role.GRID_WORKER, county.grids[0])
    client = sign_in(worker)
    security.post(f"/account/people/{worker.pk}/lock/")
    assert client.get("/worker/").status_code == 302
    stranger = Client()
    for _ in range(5):
        stranger.post("/login/", {"username": worker.username, "password": "wrong"})
    security.post(f"/account/people/{worker.pk}/unlock/")
    sign_in(worker)
    done = AuditEntry.objects.filter(subject_id=worker.pk).values_list("action", flat=True)
    assert {"account.locked", "account.unlocked"} <= set(done)


def test_whoever_failed_too_often_is_let_in_again_on_record(county, security):
    worker = person(Role.GRID_WORKER, county.grids[0])
    url = f"/account/people/{worker.pk}/"
    assert "暂时无法登录" not in security.get(url).content.decode()
    stranger = Client()
    for n in range(5):
        agent = {"User-Agent": f"browser {n}"}
        failed = {"username": worker.username, "password": "wrong"}
        stranger.post("/login/", failed, headers=agent)
    page = security.get(url).content.decode()
    assert "暂时无法登录" in page
    assert f"{url}unlock/" in page
    security.post(f"{url}unlock/")
    assert "暂时无法登录" not in security.get(url).content.decode()
    sign_in(worker)
    assert AuditEntry.objects.filter(action="account.unlocked", subject_id=worker.pk).exists()


def test_second_factors_that_were_lost_are_reset(county, security):
    command = person(Role.COMMAND, county.county)
    command.authenticators.create(kind="totp", name="app", secret="x")
    command.recovery_codes.create(digest="x")
    security.post(f"/account/people/{command.pk}/factor/")
    assert not command.authenticators.exists()
    assert not command.recovery_codes.exists()


@pytest.mark.parametrize("act", ["password", "factor"])
def test_an_auditor_cannot_be_taken_over(county, security, act):
    auditor = person(Role.AUDIT_ADMIN, county.county)
    auditor.authenticators.create(kind="totp", name="app", secret="x")
    before = User.objects.get(pk=auditor.pk).password
    assert security.post(f"/account/people/{auditor.pk}/{act}/").status_code == 403
    assert User.objects.get(pk=auditor.pk).password == before
    assert auditor.authenticators.exists()


def test_nobody_looks_after_the_own_account_there(county, security):
    me = get_user(security)
    for act in ("lock", "password", "factor", "sessions"):
        assert security.post(f"/account/people/{me.pk}/{act}/").status_code == 403
    assert security.post(f"/account/people/{UserFactory().pk}/anything/").status_code == 404
