"""What the system administrator writes down about a connected system."""

from django import forms
from django.utils.translation import gettext_lazy as _

from incidents.models import System, SystemRight
from incidents.services.systems import MOST_CALLS, SystemFields


class SystemForm(forms.Form):
    """Name, contact, rights and the quota of a day."""

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
        help_text=_("What is public may be read without a key."),
    )
    daily_quota = forms.IntegerField(
        label=_("Calls a day that write"), min_value=1, max_value=MOST_CALLS, initial=1000
    )

    @classmethod
    def of(cls, system: System) -> "SystemForm":
        """Return the form filled with what is written down."""
        names = ("name", "contact", "scopes", "daily_quota")
        return cls(initial={name: getattr(system, name) for name in names})

    def fields_given(self) -> SystemFields:
        """Return what was typed; the form must be valid."""
        return SystemFields(**self.cleaned_data)
