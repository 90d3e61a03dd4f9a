"""The one way out over HTTP: to addresses that may be reached, in bounded time, of bounded length.

What must not live here: what is said. Nothing here logs an address, a header or a body, and no
error carries one: addresses hold tokens, bodies hold phone numbers.
"""

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from threading import Timer, local
from typing import Any
from urllib.parse import SplitResult, urlsplit

import requests
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager

from core.channels.letters import Unavailable
from core.errors import Invalid

CONNECT_SECONDS, READ_SECONDS, WHOLE_SECONDS = 5, 10, 15
LONGEST_ANSWER = 64 * 1024
_NAT64 = ip_network("64:ff9b::/96")


class Forbidden(OSError):
    """The other end of a connection is in a network that may not be reached."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the HTTP status and at most LONGEST_ANSWER bytes."""

    status: int
    body: bytes
    retry_after: int | None = None


def check_address(address: str, *, field: str = "address") -> SplitResult:
    """Return the parts of an address to post to.

    Raises Invalid unless it is https (or http to a host of OUTBOUND_PLAIN_HOSTS) with a host and
    no user in it; a host written as a number must be one that may be reached. What a name leads
    to is looked at each time a connection stands, not here.
    """
    try:
        parts = urlsplit(address.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if not host or parts.scheme not in {"http", "https"} or port == 0:
        raise Invalid(_("Write the whole address, beginning with https://."), field=field)
    if parts.username or parts.password or "@" in parts.netloc:
        raise Invalid(_("Leave user and password out of the address."), field=field)
    if parts.scheme == "http" and not may_be_spoken_to_plainly(host):
        raise Invalid(
            _("The address must begin with https://; plain http is allowed to no such host."),
            field=field,
        )
    if not number_may_be_reached(host):
        raise Invalid(_("This address lies in a network that may not be reached."), field=field)
    return parts


def may_be_spoken_to_plainly(host: str) -> bool:
    """Return whether the installation allows this host to be spoken to without encryption."""
    return host in settings.OUTBOUND_PLAIN_HOSTS


def number_may_be_reached(host: str) -> bool:
    """Return False for an IP number in a network that may not be reached; True for a name."""
    try:
        number = ip_address(host)
    except ValueError:
        return True
    return may_be_reached(number)


def may_be_reached(number: IPv4Address | IPv6Address) -> bool:
    """Return whether a number is public, or in a network that OUTBOUND_NETWORKS names."""
    inside: Any = number
    if isinstance(number, IPv6Address):
        if number in _NAT64:
            inside = IPv4Address(int(number) & 0xFFFFFFFF)
        else:
            inside = number.ipv4_mapped or number.sixtofour or number
    if any(inside in ip_network(allowed) for allowed in settings.OUTBOUND_NETWORKS):
        return True
    return bool(inside.is_global and not inside.is_multicast and not inside.is_reserved)


def check_host(host: str, port: int) -> None:
    """Raise Unavailable when a host's name leads to a number that may not be reached, or nowhere.

    For what does not go over HTTP; over HTTP the connection itself is looked at.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable("unreachable") from error
    if not all(may_be_reached(ip_address(entry[4][0])) for entry in found):
        raise Unavailable("forbidden_address")


def post(
    address: str,
    *,
    body: bytes | str,
    headers: Mapping[str, str],
    params: Mapping[str, str] | None = None,
    within: float | None = None,
) -> Answer:
    """Post once, following no redirect and asking no proxy; raises Unavailable.

    ``within`` seconds the whole answer must be there, WHOLE_SECONDS unless said otherwise.
    """
    try:
        check_address(address)
    except Invalid as error:
        raise Unavailable("forbidden_address") from error
    whole = within or WHOLE_SECONDS
    until = time.monotonic() + whole
    try:
        with (
            _cut_off_after(whole),
            _session() as session,
            session.post(
                address,
                data=body,
                headers=dict(headers),
                params=params,
                timeout=(min(CONNECT_SECONDS, whole), within or READ_SECONDS),
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            return Answer(response.status_code, _read(response, until), _seconds(response.headers))
    except (requests.RequestException, OSError) as error:
        # The text of these errors holds the address: neither raised on nor logged.
        late = time.monotonic() >= until and not _is_forbidden(error)
        raise Unavailable("no_answer" if late else _code_of(error)) from None


# Second hands on the connections of this thread's post.
_here = local()


@contextmanager
def _cut_off_after(seconds: float) -> Iterator[None]:
    """Break the connections made inside after so many seconds.

    The time limit of a socket is for each piece, and begins anew with every byte that drips in.
    """
    hands: list[socket.socket] = []
    _here.hands = hands
    timer = Timer(seconds, _cut_off, [hands])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        _here.hands = []
        for hand in hands:
            hand.close()


def _cut_off(hands: list[socket.socket]) -> None:
    for hand in list(hands):
        with suppress(OSError):
            hand.shutdown(socket.SHUT_RDWR)


def _read(response: requests.Response, until: float) -> bytes:
    read = b""
    for piece in response.iter_content(8192):
        read += piece
        if len(read) > LONGEST_ANSWER:
            raise Unavailable("too_long")
        if time.monotonic() > until:
            raise Unavailable("no_answer")
    return read


def _seconds(headers: Mapping[str, str]) -> int | None:
    said = headers.get("Retry-After", "")
    return min(int(said), 3600) if said.isdecimal() and len(said) < 8 else None


def _code_of(error: BaseException) -> str:
    if _is_forbidden(error):
        return "forbidden_address"
    return "no_answer" if isinstance(error, requests.Timeout) else "unreachable"


def _is_forbidden(error: BaseException, depth: int = 0) -> bool:
    """Return whether this was our own refusal, wherever the libraries put it."""
    if isinstance(error, Forbidden) or depth > 5:
        return isinstance(error, Forbidden)
    nearby = (*error.args, getattr(error, "reason", None), error.__cause__, error.__context__)
    return any(_is_forbidden(one, depth + 1) for one in nearby if isinstance(one, BaseException))


def _checked(connected: socket.socket) -> socket.socket:
    """Return the socket if its other end may be reached; nothing has been said on it yet.

    Looked at here, a name that leads somewhere else at each asking gains nothing.
    """
    if not may_be_reached(ip_address(connected.getpeername()[0].partition("%")[0])):
        connected.close()
        raise Forbidden("forbidden network")
    # TLS takes the socket over; a second hand on the same connection can still break it.
    _here.hands.append(connected.dup())
    return connected


class _Plain(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(super()._new_conn())


class _Secure(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(super()._new_conn())


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


def _session() -> requests.Session:
    session = requests.Session()
    # Neither proxies nor passwords from the surroundings of the process.
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(max_retries=0))
    return session
