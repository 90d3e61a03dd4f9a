"""Signing in: one message, a lock after five failures that nothing gets around."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import get_user
from django.db import connection
from django.test import Client
from django.urls import reverse

from core import ratelimit
from grids.factories import PASSWORD, UserFactory, person
from grids.models import Role, User
from grids.services.sign_in import one_attempt_at_a_time

LOGIN = "/login/"


def sign_in(client: Client, username: str, password: str = PASSWORD, **extra):
    return client.post(LOGIN, {"username": username, "password": password}, **extra)


@pytest.fixture
def someone(db) -> User:
    return UserFactory(username="wang")


def test_the_right_password_signs_in_and_lands_at_home(client, someone):
    response = sign_in(client, "wang")
    assert response.status_code == 302
    assert response.url == reverse("home")
    assert get_user(client) == someone


def test_the_next_page_is_followed_only_inside_the_product(client, someone):
    inside = client.post(f"{LOGIN}?next=/password/", {"username": "wang", "password": PASSWORD})
    assert inside.url == "/password/"
    client.logout()
    outside = client.post(
        f"{LOGIN}?next=https://evil.example/", {"username": "wang", "password": PASSWORD}
    )
    assert outside.url == reverse("home")


@pytest.mark.parametrize("username", ["wang", "nobody"])
def test_a_wrong_password_and_an_unknown_name_read_the_same(client, someone, username):
    response = sign_in(client, username, "wrong")
    assert response.status_code == 200
    assert "用户名或密码不正确" in response.content.decode()


def test_a_closed_account_reads_the_same_and_stays_out(client, someone):
    User.objects.update(is_active=False)
    assert "用户名或密码不正确" in sign_in(client, "wang").content.decode()
    assert not get_user(client).is_authenticated


def test_an_unknown_name_costs_a_hash_like_a_known_one(client, someone, monkeypatch):
    hashed = []
    make = User.set_password
    monkeypatch.setattr(User, "set_password", lambda *a: (hashed.append(1), make(*a))[1])
    sign_in(client, "nobody", "wrong")
    assert hashed == [1]


def test_the_fifth_failure_locks_the_account_and_says_for_how_long(client, someone):
    for _ in range(4):
        assert sign_in(client, "wang", "wrong").status_code == 200
    fifth = sign_in(client, "wang", "wrong")
    assert fifth.status_code == 429
    page = fifth.content.decode()
    assert "15 分钟" in page
    assert 0 < int(fifth["Retry-After"]) <= 900
    right = sign_in(client, "wang")
    assert right.status_code == 429
    assert not get_user(client).is_authenticated


def test_the_lock_ends_when_the_page_said(client, someone, time_machine):
    time_machine.move_to("2026-05-06 09:00+08:00", tick=False)
    for _ in range(5):
        sign_in(client, "wang", "wrong")
    time_machine.shift(600)
    later = sign_in(client, "wang", "wrong")  # trying on does not make it longer
    assert later.status_code == 429
    assert "5 分钟" in later.content.decode()
    time_machine.shift(301)
    assert sign_in(client, "wang").status_code == 302


def test_a_lock_at_one_address_leaves_the_owner_elsewhere_alone(client, someone):
    for _ in range(5):
        sign_in(client, "wang", "wrong", REMOTE_ADDR="192.0.2.1")
    assert sign_in(client, "wang", REMOTE_ADDR="192.0.2.2").status_code == 302


def test_the_lock_counts_the_same_name_however_it_is_typed(client, someone):
    for typed in ["wang", " wang", "wang ", "ｗａｎｇ", "wang"]:
        last = sign_in(client, typed, "wrong")
    assert last.status_code == 429


@pytest.mark.parametrize("username", ["a\0b", "x" * 5000, "", "'; drop table--", "王\ud800"])
def test_odd_names_are_refused_as_a_form(client, db, username):
    body = urlencode({"username": username.encode("utf-8", "surrogatepass"), "password": "x"})
    form = "application/x-www-form-urlencoded"
    assert client.post(LOGIN, body, content_type=form).status_code == 200


def test_attempts_are_limited_before_any_password_is_checked(
    client, someone, settings, monkeypatch
):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "login": (2, 60)}
    checked = []
    monkeypatch.setattr(User, "check_password", lambda *a: checked.append(1))
    for _ in range(2):
        sign_in(client, "wang", "wrong", REMOTE_ADDR="192.0.2.77")
    third = sign_in(client, "wang", REMOTE_ADDR="192.0.2.77")
    assert third.status_code == 429
    assert len(checked) == 2


@pytest.mark.django_db(transaction=True)
def test_twelve_attempts_at_the_same_moment_get_five_checks(monkeypatch):
    UserFactory(username="wang")
    checked = []
    check = User.check_password
    monkeypatch.setattr(
        User, "check_password", lambda self, raw: (checked.append(raw), check(self, raw))[1]
    )

    def attempt(number: int) -> int:
        try:
            return sign_in(Client(), "wang", f"wrong-{number}").status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(attempt, range(12)))
    assert len(checked) == 5
    assert answers.count(200) == 4
    assert answers.count(429) == 8
    assert AccessAttempt.objects.get().failures_since_start == 5
    assert sign_in(Client(), "wang").status_code == 429


def test_signing_out_needs_a_post(client, someone):
    client.force_login(someone)
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/").url == LOGIN
    assert not get_user(client).is_authenticated


def test_demonstration_accounts_are_shown_in_demonstration_mode_only(client, county, settings):
    clerk = person(Role.COMMAND, county.county)
    User.objects.filter(pk=clerk.pk).update(is_demo=True)
    real = person(Role.TOWN_ADMIN, county.towns[0])
    settings.DEMO = False
    hidden = client.get(LOGIN).content.decode()
    assert clerk.username not in hidden
    assert settings.DEMO_PASSWORD not in hidden
    settings.DEMO = True
    shown = client.get(LOGIN).content.decode()
    assert f'data-username="{clerk.username}"' in shown
    assert settings.DEMO_PASSWORD in shown
    assert real.username not in shown


def test_demonstration_accounts_sign_in_in_demonstration_mode_only(client, someone, settings):
    User.objects.update(is_demo=True)
    settings.DEMO = False
    assert "用户名或密码不正确" in sign_in(client, "wang").content.decode()
    settings.DEMO = True
    assert sign_in(client, "wang").status_code == 302


def test_a_password_is_changed_by_its_owner(client, someone):
    client.force_login(someone)
    new = "copper-Bridge-58"
    data = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/password/", data).url == reverse("home")
    assert User.objects.get(pk=someone.pk).check_password(new)
    assert get_user(client) == someone


def test_a_weak_password_is_refused_with_the_reason(client, someone):
    client.force_login(someone)
    data = {"old_password": PASSWORD, "new_password1": "12345678", "new_password2": "12345678"}
    response = client.post("/password/", data)
    assert response.status_code == 200
    assert User.objects.get(pk=someone.pk).check_password(PASSWORD)


def test_the_old_password_is_not_guessed_in_an_open_session(client, someone, settings):
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"password": (2, 60)}
    client.force_login(someone)
    new = "copper-Bridge-58"
    data = {"new_password1": new, "new_password2": new}
    for guess in ("one", "two"):
        assert client.post("/password/", data | {"old_password": guess}).status_code == 200
    assert client.post("/password/", data | {"old_password": PASSWORD}).status_code == 429
    assert User.objects.get(pk=someone.pk).check_password(PASSWORD)


def test_a_stranger_is_sent_to_the_login_page_and_back(client, db):
    assert client.get("/password/").url == f"{LOGIN}?next=/password/"


def test_the_login_limit_is_named_in_the_settings(settings):
    assert settings.RATE_LIMITS["login"][0] >= settings.AXES_FAILURE_LIMIT
    ratelimit.check("login", "test-of-the-setting")


def test_the_attempt_lock_takes_any_text(db):
    with one_attempt_at_a_time(username="\0\ud800王", ip=""):
        pass
