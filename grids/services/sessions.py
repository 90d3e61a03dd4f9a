"""Where people are signed in: kept beside Django's sessions, and ended from here.

What must not live here: signing in (views/login.py).
"""

from collections.abc import Iterable
from datetime import timedelta
from importlib import import_module
from operator import itemgetter
from time import monotonic
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.utils import timezone

from core.crypto import blind_index
from core.ratelimit import client_ip
from core.services import audit
from grids.models import Posting, User, UserSession

# A session is seen at most this often; each process remembers which it has seen.
SEEN_EVERY = 60
REMEMBERED = 10_000
# Who signed in is kept for the half year the law asks for (Cybersecurity Law, article 21).
SIGN_INS_KEPT_DAYS = 190
_seen: dict[str, float] = {}
_store = import_module(settings.SESSION_ENGINE).SessionStore

_SEEN = """
    INSERT INTO grids_usersession AS s (session_key, user_id, began_at, seen_at, ip, device)
    VALUES (%(key)s, %(user)s, %(now)s, %(now)s, %(ip)s, %(device)s)
        ON CONFLICT (session_key) DO UPDATE SET seen_at = EXCLUDED.seen_at, ip = EXCLUDED.ip
     WHERE s.seen_at < EXCLUDED.seen_at - interval '1 minute'
"""


def began(*, request: HttpRequest, user: User) -> None:
    """Note a session that was just begun, and say when it ends however it is used (1 query)."""
    ends = timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE)
    request.session.set_expiry(ends)
    _forget_old()
    _write(request, user)


def seen(*, request: HttpRequest) -> None:
    """Note that the session is in use: at most one statement a minute and process."""
    key = request.session.session_key
    if key and _seen.get(key, 0.0) < monotonic() - SEEN_EVERY:
        _write(request, request.user)


def _write(request: HttpRequest, user: Any) -> None:
    key = request.session.session_key
    if not key:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _SEEN,
            {
                "key": key,
                "user": user.pk,
                "now": timezone.now(),
                "ip": client_ip(request) or None,
                "device": request.headers.get("User-Agent", "").replace("\x00", "")[:200],
            },
        )
    _seen[key] = monotonic()


def _forget_old() -> None:
    if len(_seen) > REMEMBERED:
        oldest_first = sorted(_seen.items(), key=itemgetter(1))
        for key, _moment in oldest_first[: REMEMBERED // 2]:
            _seen.pop(key, None)


def end(*, users: Iterable[int], keep: str = "") -> int:
    """End the sessions of these people at once, but for the one ``keep``; return how many."""
    rows = UserSession.objects.filter(user__in=list(users)).exclude(session_key=keep)
    return _end(list(rows.values_list("session_key", flat=True)))


def end_key(session_key: str | None) -> None:
    """End one session, whosever it is."""
    _end([session_key] if session_key else [])


def public_name(session_key: str) -> str:
    """Return a name for a session that signs nobody in."""
    return blind_index(f"session:{session_key}")[:32]


def end_named(*, name: str, user: User) -> int:
    """End the session of ``user`` with this public name; 0 when there is none."""
    mine = UserSession.objects.filter(user=user).values_list("session_key", flat=True)
    return _end([key for key in mine if public_name(key) == name])


def end_without_post(*, users: Iterable[int], actor: User | None) -> int:
    """End the sessions of those among ``users`` who hold no post any more (≤ 4 queries)."""
    ids = set(users)
    held = Posting.objects.current().filter(user__in=ids).values_list("user_id", flat=True)
    left = sorted(ids - set(held))
    ended = end(users=left) if left else 0
    if ended:
        audit.record(
            actor=actor, action="account.sessions_ended", subject_type="user", data={"users": left}
        )
    return ended


def _end(keys: list[str]) -> int:
    for key in keys:
        _store(key).delete()
        _seen.pop(key, None)
    return UserSession.objects.filter(session_key__in=keys).delete()[0] if keys else 0


def tidy() -> int:
    """Forget sessions that ran out, SESSION_COOKIE_AGE after they began, and old sign-ins."""
    AxesProxyHandler.reset_logs(age_days=SIGN_INS_KEPT_DAYS)
    _store.clear_expired()
    old = timezone.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE)
    return UserSession.objects.filter(began_at__lt=old).delete()[0]
