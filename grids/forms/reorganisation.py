"""Forms of an act that reorders the territory.

What must not live here: what a step means and who may (services/reorganisation.py).
"""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.widgets import DayInput
from grids.models import Area, Reorganisation, ReorganisationStep
from grids.models.reorganisation import WITH_CODE, WITH_TARGET, StepKind
from grids.queries.reach import Reach
from grids.queries.reorganisation import area_meant
from grids.services.reorganisation import MOST_STEPS, NewStep


class ActForm(forms.ModelForm):
    """What an act is called, on whose word, and from when."""

    class Meta:
        model = Reorganisation
        fields = ["title", "document", "effective_on", "reason"]
        widgets = {
            "effective_on": DayInput,
            "reason": forms.Textarea(attrs={"rows": 2}),
        }
        help_texts = {
            "effective_on": _(
                "From this day the new order holds. A decided act waits for its day by itself; "
                "where the day is today or past, it is carried out within a minute."
            ),
        }


class AreaText(forms.CharField):
    """An area typed or chosen from the list: its code and name, or one of the two."""

    def __init__(self, **more: Any) -> None:
        super().__init__(max_length=120, required=False, **more)

    def prepare_value(self, value: Any) -> Any:
        return f"{value.code} {value.name}" if isinstance(value, Area) else value


class StepForm(forms.Form):
    """One step. The page shows what its kind needs; nothing else is read."""

    kind = forms.ChoiceField(label=_("What changes"), choices=StepKind.choices)
    subject = AreaText(
        label=_("Town or village"), help_text=_("Type a part of the name or the code, and choose.")
    )
    target = AreaText(label=_("Goes to"), help_text=_("The village or town that takes it in."))
    new_code = forms.CharField(
        label=_("New code"),
        max_length=12,
        required=False,
        help_text=_("9 digits for a town, 12 for a village."),
    )
    new_name = forms.CharField(label=_("New name"), max_length=100, required=False)

    def __init__(self, *args: Any, reach: Reach, **more: Any) -> None:
        super().__init__(*args, **more)
        self.reach = reach

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        kind = data.get("kind", "")
        for name in ("subject", *(["target"] if kind in WITH_TARGET else [])):
            data[name] = self._area(name, data.get(name, ""))
        if kind in WITH_CODE and not data.get("new_code"):
            self.add_error("new_code", _("Give the new code."))
        if kind == StepKind.RENAME and not data.get("new_name"):
            self.add_error("new_name", _("Give the new name."))
        return data

    def _area(self, name: str, text: str) -> Area | None:
        if not text:
            self.add_error(name, _("Choose an area."))
            return None
        area = area_meant(self.reach, text)
        if area is None:
            self.add_error(
                name,
                _(
                    "“%(text)s” is none of the areas in force you look after, or more than one. "
                    "Choose from the list or type the whole code."
                )
                % {"text": text[:40]},
            )
        return area

    def step(self) -> NewStep:
        """Return the step as the service takes it."""
        data = self.cleaned_data
        kind = data["kind"]
        return NewStep(
            kind=kind,
            subject=data["subject"],
            target=data["target"] if kind in WITH_TARGET else None,
            new_code=data["new_code"] if kind in WITH_CODE | {StepKind.MOVE_VILLAGE} else "",
            new_name=data["new_name"] if kind == StepKind.RENAME else "",
        )


StepForms = forms.formset_factory(
    StepForm, extra=0, min_num=1, max_num=MOST_STEPS, validate_max=True, can_delete=True
)


def step_initial(step: ReorganisationStep) -> dict[str, Any]:
    """Return what a step's form shows at first."""
    return {
        "kind": step.kind,
        "subject": step.subject,
        "target": step.target or "",
        "new_code": step.new_code,
        "new_name": step.new_name,
    }


class NoteForm(forms.Form):
    """A word with a decision, and the version of the act it is about."""

    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    note = forms.CharField(
        label=_("Note"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Needed to send an act back or to withdraw it."),
    )
