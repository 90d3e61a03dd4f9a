"""Refusals of the services, told where they belong on a form."""

from django.forms import Form

from core.errors import GeshiError, Invalid


def put_errors(form: Form, error: GeshiError) -> None:
    """Put a refusal beside the field it is about, else above the form."""
    form.errors  # noqa: B018  full_clean must have run before errors are added
    told = error.errors if isinstance(error, Invalid) else {}
    if not told and not form.errors:
        told = {"": [error.message]}
    for name, messages in told.items():
        for message in messages:
            form.add_error(name if name in form.fields else None, str(message))
