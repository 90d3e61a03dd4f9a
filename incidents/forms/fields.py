"""Fields the incident forms share.

What lives here: widgets and fields that know nothing of a case. What must not: the forms.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import flatatt
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from core.phone import PhoneError, plain_phone
from core.templatetags.geshi import option
from incidents.models import Category
from incidents.queries import choices

MAX_PHOTOS = 6
NOTE_LIMIT = 2000
CHOOSE = ("", _("Choose…"))


class QuickSelect(forms.Select):
    """A select printed without a template for every option: a town has hundreds of grids."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        final = self.build_attrs(self.attrs, {**(attrs or {}), "name": name})
        chosen = set(self.format_value(value))
        groups = [
            format_html('<optgroup label="{}">{}</optgroup>', label, _options(inside, chosen))
            if isinstance(inside, list | tuple)
            else _options([(label, inside)], chosen)
            for label, inside in self.choices
        ]
        return format_html("<select{}>{}</select>", flatatt(final), SafeString("".join(groups)))


def _options(rows: Iterable[tuple[Any, Any]], chosen: set[str]) -> SafeString:
    drawn = [option(str(value), str(label), str(value) in chosen) for value, label in rows]
    return SafeString("".join(drawn))


class CategoryField(forms.ChoiceField):
    """An active category, chosen by major class. Cleans to it, or to None where none is needed."""

    def __init__(self, *, village_only: bool = False, **more: Any) -> None:
        more.setdefault("widget", QuickSelect)
        self.village_only = village_only
        super().__init__(
            choices=lambda: [CHOOSE, *choices.category_groups(village_only=village_only)], **more
        )

    def clean(self, value: Any) -> Category | None:
        chosen = super().clean(value)
        if not chosen:
            return None
        found = choices.category(chosen, village_only=self.village_only)
        if found is None:
            raise ValidationError(
                self.error_messages["invalid_choice"],
                code="invalid_choice",
                params={"value": value},
            )
        return found


class PhotoIdsWidget(forms.MultipleHiddenInput):
    """Ids of draft photos; templates/parts/upload.html draws it.

    Without scripts the files themselves come along, see views/uploads.py.
    """

    needs_multipart_form = True

    def value_from_datadict(self, data: Any, files: Any, name: str) -> list[str]:
        return data.getlist(name) if hasattr(data, "getlist") else list(data.get(name, []))


class PhotosField(forms.Field):
    """Draft photos, sent ahead and named by id. Cleans to a list of UUIDs."""

    widget = PhotoIdsWidget
    default_error_messages = {
        "bad": _("A photo is no longer there. Please add it again."),
        "many": _("At most %(n)s photos."),
    }

    def to_python(self, value: Any) -> list[uuid.UUID]:
        try:
            ids = [uuid.UUID(str(item)) for item in value or []]
        except ValueError as error:
            raise ValidationError(self.error_messages["bad"], code="bad") from error
        if len(ids) > MAX_PHOTOS:
            raise ValidationError(
                self.error_messages["many"], code="many", params={"n": MAX_PHOTOS}
            )
        return ids


class NoteField(forms.CharField):
    """A few lines of text."""

    def __init__(self, *, rows: int = 3, **more: Any) -> None:
        more.setdefault("max_length", NOTE_LIMIT)
        more.setdefault("widget", forms.Textarea(attrs={"rows": rows}))
        super().__init__(**more)


class PhoneField(forms.CharField):
    """A telephone number as somebody writes it; cleans to the one way the house keeps it, or ""."""

    def __init__(self, *, autocomplete: str = "off", **more: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "tel", "autocomplete": autocomplete})
        super().__init__(max_length=20, required=False, widget=widget, **more)

    def clean(self, value: Any) -> str:
        written = super().clean(value)
        try:
            return plain_phone(written) if written else ""
        except PhoneError as error:
            raise ValidationError([error.problem, error.remedy]) from error


class MomentField(forms.DateTimeField):
    """A local day and time of this century or the next, picked in the browser.

    Years far off cannot be read back from the database by every time zone.
    """

    default_error_messages = {"far": _("Choose a moment between 2000 and 2199.")}

    def __init__(self, **more: Any) -> None:
        more.setdefault(
            "widget",
            forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        )
        super().__init__(**more)

    def to_python(self, value: Any) -> datetime | None:
        moment = super().to_python(value)
        if moment is not None and not 2000 <= moment.year <= 2199:
            raise ValidationError(self.error_messages["far"], code="far")
        return moment
