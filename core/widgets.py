"""What forms of every floor are made of."""

from typing import Any

from django import forms


class DayInput(forms.DateInput):
    """A day picked in the browser."""

    input_type = "date"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs=attrs, format="%Y-%m-%d")
