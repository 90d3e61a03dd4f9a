"""Forms of the ground floor."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid
from core.models import CalendarYear
from core.reading import decode
from core.services.calendar import Row, check_rows, published_rows, read_rows

MAX_FILE_BYTES = 100_000


class CalendarImportForm(forms.ModelForm):
    """A year to import, from a CSV file or, without one, from the installed calendar package."""

    year = forms.IntegerField(label=_("Year"), min_value=2004, max_value=2100)
    file = forms.FileField(
        label=_("CSV file"),
        required=False,
        help_text=_(
            "Columns date, kind (off or work), name. "
            "Leave empty to take the days of the installed calendar package."
        ),
    )

    class Meta:
        model = CalendarYear
        fields = ["year"]

    # A year that is there already is replaced.
    def validate_unique(self) -> None:
        pass

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "year" in data and "file" in data:
            try:
                rows = self._rows(data)
                check_rows(rows, data["year"])
            except Invalid as error:
                lines = [f"{k}: {'; '.join(map(str, v))}" for k, v in error.errors.items()]
                raise ValidationError([str(error.message), *lines]) from error
        return data

    def _rows(self, data: dict[str, Any]) -> list[Row]:
        file = data["file"]
        if not file:
            return published_rows(data["year"])
        if file.size > MAX_FILE_BYTES:
            raise Invalid(_("The file is too large for a calendar."))
        data["rows"] = read_rows(decode(file.read()))
        return data["rows"]
