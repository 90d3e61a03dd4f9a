"""Forms of the roster.

What must not live here: rights and rules (services/people.py, services/leaves.py).
"""

from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from core.widgets import DayInput
from grids.models import Area, Department, Role, User, WorkerKind
from grids.models.posting import ROLE_LEVELS
from grids.queries.roster import (
    STANDINGS,
    RosterFilter,
    named_people,
    named_places,
    place_of_code,
)
from grids.services.people import NAME_LIMIT, REASON_LIMIT, PersonFields, Post

DAY = timedelta(days=1)
_STANDING_WORDS = {
    "current": _("In post"),
    "leave": _("On leave today"),
    "ended": _("Ended"),
    "": _("All"),
}


class FilterForm(forms.Form):
    """What the list is narrowed to; ``areas`` are the reader's own."""

    search = forms.CharField(
        label=_("Name, account, whole phone or ID number"), max_length=60, required=False
    )
    role = forms.ChoiceField(label=_("Role"), required=False)
    worker_kind = forms.ChoiceField(
        label=_("Kind of worker"), choices=[("", _("All")), *WorkerKind.choices], required=False
    )
    place = forms.CharField(label=_("Place (code or name)"), max_length=60, required=False)
    standing = forms.ChoiceField(label=_("State"), required=False)

    def __init__(self, *args: Any, areas: tuple[Area, ...], **more: Any) -> None:
        super().__init__(*args, **more)
        self.areas = areas
        self.fields["role"].choices = [("", _("All")), *Role.choices]
        self.fields["standing"].choices = [(s, _STANDING_WORDS[s]) for s in STANDINGS]
        self.fields["standing"].choices += [("all", _STANDING_WORDS[""])]

    def clean_place(self) -> Area | None:
        """Return the one area meant."""
        text = self.cleaned_data["place"].strip()
        if not text:
            return None
        found = named_places(text, self.areas)
        if len(found) != 1:
            raise forms.ValidationError(_place_problem(text, found))
        return found[0]

    def wanted(self) -> RosterFilter:
        """Return the filter; what is not understood narrows nothing."""
        data = getattr(self, "cleaned_data", {})
        standing = data.get("standing") or "current"
        return RosterFilter(
            role=data.get("role", ""),
            worker_kind=data.get("worker_kind", ""),
            place=data.get("place"),
            standing="" if standing == "all" else standing,
            search=data.get("search", "").replace("\x00", ""),
        )


def _place_problem(text: str, found: list[Area]) -> str:
    if not found:
        return _now("There is no such place in your area.")
    codes = "、".join(f"{area.name} {area.code}" for area in found[:5])
    return _now("Several places have this name; write the code: %(codes)s") % {"codes": codes}


class PostForm(forms.Form):
    """A role at a place from a day on."""

    role = forms.ChoiceField(label=_("Role"))
    worker_kind = forms.ChoiceField(
        label=_("Kind of worker"),
        choices=[("", "–"), *WorkerKind.choices],
        required=False,
        help_text=_("For grid workers only."),
    )
    place = forms.CharField(
        label=_("Place (code or name)"),
        max_length=60,
        help_text=_("The grid, village, town or department; a name that repeats needs its code."),
    )
    valid_from = forms.DateField(label=_("First day"), widget=DayInput, initial=timezone.localdate)

    def __init__(self, *args: Any, areas: tuple[Area, ...], kept: list[str], **more: Any) -> None:
        super().__init__(*args, **more)
        self.areas = areas
        self.fields["role"].choices = [(role, Role(role).label) for role in kept]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("place") and data.get("role"):
            try:
                data["place"] = self._place(data["place"].strip(), data["role"])
            except forms.ValidationError as error:
                self.add_error("place", error)
        return data

    def _place(self, text: str, role: str) -> Area | Department:
        if role == Role.DEPARTMENT_HANDLER:
            department = Department.objects.filter(active=True, county__in=self.areas)
            found = department.filter(code=text).first() or department.filter(name=text).first()
            if found is None:
                raise forms.ValidationError(_("There is no such department."))
            return found
        place = place_of_code(text, self.areas)
        if place is not None:
            return place
        named = named_places(text, self.areas, levels=ROLE_LEVELS[role])
        if len(named) != 1:
            raise forms.ValidationError(_place_problem(text, named))
        return named[0]

    def post(self) -> Post:
        """Return the posting to be."""
        data = self.cleaned_data
        return Post(
            data["role"], data["place"], data["valid_from"], worker_kind=data["worker_kind"]
        )


class _NoChief(forms.Form):
    no_chief_reason = forms.CharField(
        label=_("Why without a chief"),
        max_length=REASON_LIMIT,
        required=False,
        help_text=_("Only where the last chief of a grid leaves and no other follows."),
    )


class TransferForm(PostForm, _NoChief):
    """From one post to another."""


class PersonForm(forms.Form):
    """Who somebody is."""

    name = forms.CharField(label=_("Name"), max_length=NAME_LIMIT)
    phone = forms.CharField(label=_("Phone"), max_length=30)
    id_number = forms.CharField(
        label=_("ID number"), max_length=30, required=False, help_text=_("18 characters.")
    )

    def person(self) -> PersonFields:
        """Return what was typed."""
        data = self.cleaned_data
        return PersonFields(data["name"], data["phone"], data["id_number"])


class NewPersonForm(PostForm, PersonForm):
    """Somebody new and the first post."""

    field_order = ["name", "phone", "id_number", "role", "worker_kind", "place", "valid_from"]


class ChangePersonForm(PersonForm):
    """Who somebody is, corrected. Phone and ID number, masked, stay where nothing is typed."""

    def __init__(self, *args: Any, person: User, **more: Any) -> None:
        super().__init__(*args, **more)
        self.user = person
        self.initial = {"name": person.display_name}
        for name in ("phone", "id_number"):
            self.fields[name].required = False
            self.fields[name].help_text = _("Leave it empty to keep what is there.")

    def person(self) -> PersonFields:
        """Return what was typed, filled up with what was there."""
        data = self.cleaned_data
        return PersonFields(
            data["name"], data["phone"] or self.user.phone, data["id_number"] or None
        )


class EndForm(_NoChief):
    """The last day in a post."""

    last_day = forms.DateField(
        label=_("Last day in post"), widget=DayInput, initial=timezone.localdate
    )
    field_order = ["last_day", "no_chief_reason"]


class LeaveForm(forms.Form):
    """From when to when somebody is away, and who stands in; ``areas`` are the reader's own."""

    away_from = forms.DateField(label=_("First day away"), widget=DayInput)
    last_day = forms.DateField(label=_("Last day away"), widget=DayInput)
    substitute = forms.CharField(
        label=_("Substitute"),
        max_length=60,
        help_text=_("Name or account of somebody on your roster."),
    )
    reason = forms.CharField(label=_("Reason"), max_length=REASON_LIMIT, required=False)

    def __init__(self, *args: Any, areas: tuple[Area, ...], **more: Any) -> None:
        super().__init__(*args, **more)
        self.areas = areas

    def clean_substitute(self) -> User:
        """Return the one person meant."""
        text = self.cleaned_data["substitute"].strip()
        found = named_people(text, self.areas)
        if not found:
            raise forms.ValidationError(_("There is nobody of this name on your roster."))
        if len(found) > 1:
            who = "、".join(f"{user.display_name} {user.username}" for user in found[:5])
            raise forms.ValidationError(
                _now("Several people have this name; write the account: %(who)s") % {"who": who}
            )
        return found[0]


class BackForm(forms.Form):
    """The day somebody is back."""

    day = forms.DateField(label=_("Back on"), widget=DayInput, initial=timezone.localdate)
