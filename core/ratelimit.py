"""Limits on how often one address may do a public thing.

What lives here: counting in Redis. What must not: anything a business rule depends on, because
with Redis down everybody is let through.
"""

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from logging import getLogger

import redis
from django.conf import settings
from django.http import HttpRequest

from core.errors import TooMany

logger = getLogger(__name__)


def check(name: str, ident: str, *, limit: int | None = None) -> None:
    """Count one attempt of ``ident`` at ``name``; raise TooMany past ``settings.RATE_LIMITS``.

    The window is fixed: it opens with the first attempt and lasts the seconds of the setting.
    ``limit``, where given, is narrower than the setting's.
    """
    most, seconds = settings.RATE_LIMITS[name]
    limit = most if limit is None else min(limit, most)
    key = f"geshi:rate:{name}:{_one_line(ident)}"
    try:
        client = _client(settings.REDIS_URL)
        pipe = client.pipeline(transaction=True)
        pipe.set(key, 0, ex=seconds, nx=True)
        pipe.incr(key)
        _, count = pipe.execute()
        remaining = client.ttl(key) if count > limit else 0
    except redis.RedisError:
        logger.warning("rate limit %s was not checked: Redis does not answer", name)
        return
    if count > limit:
        raise TooMany(retry_after=remaining)


def _one_line(ident: str) -> str:
    """Return ``ident``; of an IPv6 address the /64, all of which one subscriber has (RFC 6177)."""
    try:
        address = IPv6Address(ident)
    except ValueError:
        return ident
    return str(address.ipv4_mapped or IPv6Network((address, 64), strict=False))


def client_ip(request: HttpRequest) -> str:
    """Return the address the request came from.

    ``settings.TRUSTED_PROXIES`` says how many proxies of our own stand in front; only what
    they wrote into X-Forwarded-For is believed, because the rest is the client's own words.
    """
    direct = request.META.get("REMOTE_ADDR", "")
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
    proxies = settings.TRUSTED_PROXIES
    if not proxies or len(hops) < proxies:
        return direct
    try:
        return str(ip_address(hops[-proxies]))
    except ValueError:
        return direct


@lru_cache(maxsize=4)
def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, socket_timeout=0.5, socket_connect_timeout=0.5)
