"""What signing in needs from the database.

What must not live here: the counting of failures (django-axes) and sessions (Django).
"""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from core.locks import Lock
from core.services import audit
from grids.models import User


@contextmanager
def one_attempt_at_a_time(*, username: str, ip: str) -> Iterator[None]:
    """Let one attempt for this user name from this address be checked after the other.

    Failures are counted after the password was checked, so attempts at the same moment would
    all pass below the limit (Zammad CVE-2022-35490). The block is one transaction; the count is
    committed before the next attempt looks at it.
    """
    name = unicodedata.normalize("NFKC", username.strip())
    with transaction.atomic():
        Lock(f"grids.login:{name}\n{ip}").hold()
        yield


def change_own_password(*, user: User, password: str, ip: str | None) -> None:
    """Give the account the password its owner chose; nobody asks for another one then."""
    with transaction.atomic():
        user.set_password(password)
        user.must_change_password = False
        user.save(update_fields=["password", "must_change_password"])
        audit.record(
            actor=user,
            action="account.password_changed",
            subject_type="user",
            subject_id=user.pk,
            ip=ip,
        )
