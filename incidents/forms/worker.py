"""What a worker reports from the phone.

What must not live here: finding the place and storing it (services/intake.py).
"""

import uuid
from dataclasses import replace
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from grids.models import Area, Level
from incidents.forms.fields import CategoryField, NoteField, PhoneField, PhotosField, QuickSelect
from incidents.models import Source
from incidents.services.intake import TEXT_LIMIT, Report


class WorkerReportForm(forms.Form):
    """Photo, words, place; ``key`` is the phone's own UUID, so a retry is the same report.

    ``areas`` are the places the worker is posted to: the first stands in for a missing position.
    """

    key = forms.UUIDField(widget=forms.HiddenInput, required=False)
    photos = PhotosField(label=_("Photos"), required=False)
    text = NoteField(label=_("What is wrong?"), rows=4, max_length=TEXT_LIMIT)
    category = CategoryField(label=_("Category"), required=False)
    address = forms.CharField(label=_("Where exactly"), max_length=200, required=False)
    area = forms.ChoiceField(label=_("My grid"), required=False, widget=QuickSelect)
    emergency = forms.BooleanField(
        label=_("Emergency: somebody is in danger now"),
        required=False,
        help_text=_("Call 110, 119 or 120 first. Then everybody on the standing order is called."),
    )
    lat = forms.FloatField(required=False, widget=forms.HiddenInput)
    lon = forms.FloatField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *, areas: list[Area], **more: Any) -> None:
        super().__init__(data, **more)
        self.areas = {str(area.pk): area for area in areas}
        self.fields["area"].choices = [(key, area.name) for key, area in self.areas.items()]

    def report(self, *, with_point: bool = True) -> Report:
        """Return the report; without a usable position it lies in the worker's own grid.

        What was refused is left out, so that the rest can be compared with open cases.
        """
        data = self.cleaned_data
        point = with_point and data["lat"] is not None and data["lon"] is not None
        area = self.areas.get(data["area"]) or next(iter(self.areas.values()), None)
        return Report(
            text=data["text"],
            source=Source.WORKER,
            key=data.get("key") or uuid.uuid4(),
            latitude=data["lat"] if point else None,
            longitude=data["lon"] if point else None,
            address=data.get("address", ""),
            area=None if point else area,
            category=data.get("category"),
            emergency=data["emergency"],
            photo_ids=data.get("photos", ()),
        )


class DeskReportForm(WorkerReportForm):
    """A report somebody else made: by the hotline, in a meeting, at an inspection.

    Where a town's or the county's desk stands says little about the place: the words say more,
    unless whoever writes them down declines what is read from them (``as_chosen``).
    """

    SOURCES = (Source.HOTLINE, Source.INSPECTION, Source.MEETING)

    source = forms.ChoiceField(label=_("How it came in"), widget=forms.RadioSelect)
    name = forms.CharField(label=_("Reporter's name"), max_length=40, required=False)
    phone = PhoneField(label=_("Reporter's phone"))
    as_chosen = forms.BooleanField(required=False)

    def __init__(self, data: Any = None, **more: Any) -> None:
        super().__init__(data, **more)
        self.fields["source"].choices = [(value, value.label) for value in self.SOURCES]
        self.initial.setdefault("source", Source.HOTLINE)

    def report(self, *, with_point: bool = True) -> Report:
        """Return the report with how it came in and who made it."""
        data, sent = self.cleaned_data, super().report(with_point=with_point)
        return replace(
            sent,
            source=data["source"],
            name=data["name"],
            phone=data["phone"],
            area_holds=data["as_chosen"],
        )


def own_areas(areas: tuple[Area, ...]) -> list[Area]:
    """Return the grids and units of a scope, else what there is: where a worker reports from."""
    small = [area for area in areas if area.level in {Level.GRID, Level.UNIT}]
    return small or list(areas)
