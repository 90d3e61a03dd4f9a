"""What residents fill in: the report, the tracking code, the rating.

What must not live here: who may send it how often (views) and what it does (services).
"""

import re
import unicodedata
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from core.places import SYSTEMS
from grids.models import Area
from grids.queries.codes import area_of_code
from grids.queries.messaging import sms_is_offered
from incidents.forms.fields import PhoneField, PhotosField
from incidents.models import Category, Score
from incidents.services.intake import TEXT_LIMIT

_NOT_IN_A_CODE = re.compile(r"[^0-9A-Z]")


class PublicForm(forms.Form):
    """A form in the residents' look: fields with an error say so to screen readers."""

    use_required_attribute = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)


class ReportForm(PublicForm):
    """A resident's report. ``website`` is a trap: people do not see it, robots fill it in."""

    text = forms.CharField(
        label=_("What is wrong?"),
        max_length=TEXT_LIMIT,
        min_length=2,
        widget=forms.Textarea(attrs={"rows": 5, "placeholder": _("What happened, since when")}),
        error_messages={"required": _("Please say what is wrong.")},
    )
    photos = PhotosField(label=_("Photos"), required=False)
    lat = forms.FloatField(label=_("Place on the map"), required=False, widget=forms.HiddenInput)
    lon = forms.FloatField(label=_("Place on the map"), required=False, widget=forms.HiddenInput)
    coordinate_system = forms.ChoiceField(
        choices=[(name, name) for name in SYSTEMS], required=False, widget=forms.HiddenInput
    )
    address = forms.CharField(
        label=_("Or say it in words"),
        max_length=200,
        required=False,
        widget=forms.TextInput(
            attrs={"placeholder": _("Village, street, house number, what stands beside it")}
        ),
    )
    grid = forms.CharField(max_length=17, required=False, widget=forms.HiddenInput)
    category = forms.ModelChoiceField(
        Category.objects.none(), label=_("Kind of matter"), required=False, to_field_name="code"
    )
    name = forms.CharField(label=_("Your name"), max_length=40, required=False)
    phone = PhoneField(label=_("Your phone"), autocomplete="tel")
    wants_sms = forms.BooleanField(label=_("Tell me by SMS how it goes on"), required=False)
    # Kept on the device with the rest: what is sent again after a break is the same report.
    report_key = forms.UUIDField(
        widget=forms.HiddenInput(attrs={"data-keep-hidden": ""}), required=False
    )
    website = forms.CharField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["category"]
        field.queryset = Category.objects.filter(active=True, road="")
        majors: dict[str, list[tuple[str, str]]] = {}
        for category in field.queryset:
            majors.setdefault(category.major_label, []).append((category.code, category.label))
        field.choices = [("", _("I do not know, please decide for me")), *majors.items()]
        if not sms_is_offered():
            del self.fields["wants_sms"]

    def clean_grid(self) -> Area | None:
        """Return the area of the code on the sign; a code nobody knows is simply not used."""
        return area_on_sign(self.cleaned_data["grid"])

    def clean_website(self) -> str:
        """Catch robots; a person whose browser filled the trap only has to press again."""
        if self.cleaned_data["website"]:
            raise ValidationError(_("This was not sent. Please press the button once more."))
        return ""

    def clean(self) -> dict[str, Any]:
        """A place needs both coordinates."""
        data = super().clean() or {}
        if (data.get("lat") is None) != (data.get("lon") is None) and not (
            {"lat", "lon"} & set(self.errors)
        ):
            self.add_error("lat", _("Please choose the place on the map again."))
        if data.get("wants_sms") and not data.get("phone") and "phone" not in self.errors:
            self.add_error("phone", _("Please leave your mobile number for the SMS."))
        return data


def area_on_sign(code: str) -> Area | None:
    """Return the open area a sign with this code stands for today, else None (≤ 2 queries)."""
    if not (code.isascii() and code.isdigit()):
        return None
    area = area_of_code(code)
    return area if area and area.closed_on is None else None


def plain_code(typed: str) -> str:
    """Return a tracking code as stored, whatever case, width, spaces or dashes were typed.

    >>> plain_code(" ab2c－def 3 ")
    'AB2CDEF3'
    """
    return _NOT_IN_A_CODE.sub("", unicodedata.normalize("NFKC", typed).upper())[:16]


class TrackForm(PublicForm):
    """The tracking code."""

    code = forms.CharField(
        label=_("Tracking code"),
        max_length=60,
        error_messages={"required": _("Please type the code you were given.")},
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
    )

    def clean_code(self) -> str:
        """Return the code as stored."""
        return plain_code(self.cleaned_data["code"])


class RatingForm(PublicForm):
    """How satisfied, solved or not, and why."""

    score = forms.ChoiceField(
        label=_("Are you satisfied?"),
        choices=Score.choices,
        widget=forms.RadioSelect,
        error_messages={"required": _("Please choose a rating.")},
    )
    solved = forms.TypedChoiceField(
        label=_("Is it solved?"),
        choices=[
            ("yes", pgettext_lazy("matter", "Solved")),
            ("no", pgettext_lazy("matter", "Not solved")),
        ],
        coerce=lambda value: value == "yes",
        empty_value=None,
        widget=forms.RadioSelect,
        error_messages={"required": _("Please say whether it was solved.")},
    )
    comment = forms.CharField(
        label=_("Anything else?"),
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
