"""Forms of the territory pages.

What must not live here: rights and rules (services/reshaping.py, services/network.py).
"""

from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.places import SYSTEMS
from core.widgets import DayInput
from grids.models import Area, GridKind, GridTheme, Level, Posting
from grids.services.network import AllianceFields
from grids.services.reshaping import NAME_LIMIT, Described

SYSTEM_LABELS = {
    "wgs84": "WGS-84",
    "cgcs2000": "CGCS2000",
    "gcj02": "GCJ-02",
    "bd09": "BD-09",
}
# One boundary is at most so long as text; the longest of a real county's grids has 60 kB.
SHAPE_LIMIT = 1_000_000


class SeenForm(forms.Form):
    """What every act carries: the version of the area that was looked at."""

    seen = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0)


class DescribeForm(SeenForm):
    """Name, and of a grid its kind and who runs it."""

    name = forms.CharField(label=_("Name of the area"), max_length=NAME_LIMIT)
    grid_kind = forms.ChoiceField(label=_("Kind of grid"), choices=GridKind.choices)
    organisation = forms.CharField(
        label=_("Organisation that runs it"),
        max_length=NAME_LIMIT,
        required=False,
        help_text=_("Needed for a dedicated grid: hospital, school, market, enterprise …"),
    )

    def __init__(self, *args: Any, level: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self.level = level
        if level != Level.GRID:
            del self.fields["grid_kind"], self.fields["organisation"]

    def described(self) -> Described:
        """Return what was typed."""
        data = self.cleaned_data
        return Described(data["name"], data.get("grid_kind", ""), data.get("organisation", ""))


class ShapeForm(SeenForm):
    """A boundary, drawn on the map or pasted, and the word that it may be saved all the same."""

    shape = forms.CharField(
        label=_("Boundary as GeoJSON"),
        max_length=SHAPE_LIMIT,
        widget=forms.Textarea({"rows": 3, "data-shape": ""}),
        error_messages={"required": _("Draw the boundary on the map first.")},
    )
    system = forms.ChoiceField(
        label=_("Coordinates are"),
        choices=[(name, SYSTEM_LABELS[name]) for name in SYSTEMS],
        initial="wgs84",
        required=False,
        help_text=_("What is drawn here is WGS-84; choose another for pasted coordinates only."),
    )
    accept = forms.CharField(widget=forms.HiddenInput, required=False, max_length=40)


class AddForm(DescribeForm, ShapeForm):
    """A new grid or unit; its boundary may be drawn later."""

    field_order = ["name", "grid_kind", "organisation", "shape", "system"]

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["shape"].required = False


class SplitForm(SeenForm):
    """A line across a grid, and names for the new parts once it is known how many."""

    line = forms.CharField(
        label=_("Line of the cut as GeoJSON"),
        max_length=SHAPE_LIMIT,
        widget=forms.Textarea({"rows": 2, "data-shape": ""}),
        error_messages={"required": _("Draw the line on the map first.")},
    )
    names = forms.CharField(
        label=_("Names of the new grids"), required=False, max_length=NAME_LIMIT * 50
    )

    def given_names(self) -> list[str]:
        """Return the names typed, one for each new part."""
        return [name.strip() for name in self.data.getlist("name")]


class MergeForm(SeenForm):
    """Which grids of the village go into this one."""

    others = forms.TypedMultipleChoiceField(
        label=_("Grids to merge into it"), coerce=int, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, grids: list[Area], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["others"].choices = [(g.pk, f"{g.name}（{g.code[-3:]}）") for g in grids]


class MoveForm(SeenForm):
    """The village a grid goes to."""

    village = forms.TypedChoiceField(label=_("New village or community"), coerce=int)
    accept = forms.CharField(widget=forms.HiddenInput, required=False, max_length=40)

    def __init__(self, *args: Any, villages: list[Area], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["village"].choices = [("", "—"), *((v.pk, v.name) for v in villages)]


class AllianceForm(forms.Form):
    """An alliance of villages."""

    name = forms.CharField(label=_("Name of the alliance grid"), max_length=100)
    purpose = forms.CharField(
        label=_("What it does together"),
        max_length=300,
        required=False,
        widget=forms.Textarea({"rows": 2}),
    )
    villages = forms.TypedMultipleChoiceField(
        label=_("Villages"), coerce=int, widget=forms.CheckboxSelectMultiple
    )
    lead = forms.TypedChoiceField(label=_("Leading village"), coerce=int)
    valid_from = forms.DateField(label=_("Begins on"), widget=DayInput)
    seen = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0)

    def __init__(self, *args: Any, villages: list[tuple[int, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["villages"].choices = villages
        self.fields["lead"].choices = [("", "—"), *villages]
        self.fields["valid_from"].initial = timezone.localdate

    def alliance(self) -> AllianceFields:
        """Return what was given."""
        data = self.cleaned_data
        return AllianceFields(
            name=data["name"],
            purpose=data["purpose"],
            village_ids=data["villages"],
            lead_id=data["lead"],
            valid_from=data["valid_from"],
        )


class ThemeForm(forms.ModelForm):
    """A theme of the county's list; the code of one that exists stays."""

    class Meta:
        model = GridTheme
        fields = ["name", "name_en", "code", "position", "active"]

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["code"].help_text = _("Latin letters and digits; it never changes.")
        self.fields["position"].help_text = _("Lists follow it.")
        if self.instance.pk:
            self.fields["code"].disabled = True


class DutyForm(forms.Form):
    """A theme and the person who answers for it."""

    theme = forms.ModelChoiceField(GridTheme.objects.filter(active=True), label=_("Theme"))
    user = forms.TypedChoiceField(label=_("Person"), coerce=int)

    def __init__(self, *args: Any, people: list[Posting], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["user"].choices = [
            ("", "—"),
            *(
                (p.user_id, f"{p.user} · {p.get_role_display()} · {p.area.name if p.area else ''}")
                for p in people
            ),
        ]
