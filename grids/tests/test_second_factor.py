"""A second factor where a post sees much: asked for, counted, taken once."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from axes.models import AccessAttempt
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.contrib.auth import get_user
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from fido2.utils import websafe_encode

from core.errors import Invalid
from core.models import AuditEntry
from grids.factories import PASSWORD, DepartmentFactory, UserFactory, person, post
from grids.hindrance import PASSED
from grids.models import Authenticator, Posting, Role, User
from grids.models.posting import ROLE_LEVELS
from grids.queries import Scope
from grids.services import second_factor
from grids.services.second_factor import add_app, check_code

LOGIN, SECOND, ACCOUNT = "/login/", "/login/second/", "/account/"
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # the key of RFC 6238, appendix B


@pytest.fixture(autouse=True)
def _required(settings):
    settings.TWO_FACTOR = "required"


def code_at(seconds: float, secret: bytes = b"12345678901234567890") -> str:
    return TOTP(secret, 6, SHA1(), 30).generate(int(seconds)).decode()


def code_now() -> str:
    return code_at(timezone.now().timestamp())


def with_app(user: User) -> User:
    Authenticator.objects.create(user=user, kind="totp", name="app", secret=SECRET)
    return user


def password_step(client: Client, user: User, **extra):
    data = {"username": user.username, "password": PASSWORD}
    return client.post(LOGIN, data, **extra)


@pytest.fixture
def town(county) -> User:
    return person(Role.TOWN_ADMIN, county.towns[0])


# ---------- who needs one


@pytest.mark.parametrize("role", Role.values)
def test_roles_that_see_beyond_a_village_need_one(county, role):
    areas = {"unit": county.unit, "grid": county.grids[0], "village": county.villages[0]}
    areas |= {"town": county.towns[0], "county": county.county}
    if role == Role.DEPARTMENT_HANDLER:
        place = DepartmentFactory()
    else:
        place = next(area for level, area in areas.items() if level in ROLE_LEVELS[role])
    scope = Scope.for_user(person(role, place))
    assert second_factor.needed(scope) == (role in second_factor.ROLES)


def test_a_mediator_needs_one_from_the_town_up(county):
    for place, needed in [(county.grids[0], False), (county.villages[0], False),
                          (county.towns[0], True), (county.county, True)]:  # fmt: skip
        assert second_factor.needed(Scope.for_user(person(Role.MEDIATOR, place))) == needed


def test_where_it_is_only_offered_nobody_needs_one(settings, town):
    settings.TWO_FACTOR = "offered"
    assert not second_factor.needed(Scope.for_user(town))


# ---------- without one


@pytest.mark.parametrize("page", ["/", "/town/", "/roster/", "/password/", "/audit/"])
def test_without_one_only_the_account_page_is_open(client, town, page):
    password_step(client, town)
    answer = client.get(page)
    if page == "/":  # the front door only leads to a desk, which is closed
        answer = client.get(answer.url)
    assert (answer.status_code, answer.url) == (302, ACCOUNT)
    shown = client.get(ACCOUNT).content.decode()
    assert "请先设置第二重验证" in shown


def test_pieces_of_pages_send_the_whole_page_there(client, town):
    password_step(client, town)
    piece = client.get("/town/", headers={"HX-Request": "true"})
    assert piece.headers["HX-Redirect"] == ACCOUNT


def test_the_api_and_the_administration_site_are_closed_too(client, county):
    keeper = person(Role.SYSTEM_ADMIN, county.county)
    User.objects.filter(pk=keeper.pk).update(is_staff=True)
    password_step(client, keeper)
    told = client.get("/api/v1/me/")
    assert (told.status_code, told.json()["code"]) == (403, "second_factor_needed")
    assert client.get("/admin/grids/user/").url == ACCOUNT
    assert client.post("/admin/grids/user/add/", {"username": "x"}).url == ACCOUNT


def test_a_worker_of_one_grid_works_without(client, county):
    worker = person(Role.GRID_WORKER, county.grids[0])
    password_step(client, worker)
    assert client.get("/worker/").status_code == 200


def test_the_public_pages_stay_open_and_signing_out_too(client, town):
    password_step(client, town)
    assert client.get("/report/").status_code == 200
    assert client.post("/logout/").status_code == 302


def test_days_of_grace_begin_with_the_first_sign_in(client, town, settings, time_machine):
    settings.TWO_FACTOR_GRACE_DAYS = 3
    time_machine.move_to("2027-05-06 09:00+08:00", tick=False)
    password_step(client, town)
    assert client.get("/town/").status_code == 200
    time_machine.move_to("2027-05-08 23:00+08:00", tick=False)
    later = Client()
    password_step(later, town)
    assert later.get("/town/").status_code == 200
    time_machine.move_to("2027-05-09 00:30+08:00", tick=False)
    assert later.get("/town/").url == ACCOUNT


# ---------- setting one up


def test_an_app_is_set_up_by_its_first_code_and_recovery_codes_are_shown_once(client, town):
    password_step(client, town)
    page = client.get("/account/app/").content.decode()
    assert "data:image/svg+xml" in page
    secret = page.split("data-secret>")[1].split("<")[0].replace(" ", "")
    wrong = client.post("/account/app/", {"code": "000000"})
    assert wrong.status_code == 422
    assert secret[:4] in wrong.content.decode()  # the picture read before still counts
    digits = code_at(timezone.now().timestamp(), second_factor.base64.b32decode(secret))
    done = client.post("/account/app/", {"code": f"{digits[:3]} {digits[3:]}"})
    assert done.content.decode().count("<li><code>") == 10
    assert "<li><code>" not in client.get(ACCOUNT).content.decode()
    assert client.get("/town/").status_code == 200
    kept = Authenticator.objects.get()
    assert kept.secret == secret
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM grids_authenticator")
        assert secret not in cursor.fetchone()[0]
    assert secret not in str(dict(client.session))
    assert AuditEntry.objects.filter(action="account.factor_added", actor=town).exists()


def test_there_is_one_app(town):
    with_app(town)
    with pytest.raises(Invalid):
        add_app(user=town, secret=SECRET, code=code_now(), name="", ip=None)


@pytest.mark.parametrize(
    ("seconds", "code"), [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")]
)
def test_codes_are_those_of_the_standard(town, time_machine, seconds, code):
    time_machine.move_to(seconds, tick=False)
    assert check_code(user=with_app(town), code=code)


# ---------- signing in with one


def test_password_then_code_signs_in_and_goes_on(client, town):
    with_app(town)
    data = {"username": town.username, "password": PASSWORD}
    first = client.post(f"{LOGIN}?next=/roster/", data)
    assert first.url == SECOND
    assert not get_user(client).is_authenticated
    assert client.get("/town/").url.startswith(LOGIN)
    done = client.post(SECOND, {"code": code_now()})
    assert done.url == "/roster/"
    assert get_user(client) == town
    assert client.session[PASSED]


def test_a_wrong_password_says_nothing_of_a_second_factor(client, town):
    with_app(town)
    answer = client.post(LOGIN, {"username": town.username, "password": "wrong"})
    assert answer.status_code == 200
    assert client.get(SECOND).url == LOGIN


def test_the_second_step_waits_five_minutes(client, town, time_machine):
    time_machine.move_to("2026-05-06 09:00+08:00", tick=False)
    password_step(client, with_app(town))
    time_machine.shift(301)
    assert client.post(SECOND, {"code": code_now()}).url == LOGIN
    assert not get_user(client).is_authenticated


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "another"}])
def test_an_account_that_changed_between_the_steps_starts_again(client, town, change):
    password_step(client, with_app(town))
    User.objects.filter(pk=town.pk).update(**change)
    assert client.post(SECOND, {"code": code_now()}).url == LOGIN


def test_a_code_is_taken_once(town):
    with_app(town)
    code = code_now()
    assert check_code(user=town, code=code)
    assert not check_code(user=town, code=code)


def test_an_older_code_is_refused_after_a_newer(town):
    with_app(town)
    now = timezone.now().timestamp()
    assert check_code(user=town, code=code_at(now + 30))
    assert not check_code(user=town, code=code_at(now))


@pytest.mark.parametrize("away", [-90, 90])
def test_a_code_of_another_minute_is_refused(town, time_machine, away):
    time_machine.move_to("2026-05-06 09:00+08:00", tick=False)
    assert not check_code(user=with_app(town), code=code_at(timezone.now().timestamp() + away))


@pytest.mark.parametrize("code", ["", "12345", "١٢٣٤٥٦", "abcdef", "\0", "1" * 50])
def test_odd_codes_are_refused(client, town, code):
    password_step(client, with_app(town))
    assert client.post(SECOND, {"code": code}).status_code == 422


def test_a_recovery_code_signs_in_once_however_it_is_typed(client, town):
    with_app(town)
    first, *_others = second_factor.new_recovery_codes(user=town, ip=None)
    password_step(client, town)
    assert client.post(SECOND, {"code": f" {first.upper()} "}).status_code == 302
    assert not check_code(user=town, code=first)
    stranger = with_app(UserFactory())
    second = second_factor.new_recovery_codes(user=town, ip=None)[0]
    assert not check_code(user=stranger, code=second)
    assert check_code(user=town, code=second)


def test_a_session_from_before_shows_the_second_factor_first(client, town):
    with_app(town)
    client.force_login(town)
    assert client.get("/town/").url == SECOND
    before = client.session.session_key
    assert client.post(SECOND, {"code": code_now()}).status_code == 302
    assert client.get("/town/").status_code == 200
    assert client.session.session_key != before
    assert town.sessions.get().session_key == client.session.session_key


def test_without_any_factor_left_one_starts_again(client, town):
    password_step(client, with_app(town))
    client.post(SECOND, {"code": code_now()})
    factor = Authenticator.objects.get()
    assert client.post(f"/account/factor/{factor.pk}/remove/").url == ACCOUNT
    assert client.get("/town/").url == ACCOUNT


def test_nobody_removes_the_second_factor_of_another(client, town):
    with_app(town)
    client.force_login(UserFactory())
    factor = Authenticator.objects.get()
    assert client.post(f"/account/factor/{factor.pk}/remove/").status_code == 404
    assert Authenticator.objects.exists()


# ---------- counting


def test_wrong_codes_and_wrong_passwords_lock_together(client, town):
    with_app(town)
    for _ in range(2):
        client.post(LOGIN, {"username": town.username, "password": "wrong"})
    password_step(client, town)
    for _ in range(2):
        assert client.post(SECOND, {"code": "000000"}).status_code == 422
    fifth = client.post(SECOND, {"code": "000000"})
    assert fifth.status_code == 429
    assert "15 分钟" in fifth.content.decode()
    assert client.post(SECOND, {"code": code_now()}).status_code == 429
    assert password_step(Client(), town).status_code == 429


def test_the_right_password_does_not_forgive_wrong_codes(client, town):
    with_app(town)
    for _ in range(4):
        password_step(client, town)
        assert client.post(SECOND, {"code": "000000"}).status_code == 422
    password_step(client, town)
    assert client.post(SECOND, {"code": "000000"}).status_code == 429


def test_guesses_from_many_addresses_are_limited_by_account(client, town, settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "second_factor": (2, 60)}
    password_step(client, with_app(town))
    for n in range(2):
        address = f"192.0.2.{n}"
        assert client.post(SECOND, {"code": "1"}, REMOTE_ADDR=address).status_code == 422
    third = client.post(SECOND, {"code": code_now()}, REMOTE_ADDR="192.0.2.9")
    assert third.status_code == 429


def test_nothing_that_was_typed_as_a_code_is_kept(client, town):
    password_step(client, with_app(town))
    client.post(SECOND, {"code": "abcd1234-5678ef90"})
    kept = AccessAttempt.objects.get()
    assert "abcd1234" not in f"{kept.post_data}{kept.get_data}{kept.path_info}"


@pytest.mark.django_db(transaction=True)
def test_twelve_codes_at_the_same_moment_get_five_checks(monkeypatch):
    user = with_app(UserFactory())
    clients = []
    for _ in range(12):
        clients.append(Client())
        assert password_step(clients[-1], user).url == SECOND
    checked = []
    check = second_factor.check_code
    monkeypatch.setattr(
        second_factor, "check_code", lambda **given: (checked.append(given), check(**given))[1]
    )

    def attempt(client: Client) -> int:
        try:
            return client.post(SECOND, {"code": "000000"}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(attempt, clients))
    assert len(checked) == 5
    assert (answers.count(422), answers.count(429)) == (4, 8)
    assert AccessAttempt.objects.get().failures_since_start == 5


@pytest.mark.django_db(transaction=True)
def test_one_code_sent_many_times_at_once_is_taken_once():
    user = with_app(UserFactory())
    code = code_now()

    def attempt(_n: int) -> bool:
        try:
            return check_code(user=user, code=code)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(attempt, range(6))).count(True) == 1


# ---------- passkeys, as far as it goes without a browser


def crooked_passkey(attestation: bytes) -> str:
    """What no browser sends: the shape is right, the bytes inside are not."""
    said = {"type": "webauthn.create", "challenge": "", "origin": "http://testserver"}
    response = {
        "clientDataJSON": websafe_encode(json.dumps(said).encode()),
        "attestationObject": websafe_encode(attestation),
    }
    return json.dumps({"id": "eA", "rawId": "eA", "type": "public-key", "response": response})


CROOKED = ("", "{", "[]", "7", '{"id": "x", "rawId": "eA", "response": {}}', "[" * 9000)
CROOKED += tuple(map(crooked_passkey, (b"", b"\x19", b"\xff", b"\x81" * 5000)))


def test_an_answer_without_a_question_is_refused(client, town):
    password_step(client, town)
    for answer in CROOKED:
        refused = client.post("/account/passkey/add/", {"passkey": answer})
        assert refused.status_code == 422
        client.post("/account/passkey/begin/")
        refused = client.post("/account/passkey/add/", {"passkey": answer})
        assert refused.status_code == 422
    assert not Authenticator.objects.exists()
    with_app(town)
    waiting = Client()
    password_step(waiting, town)
    assert waiting.post("/login/passkey/").status_code == 409
    for answer in CROOKED:
        assert waiting.post(SECOND, {"passkey": answer}).status_code in {422, 429}


def test_nobody_waiting_is_asked_for_no_passkey(client, db):
    assert client.post("/login/passkey/").status_code == 409


def test_the_settings_know_two_words(settings):
    assert reverse("second_factor") == SECOND
    assert settings.TWO_FACTOR_GRACE_DAYS == 0


def test_a_new_post_that_sees_more_asks_for_one_at_once(client, county):
    worker = person(Role.GRID_WORKER, county.grids[0])
    password_step(client, worker)
    assert client.get("/worker/").status_code == 200
    post(worker, Role.COMMAND, county.county)
    assert client.get("/worker/").url == ACCOUNT
    Posting.objects.filter(user=worker, role=Role.COMMAND).update(valid_to=timezone.localdate())
    assert client.get("/worker/").status_code == 200
