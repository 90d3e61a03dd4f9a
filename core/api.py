"""What every door of the API shares: the shape of a body checked, the key that makes a retry safe.

What must not live here: any one door, and how errors of the framework are told (governance.api).
"""

import uuid
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from core.errors import Invalid

KEY_HEADER = "Idempotency-Key"


def key_parameter(field: str) -> OpenApiParameter:
    """Return the header's description; it stands for ``field`` where the body has none."""
    return OpenApiParameter(
        KEY_HEADER,
        uuid.UUID,
        OpenApiParameter.HEADER,
        description=f"Stands for {field} where the body has none.",
    )


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


def key_of(header: str) -> uuid.UUID:
    """Return the key of the header, or a new one. A key others could hit on is refused."""
    if not header:
        return uuid.uuid4()
    try:
        return uuid.UUID(header)
    except ValueError as error:
        raise Invalid(_("The key must be a UUID."), field=KEY_HEADER) from error
