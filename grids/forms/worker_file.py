"""What is filled in for a worker's file and contact card.

What must not live here: what an entry means (services/worker_file.py, services/cards.py).
"""

from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.widgets import DayInput
from grids.models import Area, NegativeItem, Posting, Selection
from grids.models.worker_file import Body, Inspection


class _Form(forms.Form):
    use_required_attribute = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)

    def said(self) -> dict[str, Any]:
        """Return what was filled in, as the service takes it."""
        return self.cleaned_data


def _day(label: Any, *, required: bool = True, today: bool = False) -> forms.DateField:
    return forms.DateField(
        label=label,
        required=required,
        initial=timezone.localdate if today else None,
        widget=DayInput,
    )


def _lines(label: Any, most: int, help_text: Any = "") -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=most,
        help_text=help_text,
        widget=forms.Textarea({"rows": 3}),
    )


class SelectionForm(_Form):
    """A selection, or what is still missing of the one under way."""

    grid = forms.ModelChoiceField(Area.objects.none(), label=_("Grid"), empty_label=None)
    inspected_on = _day(_("Inspected by the town on"), required=False)
    inspection = forms.ChoiceField(
        label=_("Result of the inspection"),
        choices=[("", _("Not inspected yet")), *Inspection.choices],
        required=False,
    )
    note = forms.CharField(label=_("Note"), max_length=300, required=False)

    def __init__(
        self, *args: Any, grids: QuerySet[Area], selection: Selection | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["grid"].queryset = grids  # type: ignore[attr-defined]
        if selection is not None:
            self.fields["grid"].initial = selection.grid_id
            self.fields["grid"].widget = forms.HiddenInput()
            self.fields["note"].initial = selection.note
        spoken = {row.by for row in selection.recommendations.all()} if selection else set()
        self.bodies = [body for body in Body if body not in spoken]
        for body in self.bodies:
            self.fields[f"{body}_on"] = _day(_("Recommended on"), required=False)
            self.fields[f"{body}_note"] = forms.CharField(
                label=_("How it was done"), max_length=200, required=False
            )

    def steps(self) -> list[tuple[str, forms.BoundField, forms.BoundField]]:
        """Return (body in words, day, note) for the template."""
        return [(str(body.label), self[f"{body}_on"], self[f"{body}_note"]) for body in self.bodies]

    def rest(self) -> list[forms.BoundField]:
        """Return the fields after the recommendations."""
        return [self["inspected_on"], self["inspection"], self["note"]]

    def said(self) -> dict[str, Any]:
        """Return grid, inspection and note, and the recommendations filled in by body."""
        data = self.cleaned_data
        recommended = {
            str(body): (data[f"{body}_on"], data[f"{body}_note"])
            for body in self.bodies
            if data[f"{body}_on"]
        }
        plain = ("grid", "inspected_on", "inspection", "note")
        return {key: data[key] for key in plain} | {"recommended": recommended}


class NegativeForm(_Form):
    """An item of the negative list."""

    item = forms.ModelChoiceField(
        NegativeItem.objects.none(), label=_("Item of the negative list"), empty_label=None
    )
    happened_on = _day(_("Happened on"), today=True)
    facts = _lines(
        _("What happened"),
        500,
        _("Facts only, without names of residents. The person reads this and may answer."),
    )

    def __init__(self, *args: Any, items: QuerySet[NegativeItem], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["item"].queryset = items  # type: ignore[attr-defined]


class StatementForm(_Form):
    """The person's own statement."""

    statement = _lines(
        _("My statement"), 1000, _("It stands beside the entry from then on and cannot be changed.")
    )


class AwardForm(_Form):
    """An award."""

    title = forms.CharField(label=_("Award"), max_length=100)
    given_by = forms.CharField(label=_("Given by"), max_length=100)
    awarded_on = _day(_("Awarded on"), today=True)


class ReserveForm(_Form):
    """A recommendation as reserve cadre."""

    recommended_on = _day(_("Recommended on"), today=True)
    reason = _lines(_("Reason"), 500)


class ReserveDecisionForm(_Form):
    """What became of a recommendation."""

    listed = forms.TypedChoiceField(
        label=_("Result"),
        choices=[("yes", _("On the reserve list")), ("no", _("Not taken"))],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
    )
    decided_on = _day(_("Decided on"), today=True)


class WithdrawForm(_Form):
    """Why an entry is withdrawn."""

    reason = _lines(
        _("Why is it withdrawn?"), 300, _("The entry stays in the file and shows this reason.")
    )


class TrainingForm(_Form):
    """A training and who attended. ``workers`` are postings with their person."""

    town = forms.ModelChoiceField(Area.objects.none(), widget=forms.HiddenInput)
    course = forms.CharField(
        label=_("Course"),
        max_length=100,
        help_text=_("The same course on the same day is one training: add whoever was left out."),
    )
    held_on = _day(_("Held on"), today=True)
    hours = forms.DecimalField(
        label=_("Hours"),
        min_value=Decimal("0.5"),
        max_value=200,
        max_digits=4,
        decimal_places=1,
        widget=forms.NumberInput({"step": "0.5", "inputmode": "decimal"}),
    )
    place = forms.CharField(label=_("Place"), max_length=100, required=False)
    people = forms.TypedMultipleChoiceField(
        label=_("Who attended"),
        coerce=int,
        error_messages={
            "required": _("Please choose who attended."),
            "invalid_choice": _("Somebody chosen does not work in this town any more."),
        },
    )

    def __init__(
        self, *args: Any, towns: QuerySet[Area], workers: list[Posting], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["town"].queryset = towns  # type: ignore[attr-defined]
        choices = [(posting.user_id, posting.user.display_name) for posting in workers]
        self.fields["people"].choices = choices  # type: ignore[attr-defined]


class CardForm(_Form):
    """Duty phone and photo of a contact card."""

    duty_phone = forms.CharField(
        label=_("Duty phone"),
        max_length=30,
        required=False,
        help_text=_("Printed instead of the private phone. Leave it empty to take it off."),
        widget=forms.TextInput({"inputmode": "tel", "autocomplete": "off", "data-keep-skip": ""}),
    )
    photo = forms.FileField(
        label=_("Photo"),
        required=False,
        help_text=_("JPEG, PNG or WebP; head and shoulders, upright."),
        widget=forms.FileInput({"accept": "image/jpeg,image/png,image/webp"}),
    )
