"""The deadlines of an item and the ladder it climbs, as its keepers fill them in.

What must not live here: writing a version (services/catalogue.py, services/ladders.py).
"""

from collections.abc import Iterable, Iterator
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.models import Channel
from core.widgets import DayInput
from core.working_calendar import Unit
from incidents.models import Deadline, Ladder, LadderRung, Stage, Tier
from incidents.models.ladder import Rung
from incidents.services.catalogue import Term
from incidents.services.ladders import RungTerm

# Rows for parts of a stage beyond those that stand.
SPARE_PARTS = 2
LONGEST = 3650
# On the day a clock can be set at all: parts of the way, e.g. stop, penalty, demolition.
PART_STAGES = [(stage.value, stage.label) for stage in (Stage.RESPOND, Stage.RESOLVE)]


# Fields in a grid stand outside the part that draws a field.
INPUT = {"class": "g-input"}


def _amount(label: Any, held: Deadline | LadderRung | None, *, required: bool) -> forms.Field:
    return forms.IntegerField(
        label=label,
        min_value=1,
        max_value=LONGEST,
        required=required,
        initial=held.amount if held else None,
        widget=forms.NumberInput(INPUT),
    )


def _unit(held: Deadline | LadderRung | None) -> forms.Field:
    return forms.ChoiceField(
        label=_("unit"),
        choices=Unit.choices,
        initial=held.unit if held else Unit.WORKING_DAYS,
        widget=forms.Select(INPUT),
    )


class DeadlinesForm(forms.Form):
    """A new version: an amount and a unit a stage, empty for the county's own; parts below."""

    valid_from = forms.DateField(
        label=gettext_lazy("In force from"),
        initial=timezone.localdate,
        widget=DayInput,
    )
    more_amount = forms.IntegerField(
        label=gettext_lazy("Extensions together at most"),
        min_value=1,
        max_value=LONGEST,
        required=False,
        help_text=gettext_lazy("Left empty, the county's own; there, the term itself once more."),
    )
    more_unit = forms.ChoiceField(
        label=gettext_lazy("Unit"), choices=Unit.choices, required=False, initial=Unit.CALENDAR_DAYS
    )
    open_cases = forms.BooleanField(
        label=gettext_lazy("Also for open cases"),
        help_text=gettext_lazy("Left open, only cases from now on have them. Look first."),
        required=False,
    )

    def __init__(
        self,
        *args: Any,
        deadlines: Iterable[Deadline] = (),
        more: tuple[int, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if more is not None:
            self.initial.update(more_amount=more[0], more_unit=more[1])
        held = list(deadlines)
        whole = {row.stage: row for row in held if not row.name}
        for stage in Stage:
            self._add(str(stage.value), stage.label, whole.get(stage.value))
        self.parts: list[str] = []
        for n, part in enumerate([row for row in held if row.name] + [None] * SPARE_PARTS):
            name = f"part{n}"
            self.parts.append(name)
            self.fields[f"{name}_stage"] = forms.ChoiceField(
                label=_("Stage"),
                choices=PART_STAGES,
                initial=part.stage if part else Stage.RESPOND,
                widget=forms.Select(INPUT),
            )
            self.fields[f"{name}_name"] = forms.CharField(
                label=_("Part"),
                max_length=40,
                required=False,
                initial=part and part.name,
                widget=forms.TextInput(INPUT),
            )
            self._add(name, _("Part"), part)

    def _add(self, name: str, label: Any, held: Deadline | None) -> None:
        self.fields[f"{name}_amount"] = _amount(label, held, required=False)
        self.fields[f"{name}_unit"] = _unit(held)

    def stage_rows(self) -> Iterator[tuple[Any, Any]]:
        """Yield (amount, unit) fields of each stage, for the template."""
        for stage in Stage.values:
            yield self[f"{stage}_amount"], self[f"{stage}_unit"]

    def part_rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield (stage, name, amount, unit) fields of each part, for the template."""
        for name in self.parts:
            yield tuple(self[f"{name}_{end}"] for end in ("stage", "name", "amount", "unit"))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for name in self.parts:
            named, timed = data.get(f"{name}_name"), data.get(f"{name}_amount")
            if bool(named) != bool(timed):
                self.add_error(f"{name}_name", _("Give the part a name and a time, or neither."))
        if not self.errors and not self.terms():
            raise forms.ValidationError(_("Give at least one deadline."))
        today = timezone.localdate()
        starts = data.get("valid_from")
        if starts and starts < today:
            self.add_error("valid_from", _("Deadlines start today at the earliest."))
        if starts and starts > today and data.get("open_cases"):
            self.add_error(
                "open_cases", _("Open cases can be given deadlines that are in force from today.")
            )
        return data

    @property
    def more(self) -> tuple[int, str] | None:
        """The most that all extensions of a case may add, if the item says."""
        data = self.cleaned_data
        return (data["more_amount"], data["more_unit"]) if data.get("more_amount") else None

    def terms(self) -> list[Term]:
        """Return the deadlines given."""
        data = self.cleaned_data
        whole = [
            Term(stage, data[f"{stage}_amount"], data[f"{stage}_unit"])
            for stage in Stage.values
            if data.get(f"{stage}_amount")
        ]
        return whole + [
            Term(
                data[f"{name}_stage"],
                data[f"{name}_amount"],
                data[f"{name}_unit"],
                name=data[f"{name}_name"],
            )
            for name in self.parts
            if data.get(f"{name}_amount")
        ]


class LadderForm(forms.Form):
    """A new version of a ladder: which rungs it has, how long each waits, which takes over."""

    tier = forms.ChoiceField(
        label=gettext_lazy("For"),
        choices=[("", gettext_lazy("every tier")), *Tier.choices],
        required=False,
    )

    def __init__(self, data: Any = None, *, ladder: Ladder | None = None) -> None:
        super().__init__(data, initial={"tier": ladder.tier} if ladder else {}, prefix="ladder")
        held = {row.rung: row for row in ladder.rungs.all()} if ladder else {}
        for rung in Rung:
            row = held.get(rung)
            name = rung.name.lower()
            self.fields[name] = forms.BooleanField(
                label=rung.label, required=False, initial=ladder is None or row is not None
            )
            self.fields[f"{name}_amount"] = _amount(_("after"), row or LadderRung(), required=True)
            self.fields[f"{name}_unit"] = _unit(row)
            self.fields[f"{name}_channels"] = forms.MultipleChoiceField(
                label=_("channels"),
                choices=Channel.Kind.choices,
                required=False,
                initial=row.channels if row else [],
                widget=forms.CheckboxSelectMultiple,
            )
            if rung != Rung.LEADER:
                self.fields[f"{name}_takes_over"] = forms.BooleanField(
                    label=_("takes the case over"),
                    required=False,
                    initial=bool(row and row.takes_over),
                )

    def rung_rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield (told, amount, unit, takes over or None, channels) fields of each rung."""
        for rung in Rung:
            name = rung.name.lower()
            over = self[f"{name}_takes_over"] if rung != Rung.LEADER else None
            amount, unit = self[f"{name}_amount"], self[f"{name}_unit"]
            yield self[name], amount, unit, over, self[f"{name}_channels"]

    def rungs(self) -> list[RungTerm]:
        """Return the rungs chosen."""
        data = self.cleaned_data
        return [
            RungTerm(
                rung=rung.value,
                amount=data[f"{name}_amount"],
                unit=data[f"{name}_unit"],
                takes_over=data.get(f"{name}_takes_over", False),
                channels=data[f"{name}_channels"],
            )
            for rung in Rung
            for name in [rung.name.lower()]
            if data[name]
        ]
