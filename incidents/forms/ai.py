"""How far the AI may go with an item, as its keepers fill it in.

What must not live here: writing it (services/ai_switches.py).
"""

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.widgets import DayInput
from incidents.models import AiMode


class SwitchForm(forms.Form):
    """The next version of a switch; ``seen`` is the newest one the page showed."""

    mode = forms.ChoiceField(
        label=_("What the AI may do"), choices=AiMode.choices, widget=forms.RadioSelect
    )
    valid_from = forms.DateField(
        label=_("In force from"),
        initial=timezone.localdate,
        widget=DayInput,
    )
    reason = forms.CharField(label=_("Reason"), max_length=200)
    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
