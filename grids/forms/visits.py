"""What a visitor sends from the phone.

What must not live here: storing it (services/visits.py).
"""

import uuid
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from grids.services.visits import DIARY_LIMIT, NEED_LIMIT, SentVisit

PHOTO_FILES = "photo_files"


class VisitForm(forms.Form):
    """Check-in, diary, need. ``key`` is the phone's own UUID, so a retry is the same visit."""

    key = forms.UUIDField(required=False, widget=forms.HiddenInput)
    at = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    lat = forms.FloatField(required=False, widget=forms.HiddenInput)
    lon = forms.FloatField(required=False, widget=forms.HiddenInput)
    accuracy = forms.FloatField(required=False, widget=forms.HiddenInput)
    met = forms.ChoiceField(
        label=_("Was somebody at home?"),
        choices=[("yes", _("Talked to somebody")), ("no", _("Nobody at home"))],
        widget=forms.RadioSelect,
        initial="yes",
    )
    diary = forms.CharField(
        label=_("Diary"),
        max_length=DIARY_LIMIT,
        required=False,
        widget=forms.Textarea({"rows": 4}),
        help_text=_("Only the line that looks after this household reads it."),
    )
    need = forms.CharField(
        label=_("A need was found"),
        max_length=NEED_LIMIT,
        required=False,
        widget=forms.Textarea({"rows": 2}),
        help_text=_("It becomes a case at once; leave it empty if there is none."),
    )

    def sent(self, *, household_id: int, photos: list[Any]) -> SentVisit:
        """Return the visit as the service takes it."""
        data = self.cleaned_data
        accuracy = data["accuracy"]
        return SentVisit(
            household_id=household_id,
            key=data["key"] or uuid.uuid4(),
            met=data["met"] == "yes",
            at=data["at"],
            latitude=data["lat"],
            longitude=data["lon"],
            accuracy=round(accuracy) if accuracy is not None and 0 <= accuracy < 1e6 else None,
            diary=data["diary"],
            need=data["need"],
            photos=photos,
        )


class NeedForm(forms.Form):
    """A need told after the visit was sent."""

    need = forms.CharField(
        label=_("What is needed?"), max_length=NEED_LIMIT, widget=forms.Textarea({"rows": 3})
    )


class PositionForm(forms.Form):
    """Where the phone is now; used for the order of the round, and kept nowhere."""

    lat = forms.FloatField(required=False, min_value=-90, max_value=90)
    lon = forms.FloatField(required=False, min_value=-180, max_value=180)

    def position(self) -> tuple[float | None, float | None]:
        """Return longitude and latitude, both None unless both are given."""
        data = self.cleaned_data if self.is_valid() else {}
        lat, lon = data.get("lat"), data.get("lon")
        return (None, None) if lat is None or lon is None else (lon, lat)
