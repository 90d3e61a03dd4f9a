"""Forms of mediation: what is typed, in the shape the services take.

What must not live here: rules of the mediation itself; the services refuse.
"""

import uuid
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.masking import mask_name, mask_text
from core.widgets import DayInput
from grids.models import Area, User
from mediation.models import (
    STEP_STATES,
    AgreementForm,
    ClueSource,
    Colour,
    Dispute,
    DisputeState,
    Kind,
    OtherRoad,
    Party,
    Performance,
    Side,
    StepOutcome,
)
from mediation.services.agreements import AgreementIn
from mediation.services.registering import FACTS_LIMIT, TITLE_LIMIT, NewDispute, PartyIn
from mediation.services.sessions import Session


def date_field(label: Any, **more: Any) -> forms.DateField:
    """Return a date field with the browser's own picker."""
    return forms.DateField(label=label, widget=DayInput, **more)


def long_text(label: Any, *, rows: int = 4, **more: Any) -> forms.CharField:
    """Return a text area of ``rows`` lines."""
    return forms.CharField(
        label=label,
        max_length=FACTS_LIMIT,
        widget=forms.Textarea(attrs={"rows": rows}),
        **more,
    )


class FilterForm(forms.Form):
    """The filters of the list; anything unknown is an error, never a query."""

    state = forms.ChoiceField(
        label=_("State"), required=False, choices=[("", _("All states")), *DisputeState.choices]
    )
    step = forms.ChoiceField(
        label=_("Step"),
        required=False,
        choices=[
            ("", _("All steps")),
            *[(str(n), state.label) for n, state in enumerate(STEP_STATES, start=1)],
        ],
    )
    colour = forms.ChoiceField(
        label=_("Colour"), required=False, choices=[("", _("All colours")), *Colour.choices]
    )
    number = forms.CharField(label=_("Number"), required=False, max_length=20)
    overdue = forms.BooleanField(label=_("Overdue only"), required=False)
    mine = forms.BooleanField(label=_("Named to me"), required=False)


class NewDisputeForm(forms.Form):
    """A new dispute with its two parties, and a third if there is one."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    town = forms.TypedChoiceField(label=_("Town"), required=False, coerce=int, empty_value=None)
    area = forms.TypedChoiceField(label=_("Village or grid"), coerce=int)
    title = forms.CharField(
        label=_("In one line"),
        max_length=TITLE_LIMIT,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    facts = long_text(_("What happened"), rows=6)
    kind = forms.ChoiceField(label=_("Kind of dispute"), choices=[("", "—"), *Kind.choices])
    source = forms.ChoiceField(
        label=_("Where the clue came from"),
        choices=[c for c in ClueSource.choices if c[0] != ClueSource.INCIDENT],
    )
    colour = forms.ChoiceField(
        label=_("Colour"),
        choices=[c for c in Colour.choices if c[0] != Colour.RED],
        initial=Colour.BLUE,
        widget=forms.RadioSelect,
        help_text=_("A red dispute needs a leader by name: register it, then set it to red."),
    )
    a_name = forms.CharField(label=_("Name"), max_length=50)
    a_phone = forms.CharField(label=_("Phone"), max_length=20, required=False)
    a_agreed = forms.BooleanField(label=_("Agrees to mediation"), required=False)
    b_name = forms.CharField(label=_("Name"), max_length=50)
    b_phone = forms.CharField(label=_("Phone"), max_length=20, required=False)
    b_agreed = forms.BooleanField(label=_("Agrees to mediation"), required=False)
    third_name = forms.CharField(label=_("Name"), max_length=50, required=False)
    third_phone = forms.CharField(label=_("Phone"), max_length=20, required=False)

    def __init__(self, *args: Any, towns: list[Area], places: list[Area], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["key"].initial = uuid.uuid4()
        self.places = {place.pk: place for place in places}
        self.fields["area"].choices = [("", "—"), *place_choices(places)]
        if len(self.places) == 1:
            self.fields["area"].initial = next(iter(self.places))
        if towns:
            self.fields["town"].choices = [("", "—"), *[(t.pk, t.name) for t in towns]]
        else:
            del self.fields["town"]
        for side in ("a", "b", "third"):
            self.fields[f"{side}_name"].widget.attrs["autocomplete"] = "off"
            self.fields[f"{side}_phone"].widget.attrs |= {"autocomplete": "off", "inputmode": "tel"}

    def block(self, side: str) -> list[forms.BoundField]:
        """Return the fields of one party."""
        return [self[name] for name in self.fields if name.startswith(f"{side}_")]

    def new_dispute(self) -> NewDispute:
        """Return what was typed."""
        data = self.cleaned_data
        parties = [
            PartyIn(Side.A, data["a_name"], data["a_phone"], data["a_agreed"]),
            PartyIn(Side.B, data["b_name"], data["b_phone"], data["b_agreed"]),
        ]
        if data["third_name"]:
            parties.append(PartyIn(Side.THIRD, data["third_name"], data["third_phone"]))
        return NewDispute(
            key=data["key"],
            title=data["title"],
            facts=data["facts"],
            kind=data["kind"],
            source=data["source"],
            colour=data["colour"],
            area=self.places[data["area"]],
            parties=parties,
        )


def place_choices(places: list[Area]) -> list[tuple[int, str]]:
    """Return the places as an indented list in tree order."""
    if not places:
        return []
    top = min(place.depth for place in places)
    return [(p.pk, "　" * (p.depth - top) + p.name) for p in places]


class StepForm(forms.Form):
    """Base of the forms on a file; ``seen`` is the version its page showed."""

    seen = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, dispute: Dispute, people: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.dispute = dispute
        self.fields["seen"].initial = dispute.version
        for name, choices in people.items():
            if name in self.fields:
                self.fields[name].choices = [("", "—"), *choices]
        if "party" in self.fields:
            self.fields["party"].queryset = dispute.parties.all()
            self.fields["party"].label_from_instance = party_label
        if "stopped_by" in self.fields:
            self.fields["stopped_by"].queryset = dispute.parties.all()
            self.fields["stopped_by"].label_from_instance = party_label

    def arguments(self) -> dict[str, Any]:
        """Return the service's keyword arguments."""
        return {name: value for name, value in self.cleaned_data.items() if name != "seen"}


def party_label(party: Party) -> str:
    """Return a party as its side and masked name: 甲方 张**."""
    return f"{party.get_side_display()} {mask_name(party.name)}"


def roads_field() -> forms.MultipleChoiceField:
    """Return the other roads the parties were told of."""
    return forms.MultipleChoiceField(
        label=_("Other roads the parties were told of"),
        choices=OtherRoad.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )


class ConsentForm(StepForm):
    """One party agrees to mediation."""

    party = forms.ModelChoiceField(queryset=None)


class PartyForm(StepForm):
    """One more party."""

    side = forms.ChoiceField(label=_("Side"), choices=Side.choices)
    name = forms.CharField(label=_("Name"), max_length=50)
    phone = forms.CharField(label=_("Phone"), max_length=20, required=False)
    agreed = forms.BooleanField(label=_("Agrees to mediation"), required=False)

    def arguments(self) -> dict[str, Any]:
        data = super().arguments()
        return {"party": PartyIn(**data)}


class SessionForm(StepForm):
    """One session of the present step."""

    held_at = forms.DateTimeField(
        label=_("Held at"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    place = forms.CharField(label=_("Place"), max_length=100)
    mediator_names = forms.CharField(
        label=_("Who mediated"),
        max_length=100,
        help_text=_("Mediators, respected villagers, legal adviser or panel members, by name"),
    )
    record = long_text(_("Record of the session"), rows=5)
    outcome = forms.ChoiceField(
        label=_("How it ended"), choices=StepOutcome.choices, widget=forms.RadioSelect
    )
    stopped_by = forms.ModelChoiceField(
        label=_("Who stopped it"), queryset=None, required=False, empty_label="—"
    )
    roads = roads_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["held_at"].initial = timezone.localtime().replace(second=0, microsecond=0)
        if self.dispute.step == len(STEP_STATES):
            self.fields["outcome"].choices = [
                choice for choice in StepOutcome.choices if choice[0] != StepOutcome.NEXT
            ]

    def arguments(self) -> dict[str, Any]:
        return {"session": Session(**super().arguments())}


class AgreementEntry(StepForm):
    """The agreement with the fields of the law."""

    form = forms.ChoiceField(
        label=_("Form"),
        choices=AgreementForm.choices,
        initial=AgreementForm.WRITTEN,
        widget=forms.RadioSelect,
    )
    facts = long_text(_("Main facts"))
    responsibilities = long_text(_("Points in dispute and each party's responsibility"))
    content = long_text(_("What was agreed: rights and obligations"), rows=5)
    manner = long_text(_("Manner of performance"), rows=2)
    performance_due = date_field(_("To be performed by"))
    signed_on = date_field(_("Date of the agreement"))
    mediator_signature = forms.CharField(label=_("Signature of the mediator"), max_length=50)
    party_a_signed = forms.BooleanField(
        label=_("Party A has signed, sealed or fingerprinted"), required=False
    )
    party_b_signed = forms.BooleanField(
        label=_("Party B has signed, sealed or fingerprinted"), required=False
    )
    sealed = forms.BooleanField(label=_("The committee's seal is on it"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["facts"].initial = mask_text(self.dispute.facts)
        self.fields["signed_on"].initial = timezone.localdate()

    def arguments(self) -> dict[str, Any]:
        return {"agreement": AgreementIn(**super().arguments())}


class ExtendForm(StepForm):
    """More time than the month."""

    until = date_field(_("New end"))
    reason = forms.CharField(label=_("Reason"), max_length=200)
    both_agree = forms.BooleanField(label=_("Both parties agree to it"), required=False)


class StopForm(StepForm):
    """A party wants no more of it."""

    party = forms.ModelChoiceField(label=_("Who stopped it"), queryset=None, empty_label="—")
    roads = roads_field()
    note = forms.CharField(label=_("Note"), max_length=200, required=False)


class FailForm(StepForm):
    """The mediation ends without agreement, or its agreement is not performed."""

    note = forms.CharField(label=_("Why it ends"), max_length=200)
    roads = roads_field()


class ReasonForm(StepForm):
    """A reason and nothing else."""

    reason = forms.CharField(label=_("Reason"), max_length=200)


class CourtForm(StepForm):
    """Both parties asked the court."""

    day = date_field(_("Both parties asked the court on"))


class FollowUpForm(StepForm):
    """A visit to see how far the agreement is performed."""

    day = date_field(_("Day of the visit"))
    performed = forms.ChoiceField(
        label=_("Performance"), choices=Performance.choices, widget=forms.RadioSelect
    )
    note = long_text(_("What was found"), rows=3, required=False)
    next_on = date_field(_("Next visit on"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["day"].initial = timezone.localdate()


class CloseForm(StepForm):
    """Closing asks for nothing but the press."""


class ColourForm(StepForm):
    """Colour, leader and risk."""

    colour = forms.ChoiceField(label=_("Colour"), choices=Colour.choices, widget=forms.RadioSelect)
    leader = forms.TypedChoiceField(
        label=_("Leader of the red case"), required=False, coerce=int, empty_value=None
    )
    activation_risk = forms.BooleanField(
        label=_("It may break out: report to the police at once"), required=False
    )
    reason = forms.CharField(label=_("Reason"), max_length=200)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["colour"].initial = self.dispute.colour
        self.fields["leader"].initial = self.dispute.leader_id
        self.fields["activation_risk"].initial = self.dispute.activation_risk

    def arguments(self) -> dict[str, Any]:
        data = super().arguments()
        data["leader"] = User.objects.filter(pk=data["leader"]).first() if data["leader"] else None
        return data


class NameForm(StepForm):
    """Somebody is named to the dispute."""

    user = forms.TypedChoiceField(label=_("Mediator"), coerce=int)

    def arguments(self) -> dict[str, Any]:
        return {"user": User.objects.get(pk=self.cleaned_data["user"])}


class ReleaseForm(StepForm):
    """Somebody's naming ends."""

    user = forms.ModelChoiceField(label=_("Mediator"), queryset=None)
    reason = forms.CharField(label=_("Reason"), max_length=200)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        named = self.dispute.mediators.filter(until=None).values("user")
        self.fields["user"].queryset = User.objects.filter(pk__in=named)


class RemarkForm(StepForm):
    """A note for the timeline."""

    note = long_text(_("Remark"), rows=3)


class RevealForm(forms.Form):
    """Why somebody needs to see the parties in full."""

    reason = forms.CharField(label=_("Why you need to see it"), max_length=200)
