"""Forms of inspections: the campaign with its checklist, a place, and what an inspector finds.

What must not live here: what any of it means (services/inspections.py, services/hazards.py).
"""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.widgets import DayInput
from grids.models import Area, Department, Level
from incidents.forms.fields import CHOOSE, CategoryField, NoteField, PhotosField, QuickSelect
from incidents.models import InspectedKind, Inspection, InspectionItem
from incidents.models.inspection import DAYS_MOST
from incidents.queries import choices
from incidents.services.hazards import TEXT_LIMIT, FoundHazard
from incidents.services.inspections import (
    ITEMS_MOST,
    InspectionFields,
    ItemFields,
    PlaceFields,
)

BLANK_LINES, LEAST_LINES = 3, 6
FIXED = [("yes", _("Put right on the spot")), ("no", _("To be put right by a day"))]


class ItemForm(forms.Form):
    """One line of the checklist; a line without words is none."""

    pk = forms.IntegerField(required=False, widget=forms.HiddenInput)
    text = forms.CharField(label=_("What to look at"), max_length=100, required=False)
    category = CategoryField(label=_("Category"), required=False)
    department = forms.ChoiceField(label=_("Whose duty"), required=False, widget=QuickSelect)
    days = forms.IntegerField(
        label=_("Days to put it right"), min_value=1, max_value=DAYS_MOST, required=False
    )

    def __init__(self, data: Any = None, *, departments: Sequence[Department], **more: Any) -> None:
        super().__init__(data, **more)
        self.departments = {str(row.pk): row for row in departments}
        owners = [(key, row.label) for key, row in self.departments.items()]
        self.fields["department"].choices = [("", _("As the category says")), *owners]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("text", "").strip():
            if "category" not in self.errors and not data.get("category"):
                self.add_error("category", _("Choose a category first."))
            if "days" not in self.errors and not data.get("days"):
                self.add_error("days", _("Between 1 and %(n)s days.") % {"n": DAYS_MOST})
        return data

    def fields_given(self) -> ItemFields | None:
        """Return the line, None where nothing stands."""
        data = self.cleaned_data
        if not data["text"].strip():
            return None
        return ItemFields(
            text=data["text"],
            category=data["category"],
            days=data["days"],
            department=self.departments.get(data["department"]),
            pk=data["pk"],
        )


class InspectionForm(forms.Form):
    """A campaign in one area, with those who take part; ``lines`` are its checklist."""

    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)
    name = forms.CharField(label=_("Name of the inspection"), max_length=60)
    kind = forms.ChoiceField(label=_("What is inspected"), choices=InspectedKind.choices)
    about = NoteField(label=_("Purpose"), rows=2, max_length=500, required=False)
    starts_on = forms.DateField(label=_("Starts on"), widget=DayInput)
    ends_on = forms.DateField(label=_("Ends on"), widget=DayInput)
    areas = forms.MultipleChoiceField(
        label=_("Who takes part: everybody posted in"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    departments = forms.MultipleChoiceField(
        label=_("Departments that take part"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(
        self, data: Any = None, *, area: Area, inspection: Inspection | None = None
    ) -> None:
        today = timezone.localdate()
        first: dict[str, Any] = {"starts_on": today, "ends_on": today + timedelta(days=30)}
        items: list[InspectionItem] = []
        if inspection is not None:
            items = list(inspection.items.all())
            first = {
                name: getattr(inspection, name)
                for name in ("name", "kind", "about", "starts_on", "ends_on")
            }
            teams = list(inspection.teams.all())
            first["seen"] = inspection.version
            first["areas"] = [str(team.area_id) for team in teams if team.area_id]
            first["departments"] = [str(t.department_id) for t in teams if t.department_id]
        elif area.level == Level.TOWN:
            first["areas"] = [str(area.pk)]
        super().__init__(data, initial=first)
        self.area = area
        county = area.level == Level.COUNTY
        below = Area.objects.open().filter(path__startswith=area.path, depth=area.depth + 1)
        self.parts = {str(one.pk): one for one in (area, *below.defer("boundary", "outline"))}
        self.fields["areas"].choices = [(key, one.name) for key, one in self.parts.items()]
        self.offices = choices.departments(area.pk) if county else []
        if county:
            rows = [(str(row.pk), row.label) for row in self.offices]
            self.fields["departments"].choices = rows
        else:
            del self.fields["departments"]
        self.lines = self._lines(data, items)

    def _lines(self, data: Any, items: list[InspectionItem]) -> list[ItemForm]:
        count = max(LEAST_LINES, len(items) + BLANK_LINES)
        if data is not None:
            count = sum(f"item{n}-text" in data for n in range(ITEMS_MOST + 1))
        lines = []
        for n in range(count):
            item = items[n] if data is None and n < len(items) else None
            initial: dict[str, Any] = {"days": 7}
            if item is not None:
                initial = {
                    "pk": item.pk,
                    "text": item.text,
                    "category": str(item.category_id),
                    "department": str(item.department_id or ""),
                    "days": item.days,
                }
            lines.append(
                ItemForm(
                    data,
                    prefix=f"item{n}",
                    initial=initial,
                    departments=self.offices,
                )
            )
        return lines

    def is_valid(self) -> bool:
        """The campaign and every line of its checklist."""
        return all([super().is_valid(), *(line.is_valid() for line in self.lines)])

    def fields_given(self) -> InspectionFields:
        """Return the campaign as the services take it."""
        data = self.cleaned_data
        chosen = set(data.get("departments", ()))
        given = [line.fields_given() for line in self.lines]
        return InspectionFields(
            name=data["name"],
            kind=data["kind"],
            about=data["about"],
            area=self.area,
            starts_on=data["starts_on"],
            ends_on=data["ends_on"],
            areas=[self.parts[key] for key in data["areas"]],
            departments=[row for row in self.offices if str(row.pk) in chosen],
            items=[item for item in given if item is not None],
        )


class PlaceForm(forms.Form):
    """One place of the list, by the map or by the area."""

    name = forms.CharField(label=_("Name of the place"), max_length=100)
    address = forms.CharField(label=_("Address"), max_length=200, required=False)
    area = forms.ChoiceField(label=_("Area"), required=False, widget=QuickSelect)
    lat = forms.FloatField(required=False, widget=forms.HiddenInput)
    lon = forms.FloatField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, within: Area) -> None:
        super().__init__(data)
        lowest = Level.TOWN if within.level == Level.COUNTY else Level.VILLAGE
        below = Area.objects.open().filter(path__startswith=within.path, level=lowest)
        self.areas = {str(area.pk): area for area in below.defer("boundary", "outline")}
        rows = [(key, area.name) for key, area in self.areas.items()]
        self.fields["area"].choices = [("", _("From the map")), *rows]

    def fields_given(self) -> PlaceFields:
        """Return the place as the services take it."""
        data = self.cleaned_data
        point = data["lat"] is not None and data["lon"] is not None
        return PlaceFields(
            name=data["name"],
            address=data["address"],
            # The mark on the map says it more exactly.
            area=None if point else self.areas.get(data["area"]),
            longitude=data["lon"] if point else None,
            latitude=data["lat"] if point else None,
        )


class HazardForm(forms.Form):
    """What was found at a place. ``key`` is the phone's own UUID; a retry is the same hazard."""

    key = forms.UUIDField(required=False, widget=forms.HiddenInput)
    item = forms.ChoiceField(label=_("Line of the checklist"), widget=QuickSelect)
    text = NoteField(
        label=_("What exactly"),
        rows=2,
        max_length=TEXT_LIMIT,
        required=False,
        help_text=_("No names of people."),
    )
    before = PhotosField(label=_("Photo of the hazard"), required=False)
    fixed = forms.ChoiceField(
        label=_("How is it put right?"), choices=FIXED, widget=forms.RadioSelect, initial="no"
    )
    result = NoteField(label=_("What was done"), rows=2, max_length=TEXT_LIMIT, required=False)
    after = PhotosField(label=_("Photo of it put right"), required=False)
    due_on = forms.DateField(
        label=_("To be put right by"),
        required=False,
        widget=DayInput,
        help_text=_("Left empty, the last day the checklist gives."),
    )

    def __init__(self, data: Any = None, *, items: Sequence[InspectionItem], **more: Any) -> None:
        super().__init__(data, **more)
        self.items = list(items)
        self.fields["item"].choices = [
            CHOOSE,
            *((str(item.pk), item.text) for item in self.items),
        ]

    def sent(self, *, place_id: int) -> FoundHazard:
        """Return the hazard as the service takes it."""
        data = self.cleaned_data
        fixed = data["fixed"] == "yes"
        return FoundHazard(
            place_id=place_id,
            item_id=int(data["item"]),
            key=data["key"] or uuid.uuid4(),
            text=data["text"],
            before=data["before"],
            fixed=fixed,
            result=data["result"] if fixed else "",
            after=data["after"] if fixed else (),
            due_on=None if fixed else data["due_on"],
        )
