"""What somebody signed in must do before anything else.

What lives here: the order of the two, and the marks in the session. What must not: doing either.
"""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import NotAllowed
from grids.queries import Scope
from grids.services import second_factor

# In the session: the second factor was shown when it began, or added since.
PASSED = "second_factor"


class Hindrance(NotAllowed):
    """Something to do first; ``page`` is the name of the address where it is done."""

    page = ""


class PasswordChangeNeeded(Hindrance):
    """The password was set by somebody else."""

    code = "password_change_needed"
    page = "password_change"

    def __init__(self) -> None:
        super().__init__(_("First change the password that somebody else gave you."))


class SecondFactorNeeded(Hindrance):
    """The account has a second factor, which this session has not shown."""

    code = "second_factor_needed"
    page = "second_factor"

    def __init__(self) -> None:
        super().__init__(_("First confirm with your second factor."))


class EnrolmentNeeded(Hindrance):
    """The post asks for a second factor, and the account has none."""

    code = "second_factor_needed"
    page = "account"

    def __init__(self) -> None:
        super().__init__(_("Your post needs a second factor. First set one up."))


def before_work(request: Any) -> Hindrance | None:
    """Return what stands before the work; without a hindrance no query but that of the scope."""
    user = request.user
    if user.must_change_password:
        return PasswordChangeNeeded()
    if request.session.get(PASSED) or not second_factor.needed(request.scope):
        return None
    if second_factor.has_one(user):
        return SecondFactorNeeded()
    if timezone.localdate() <= second_factor.last_day_without(user):
        return None
    return EnrolmentNeeded()


def working_scope(request: Any) -> Scope:
    """Return the scope, empty while something stands before the work.

    For public pages, which nothing stands before, that show staff more than strangers.
    """
    hindered = request.user.is_authenticated and before_work(request)
    return Scope() if hindered else request.scope
