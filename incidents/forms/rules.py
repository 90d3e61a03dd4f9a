"""A routing rule as its keepers fill it in, with the examples it is tried on.

What must not live here: writing it (services/rule_table.py).
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.widgets import DayInput
from grids.models import Area, Department, Level
from incidents.models import Category, OwnerKind, RoutingRule
from incidents.queries.rules import target_choices

SPARE_EXAMPLES = 2
MOST_WORDS = 20
INPUT = {"class": "g-input"}
WEEKDAYS = [
    *(("1", gettext_lazy("Mon")), ("2", gettext_lazy("Tue")), ("3", gettext_lazy("Wed"))),
    *(("4", gettext_lazy("Thu")), ("5", gettext_lazy("Fri")), ("6", gettext_lazy("Sat"))),
    ("7", gettext_lazy("Sun")),
]
_CODE = re.compile(r"^\d{6,17}")
_TIME = {"type": "time", **INPUT}


class AreaField(forms.CharField):
    """An area by its code, or by a name that only one open area bears; None for nowhere."""

    widget = forms.TextInput({"list": "areas", "autocomplete": "off", **INPUT})

    def clean(self, value: Any) -> Area | None:
        typed = super().clean(value)
        if not typed:
            return None
        rows = Area.objects.open().filter(
            level__in=[Level.COUNTY, Level.TOWN, Level.VILLAGE, Level.GRID]
        )
        code = _CODE.match(typed)
        found = list(rows.filter(code=code[0]) if code else rows.filter(name=typed)[:2])
        if len(found) == 1:
            return found[0]
        if found:
            raise forms.ValidationError(
                _("Several places are called so. Choose one from the list, or type its code.")
            )
        raise forms.ValidationError(_("There is no such place. Choose one from the list."))


def area_text(area: Area | None) -> str:
    """Return an area as ``AreaField`` reads it."""
    return f"{area.code} {area.name}" if area else ""


def area_choices() -> list[str]:
    """Return towns and villages as ``AreaField`` reads them; grids are typed by code (1 query)."""
    rows = Area.objects.open().filter(level__in=[Level.TOWN, Level.VILLAGE]).order_by("path")
    return [f"{code} {name}" for code, name in rows.values_list("code", "name")]


class RuleForm(forms.ModelForm):
    """One rule: when, where to, and the examples that try it."""

    area = AreaField(label=gettext_lazy("area"), required=False)
    major = forms.ChoiceField(label=gettext_lazy("major class"), required=False)
    words = forms.CharField(
        label=gettext_lazy("words"),
        help_text=gettext_lazy("One of them stands in the report. Divide them by a comma."),
        required=False,
        max_length=400,
    )
    weekdays = forms.MultipleChoiceField(
        label=gettext_lazy("weekdays"),
        choices=WEEKDAYS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = RoutingRule
        fields = [
            *("name", "category", "major", "words", "area", "tier", "source", "weekdays"),
            *("from_time", "to_time", "valid_from", "valid_to", "owner_kind", "department"),
        ]
        widgets = {
            "from_time": forms.TimeInput({"type": "time"}, format="%H:%M"),
            "to_time": forms.TimeInput({"type": "time"}, format="%H:%M"),
            "valid_from": DayInput,
            "valid_to": DayInput,
        }

    def __init__(self, *args: Any, instance: RoutingRule, **kwargs: Any) -> None:
        kwargs["initial"] = {
            "area": area_text(instance.area),
            "words": "，".join(instance.words),
            "weekdays": list(instance.weekdays),
        }
        kwargs["instance"] = instance
        super().__init__(*args, **kwargs)
        items = list(Category.objects.filter(active=True).order_by("code"))
        self.fields["category"].queryset = Category.objects.filter(active=True).order_by("code")
        classes = dict.fromkeys((item.major, item.major_label) for item in items)
        self.fields["major"].choices = [("", "---------"), *classes]
        self.fields["department"].queryset = Department.objects.filter(active=True)
        self.fields["valid_to"].help_text = _("From this day on it decides nothing.")
        choices = [("", _("the rule's own item")), *((item.pk, item.label) for item in items)]
        self._add_examples(instance.examples, choices)

    def _add_examples(self, held: Iterable[dict], items: list) -> None:
        self.rows: list[str] = []
        areas = Area.objects.in_bulk({one["area"] for one in held if one["area"]})
        targets = [("", "---------"), *target_choices()]
        for n, one in enumerate([*held, *[None] * SPARE_EXAMPLES]):
            name = f"example{n}"
            self.rows.append(name)
            one = one or {"text": "", "category": None, "area": None, "time": None, "target": ""}
            fields: dict[str, forms.Field] = {
                "text": forms.CharField(
                    label=_("What is reported"),
                    max_length=200,
                    widget=forms.Textarea({"rows": 2, **INPUT}),
                ),
                "category": forms.TypedChoiceField(
                    label=_("Item"),
                    choices=items,
                    coerce=int,
                    empty_value=None,
                    widget=forms.Select(INPUT),
                ),
                "area": AreaField(label=_("Place")),
                "time": forms.TimeField(
                    label=_("Time of day"), widget=forms.TimeInput(_TIME, format="%H:%M")
                ),
                "target": forms.ChoiceField(
                    label=_("must go to"), choices=targets, widget=forms.Select(INPUT)
                ),
            }
            starts = {**one, "area": area_text(areas.get(one["area"]))}
            for part, field in fields.items():
                field.required = False
                field.initial = starts[part]
                self.fields[f"{name}_{part}"] = field

    def example_rows(self) -> Iterator[list[forms.BoundField]]:
        """Yield the fields of each example, for the template."""
        for name in self.rows:
            yield [
                self[f"{name}_{part}"] for part in ("text", "category", "area", "time", "target")
            ]

    def clean_words(self) -> list[str]:
        words = [word.strip() for word in re.split(r"[,，、;；\n]", self.cleaned_data["words"])]
        kept = list(dict.fromkeys(word for word in words if word))
        if len(kept) > MOST_WORDS or any(len(word) > 20 for word in kept):
            raise forms.ValidationError(_("At most 20 words of at most 20 characters."))
        return kept

    def clean_weekdays(self) -> str:
        days = "".join(sorted(self.cleaned_data["weekdays"]))
        return "" if days == "1234567" else days

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        category = data.get("category")
        if category and data.get("major") and category.major != data["major"]:
            self.add_error("major", _("The item belongs to another class; leave this empty."))
        starts, ends = data.get("valid_from"), data.get("valid_to")
        if starts and ends and ends <= starts:
            self.add_error("valid_to", _("It must end after it begins."))
        if data.get("owner_kind") != OwnerKind.DEPARTMENT and data.get("department"):
            # What was chosen before another target was: not asked for any more.
            data["department"] = None
        for name in self.rows:
            if not data.get(f"{name}_text"):
                if data.get(f"{name}_target") or data.get(f"{name}_category"):
                    self.add_error(f"{name}_text", _("Say what is reported, or empty the row."))
                continue
            if not data.get(f"{name}_target"):
                self.add_error(f"{name}_target", _("Say where it must go."))
            if not category and not data.get(f"{name}_category"):
                self.add_error(f"{name}_category", _("The rule names no item: choose one here."))
        return data

    def rule(self) -> RoutingRule:
        """Return the rule as typed, unsaved, with its examples."""
        rule, data = self.instance, self.cleaned_data
        rule.examples = [
            {
                "text": data[f"{name}_text"].strip(),
                "category": data.get(f"{name}_category"),
                "area": area.pk if (area := data.get(f"{name}_area")) else None,
                "time": f"{at:%H:%M}" if (at := data.get(f"{name}_time")) else None,
                "target": data[f"{name}_target"],
            }
            for name in self.rows
            if data.get(f"{name}_text")
        ]
        return rule
