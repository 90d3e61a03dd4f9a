"""Forms of the ledger of households.

What must not live here: rights and rules (services/households.py).
"""

from datetime import date
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.widgets import DayInput
from grids.models import Area, CareTag, Household
from grids.models.household import PEOPLE_MOST
from grids.models.visit import LONGEST_INTERVAL
from grids.services.households import REASON_LIMIT, HouseholdFields


class FieldsForm(forms.Form):
    """Door, contact, phone, number of people."""

    address = forms.CharField(
        label=_("Door or address"),
        max_length=100,
        help_text=_("Inside the unit or grid: street and number, building and flat."),
    )
    contact = forms.CharField(label=_("Contact person"), max_length=40, required=False)
    phone = forms.CharField(
        label=_("Phone"), max_length=30, required=False, widget=forms.TextInput({"type": "tel"})
    )
    people = forms.IntegerField(
        label=_("Number of people"), min_value=1, max_value=PEOPLE_MOST, initial=1
    )

    def fields_given(self) -> HouseholdFields:
        """Return what was typed."""
        data = self.cleaned_data
        return HouseholdFields(data["address"], data["contact"], data["phone"], data["people"])


class NewHouseholdForm(FieldsForm):
    """A new household at one of ``places``."""

    area = forms.TypedChoiceField(label=_("Ten-household unit or grid"), coerce=int)
    field_order = ["area", "address", "contact", "phone", "people"]

    def __init__(self, *args: Any, places: list[tuple[int, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["area"].choices = places


class ChangeForm(FieldsForm):
    """What is known, corrected. Name and phone stay as they are where nothing is typed.

    They are masked on the page, so an empty field cannot mean "erase it"; ``forget`` does.
    """

    forget = forms.BooleanField(label=_("Remove the name and the phone"), required=False)

    def __init__(self, *args: Any, household: Household, **more: Any) -> None:
        super().__init__(*args, **more)
        self.household = household
        self.initial = {"address": household.address, "people": household.people}
        unchanged = _("Leave it empty to keep what is there.")
        for name in ("contact", "phone"):
            if getattr(household, name):
                self.fields[name].help_text = unchanged

    def fields_given(self) -> HouseholdFields:
        """Return what was typed, filled up with what was there."""
        data, kept = self.cleaned_data, self.household
        contact = "" if data["forget"] else data["contact"] or kept.contact
        phone = "" if data["forget"] else data["phone"] or kept.phone
        return HouseholdFields(data["address"], contact, phone, data["people"])


class MoveForm(forms.Form):
    """Another place inside the reader's own ledger."""

    area = forms.TypedChoiceField(label=_("Ten-household unit or grid"), coerce=int)

    def __init__(self, *args: Any, places: list[tuple[int, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["area"].choices = places


class MoveOutForm(forms.Form):
    """The day a household left."""

    on = forms.DateField(label=_("Moved out on"), widget=DayInput, initial=timezone.localdate)


class TagForm(forms.Form):
    """A care tag, why, and when to look again."""

    tag = forms.ModelChoiceField(label=_("Care tag"), queryset=CareTag.objects.filter(active=True))
    reason = forms.CharField(
        label=_("Reason"), max_length=REASON_LIMIT, widget=forms.Textarea({"rows": 2})
    )
    review_on = forms.DateField(
        label=_("Review on"),
        widget=DayInput,
        required=False,
        help_text=_("Left empty, the county's time for this tag counts from today."),
    )


class ReviewForm(forms.Form):
    """Today's reason for a tag that is there."""

    reason = forms.CharField(
        label=_("Reason"), max_length=REASON_LIMIT, widget=forms.Textarea({"rows": 2})
    )


class LinkForm(forms.Form):
    """Who looks in on the household."""

    member = forms.TypedChoiceField(label=_("Member"), coerce=int)

    def __init__(self, *args: Any, people: list[tuple[int, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["member"].choices = people


class RuleForm(forms.Form):
    """How often households of a place, with a tag, are visited."""

    area = forms.TypedChoiceField(label=_("Area"), coerce=int)
    tag = forms.ModelChoiceField(
        label=_("Care tag"),
        queryset=CareTag.objects.filter(active=True),
        required=False,
        empty_label=_("Every household"),
    )
    days = forms.IntegerField(
        label=_("Every so many days"),
        min_value=1,
        max_value=LONGEST_INTERVAL,
        required=False,
        help_text=_("Left empty, the rule for this area and tag ends."),
    )
    valid_from = forms.DateField(
        label=_("Starting on"), widget=DayInput, initial=timezone.localdate
    )

    def __init__(self, *args: Any, areas: list[Area], **more: Any) -> None:
        super().__init__(*args, **more)
        self.areas = {area.pk: area for area in areas}
        self.fields["area"].choices = [(area.pk, area.name) for area in areas]


class PeriodForm(forms.Form):
    """The days coverage is asked for, both included; this month if nothing is said."""

    first = forms.DateField(label=_("Starting on"), widget=DayInput, required=False)
    last = forms.DateField(label=_("Ending on"), widget=DayInput, required=False)

    def period(self, today: date) -> tuple[date, date]:
        """Return the days asked for, in order and not past today."""
        given = self.cleaned_data if self.is_valid() else {}
        last = min(given.get("last") or today, today)
        first = given.get("first") or last.replace(day=1)
        return min(first, last), last
