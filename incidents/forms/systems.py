"""What the system administrator writes down about a connected system and its webhook."""

import re
from collections.abc import Collection
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from grids.models import SHAPES, Area
from incidents.models import Category, HookEvent, System, SystemRight, Webhook
from incidents.services.systems import MOST_A_MINUTE, MOST_CALLS, SystemFields
from incidents.services.webhooks import ADDRESS_LIMIT, HookFields

_BETWEEN = re.compile(r"[\s,，、;；]+")
MOST_CODES = 200


class CodesField(forms.CharField):
    """Codes with spaces, commas or lines between; cleaned to the rows they name."""

    def __init__(self, *, rows_of: Any, **more: Any) -> None:
        widget = forms.Textarea({"rows": 2, "spellcheck": "false"})
        super().__init__(required=False, max_length=4000, widget=widget, **more)
        self.rows_of = rows_of

    def clean(self, value: Any) -> list[Any]:
        """Return the rows (1 query); raises ValidationError naming codes nobody has."""
        codes = {code for code in _BETWEEN.split(super().clean(value)) if code}
        if len(codes) > MOST_CODES:
            raise ValidationError(_("At most %(n)s at once.") % {"n": MOST_CODES})
        found = list(self.rows_of(codes)) if codes else []
        unknown = codes - {row.code for row in found}
        if unknown:
            shown = "、".join(sorted(unknown)[:5])
            raise ValidationError(_("Nobody has the code %(code)s.") % {"code": shown})
        return found


def _areas(codes: Collection[str]) -> Any:
    return Area.objects.open().filter(code__in=codes).defer(*SHAPES)


def _items(codes: Collection[str]) -> Any:
    return Category.objects.filter(code__in=codes, active=True)


class SystemForm(forms.Form):
    """Name, contact, rights, quotas, and what it hears of others' cases."""

    name = forms.CharField(label=_("System name"), max_length=60)
    contact = forms.CharField(
        label=_("Contact"),
        max_length=100,
        required=False,
        help_text=_("Who looks after it over there. Kept encrypted."),
    )
    scopes = forms.MultipleChoiceField(
        label=_("What its key opens"),
        choices=SystemRight.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("What is public may be read without a key. No right shows who reported."),
    )
    daily_quota = forms.IntegerField(
        label=_("Calls a day"), min_value=1, max_value=MOST_CALLS, initial=1000
    )
    minute_quota = forms.IntegerField(
        label=_("Calls a minute"), min_value=1, max_value=MOST_A_MINUTE, initial=600
    )
    areas = CodesField(
        label=_("Areas"),
        rows_of=_areas,
        help_text=_("Codes of the areas whose cases it may hear of. Empty: the whole county."),
    )
    items = CodesField(
        label=_("Items of the catalogue"),
        rows_of=_items,
        help_text=_("Codes of the items it may hear of. Empty: those shown to the public."),
    )

    @classmethod
    def of(cls, system: System) -> "SystemForm":
        """Return the form filled with what is written down (2 queries)."""
        names = ("name", "contact", "scopes", "daily_quota", "minute_quota")
        initial = {name: getattr(system, name) for name in names}
        for name in ("areas", "items"):
            codes = getattr(system, name).order_by("code").values_list("code", flat=True)
            initial[name] = " ".join(codes)
        return cls(initial=initial)

    def fields_given(self) -> SystemFields:
        """Return what was typed; the form must be valid."""
        return SystemFields(**self.cleaned_data)


class WebhookForm(forms.Form):
    """Where a system is told, and of what."""

    address = forms.CharField(
        label=_("Address to tell it at"),
        max_length=ADDRESS_LIMIT,
        widget=forms.TextInput(
            {"placeholder": "https://", "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text=_(
            "Must begin with https://. Addresses in private networks are refused unless the "
            "installation allows them."
        ),
    )
    events = forms.MultipleChoiceField(
        label=_("What it is told"),
        choices=HookEvent.choices,
        widget=forms.CheckboxSelectMultiple,
    )
    own_only = forms.BooleanField(
        label=_("Only about cases it sent itself"),
        required=False,
        initial=True,
        help_text=_("Otherwise also about public cases of its areas and items, if its key reads."),
    )
    active = forms.BooleanField(label=_("Switched on"), required=False, initial=True)

    @classmethod
    def of(cls, webhook: Webhook | None) -> "WebhookForm":
        """Return the form filled with what is written down."""
        if webhook is None:
            return cls(initial={"events": HookEvent.values})
        return cls(initial={name: getattr(webhook, name) for name in cls.base_fields})

    def fields_given(self) -> HookFields:
        """Return what was typed; the form must be valid."""
        return HookFields(**self.cleaned_data)


class ReplayForm(forms.Form):
    """From when until when to send again."""

    since = forms.DateTimeField(
        label=_("Made from"), widget=forms.DateTimeInput({"type": "datetime-local"})
    )
    until = forms.DateTimeField(
        label=_("Made until"), widget=forms.DateTimeInput({"type": "datetime-local"})
    )
