"""A standing order as its keepers fill it in, and what is tried with it.

What must not live here: writing an order (services/standing.py).
"""

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.models import Channel
from core.widgets import DayInput
from grids.models import SHAPES, Area, Department, Level, Role, User
from incidents.forms.fields import QuickSelect
from incidents.models import CALLED_ROLES, EmergencyKind, StandingOrder
from incidents.services.standing import LONGEST, MOST_STEPS, SHORTEST, CallTerm

PERSON = "person"
USUAL_SECONDS = 180


def areas() -> dict[str, Area]:
    """Return counties, towns and villages by id, each below what it lies in (1 query)."""
    found = Area.objects.open().filter(level__in=[Level.COUNTY, Level.TOWN, Level.VILLAGE])
    return {str(area.pk): area for area in found.order_by("path").defer(*SHAPES)}


def _indented(area: Area) -> str:
    return {Level.TOWN: "· ", Level.VILLAGE: "·· "}.get(Level(area.level), "") + area.name


class AreaChoice(forms.ChoiceField):
    """A county, a town or a village."""

    def __init__(self, **more: Any) -> None:
        super().__init__(widget=QuickSelect(attrs={"data-filter": ""}), **more)


class OrderForm(forms.Form):
    """Kind, area and days, and up to eight calls in their order."""

    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)
    kind = forms.ChoiceField(label=gettext_lazy("Emergency"), choices=EmergencyKind.choices)
    area = AreaChoice(label=gettext_lazy("Area"))
    valid_from = forms.DateField(
        label=gettext_lazy("In force from"),
        initial=timezone.localdate,
        widget=DayInput,
    )
    valid_to = forms.DateField(
        label=gettext_lazy("Until (not included)"),
        required=False,
        widget=DayInput,
    )

    def __init__(self, data: Any = None, *, order: StandingOrder | None = None) -> None:
        held = list(order.steps.all()) if order else []
        first = {}
        if order is not None:
            first = {name: getattr(order, name) for name in ("kind", "valid_from", "valid_to")}
            first |= {"area": str(order.area_id), "seen": order.version}
        super().__init__(data, initial=first)
        self.areas = areas()
        self.fields["area"].choices = [(key, _indented(area)) for key, area in self.areas.items()]
        self.departments = {f"d{row.pk}": row for row in Department.objects.filter(active=True)}
        whom = [
            ("", "—"),
            (_("Posts of the case's place"), [(str(r), Role(r).label) for r in CALLED_ROLES]),
            (_("Departments"), [(key, row.label) for key, row in self.departments.items()]),
            (_("A person"), [(PERSON, _("by account name"))]),
        ]
        for n in range(MOST_STEPS):
            step = held[n] if n < len(held) else None
            to = ""
            if step is not None:
                to = step.role or (f"d{step.department_id}" if step.department_id else PERSON)
            self._add(f"to_{n}", forms.ChoiceField(
                label=_("Whom to call"), choices=whom, required=False, initial=to,
                widget=QuickSelect({"class": "g-input"}),
            ))  # fmt: skip
            self._add(f"account_{n}", forms.CharField(
                label=_("Account name"), max_length=150, required=False,
                initial=step.user.username if step and step.user else "",
                widget=forms.TextInput({"class": "g-input", "autocomplete": "off"}),
            ))  # fmt: skip
            self._add(f"seconds_{n}", forms.IntegerField(
                label=_("Seconds"), min_value=SHORTEST, max_value=LONGEST, required=False,
                initial=step.seconds if step else USUAL_SECONDS,
                widget=forms.NumberInput({"class": "g-input"}),
            ))  # fmt: skip
            self._add(f"channels_{n}", forms.MultipleChoiceField(
                label=_("Channels"), choices=Channel.Kind.choices, required=False,
                initial=step.channels if step else [], widget=forms.CheckboxSelectMultiple,
            ))  # fmt: skip

    def _add(self, name: str, field: forms.Field) -> None:
        self.fields[name] = field

    def rows(self) -> list[tuple[Any, ...]]:
        """Return (number, to, account, seconds, channels) fields of each call."""
        names = ("to", "account", "seconds", "channels")
        return [(n + 1, *(self[f"{name}_{n}"] for name in names)) for n in range(MOST_STEPS)]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        named = [data.get(f"account_{n}") for n in range(MOST_STEPS)]
        self.people = {u.username: u for u in User.objects.filter(username__in=filter(None, named))}
        for n in range(MOST_STEPS):
            wants = data.get(f"to_{n}") == PERSON
            if wants and data.get(f"account_{n}") not in self.people:
                self.add_error(f"account_{n}", _("There is no such account."))
            silent = not data.get(f"seconds_{n}") and f"seconds_{n}" not in self.errors
            if data.get(f"to_{n}") and silent:
                self.add_error(f"seconds_{n}", _("Say how long to wait."))
        return data

    def terms(self) -> list[CallTerm]:
        """Return the calls chosen, in their order."""
        data, found = self.cleaned_data, []
        for n in range(MOST_STEPS):
            to = data[f"to_{n}"]
            if not to:
                continue
            found.append(
                CallTerm(
                    seconds=data[f"seconds_{n}"],
                    role="" if to == PERSON or to in self.departments else to,
                    department=self.departments.get(to),
                    user=self.people[data[f"account_{n}"]] if to == PERSON else None,
                    channels=data[f"channels_{n}"],
                )
            )
        return found


class TryForm(forms.Form):
    """An emergency and a place: who would be called there now."""

    kind = forms.ChoiceField(label=gettext_lazy("Emergency"), choices=EmergencyKind.choices)
    place = AreaChoice(label=gettext_lazy("Where"))

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        self.areas = areas()
        self.fields["place"].choices = [(key, _indented(area)) for key, area in self.areas.items()]
