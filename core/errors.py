"""Errors a person can be told about, each with the HTTP status it means.

What lives here: the exception classes services raise for expected refusals.
What must not: rendering (core.middleware) and anything that touches the database.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.functional import lazy
from django.utils.translation import gettext_lazy as _

_fill = lazy(lambda text, params: text % params, str)
CORRECT_FIELDS = _("Please correct the marked fields.")
NOT_YOURS = _("You may not do this.")


class GeshiError(Exception):
    """A refusal to show to the user.

    ``message`` is a str or lazy translation; keyword ``params`` fill its ``%(name)s``
    placeholders when it is shown, so it reads in the language of whoever reads it.
    """

    status = 400
    code = "error"

    def __init__(self, message: Any, **params: Any) -> None:
        super().__init__(message, params)
        self.message: Any = _fill(message, params) if params else message

    def __str__(self) -> str:
        return str(self.message)


class Invalid(GeshiError):
    """Input that cannot be taken.

    ``errors`` is {field: [message, …]}; ``field=`` is the short form for a single one, and
    "" stands for the whole input.
    """

    code = "invalid"

    def __init__(
        self,
        message: Any = CORRECT_FIELDS,
        *,
        field: str | None = None,
        errors: Mapping[str, Sequence[Any]] | None = None,
        **params: Any,
    ) -> None:
        super().__init__(message, **params)
        self.errors: dict[str, list[Any]] = {k: list(v) for k, v in (errors or {}).items()}
        if field is not None:
            self.errors.setdefault(field, []).append(self.message)


class BadUpload(Invalid):
    """A file that cannot be taken."""

    code = "bad_upload"


class TooLarge(GeshiError):
    """A request longer than anything the house takes."""

    status = 413
    code = "too_large"

    def __init__(self, megabytes: int) -> None:
        super().__init__(
            _("This is larger than %(megabytes)s MB and was not read."), megabytes=megabytes
        )


class NotAllowed(GeshiError):
    """Inside the scope, but without the right."""

    status = 403
    code = "not_allowed"

    def __init__(self, message: Any = NOT_YOURS, **params: Any) -> None:
        super().__init__(message, **params)


class Conflict(GeshiError):
    """Somebody else was first, or the state no longer allows it."""

    status = 409
    code = "conflict"


class TooMany(GeshiError):
    """Too many attempts; ``retry_after`` is in seconds."""

    status = 429
    code = "too_many"

    def __init__(self, retry_after: int) -> None:
        self.retry_after = max(1, retry_after)
        super().__init__(
            _("Too many attempts. Please try again in %(seconds)s seconds."),
            seconds=self.retry_after,
        )


class CalendarMissing(GeshiError):
    """A deadline needs a working calendar that nobody has imported yet."""

    status = 409
    code = "calendar_missing"

    def __init__(self, year: int) -> None:
        self.year = year
        super().__init__(
            _(
                "The working calendar of %(year)s is missing. "
                "An administrator must import it before this deadline can be set."
            ),
            year=year,
        )
