"""What every door of the API shares: the shape of a body checked, the key that makes a retry safe.

What must not live here: any one door, and how errors of the framework are told (governance.api).
"""

import uuid
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from core.errors import Invalid

KEY_HEADER = "Idempotency-Key"
# A day in an address, or nothing, which asks nothing.
DAY = {"type": "string", "pattern": r"^(\d{4}-\d{2}-\d{2})?$"}


def key_parameter(field: str) -> OpenApiParameter:
    """Return the header's description; it stands for ``field`` where the body has none."""
    return OpenApiParameter(
        KEY_HEADER,
        uuid.UUID,
        OpenApiParameter.HEADER,
        description=f"Stands for {field} where the body has none.",
    )


class Number(serializers.FloatField):
    """A number that may have a fraction; true and false are none."""

    def to_internal_value(self, data: Any) -> float:
        """Return the number. Raises serializers.ValidationError."""
        if isinstance(data, bool):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """True or false, said so; numbers and words are none."""

    def to_internal_value(self, data: Any) -> bool:
        """Return the flag. Raises serializers.ValidationError."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Words(serializers.CharField):
    """Text; a number is none: as one, a phone has lost its first zeros."""

    def to_internal_value(self, data: Any) -> str:
        """Return the text. Raises serializers.ValidationError."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Key(serializers.UUIDField):
    """A UUID written out; a bare number, which others could hit on, is none."""

    def to_internal_value(self, data: Any) -> uuid.UUID:
        """Return the UUID. Raises serializers.ValidationError."""
        if not isinstance(data, str | uuid.UUID):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


def checked(shape: serializers.Serializer, data: Any) -> dict[str, Any]:
    """Return the clean data. Raises Invalid, naming each field."""
    try:
        return shape.run_validation(data)
    except serializers.ValidationError as error:
        told = error.detail if isinstance(error.detail, dict) else {"": error.detail}
        whole = told.pop("non_field_errors", None)
        told = told if whole is None else {**told, "": whole}
        raise Invalid(errors={name: _flat(said) for name, said in told.items()}) from error


def _flat(said: Any) -> list[str]:
    """Return the messages of a field; those inside a list are told of the list."""
    if isinstance(said, dict):
        return [str(text) for part in said.values() for text in part]
    return [str(text) for text in said]


def key_from(request: Request, given: uuid.UUID | None) -> uuid.UUID:
    """Return the key ``given`` in the body, else the header's, else a new one.

    Raises Invalid for a header that others could hit on, even where it is not needed.
    """
    header = request.headers.get(KEY_HEADER)
    try:
        named = None if header is None else uuid.UUID(header)
        if header is not None and str(named) != header.lower():
            raise ValueError(header)
    except ValueError as error:
        raise Invalid(_("The key must be a UUID."), field=KEY_HEADER) from error
    return given or named or uuid.uuid4()
