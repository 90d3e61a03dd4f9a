"""Public actions are limited by address, as long as Redis answers."""

import uuid

import pytest
import redis
from django.test import RequestFactory

from core.errors import TooMany
from core.ratelimit import check, client_ip


@pytest.fixture
def ident():
    return uuid.uuid4().hex


@pytest.fixture(autouse=True)
def _three_a_minute(settings):
    settings.RATE_LIMITS = {"report": (3, 60), "track": (3, 60)}


def test_the_limit_holds_for_one_address_and_one_action(ident):
    for _ in range(3):
        check("report", ident)
    with pytest.raises(TooMany) as caught:
        check("report", ident)
    assert 1 <= caught.value.retry_after <= 60
    check("track", ident)
    check("report", ident + "b")


def test_one_subscriber_of_ipv6_is_one_however_many_addresses_it_takes(ident):
    line = f"2001:db8:{ident[:4]}:{ident[4:8]}"
    for host in ("1", "2:3", "ffff:1"):
        check("report", f"{line}::{host}")
    with pytest.raises(TooMany):
        check("report", f"{line}::9")
    check("report", f"2001:db8:{ident[:4]}:{ident[8:12]}::1")
    for host in range(1, 5):
        check("report", f"::ffff:192.0.2.{host}")


def test_the_count_is_forgotten_by_itself(ident, settings):
    check("report", ident)
    assert 0 < redis.Redis.from_url(settings.REDIS_URL).ttl(f"geshi:rate:report:{ident}") <= 60


def test_without_redis_everybody_is_let_through(ident, settings, caplog):
    settings.REDIS_URL = "unix:///nowhere/redis.sock?db=0"
    for _ in range(9):
        check("report", ident)
    assert "Redis does not answer" in caplog.text


@pytest.mark.parametrize(
    ("proxies", "forwarded", "ip"),
    [
        (0, "198.51.100.9", "192.0.2.1"),
        (1, "203.0.113.7, 198.51.100.9", "198.51.100.9"),
        (2, "203.0.113.7, 198.51.100.9", "203.0.113.7"),
        (2, "198.51.100.9", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "<script>", "192.0.2.1"),
    ],
)
def test_only_our_own_proxies_are_believed(settings, proxies, forwarded, ip):
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get(
        "/", REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-For": forwarded}
    )
    assert client_ip(request) == ip
