"""Forms of the hotline: which file from where, which column is which, results of which days."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from core.models import SheetUpload
from core.widgets import DayInput
from incidents.models import System
from incidents.services.hotline_sheet import columns, offered


def systems() -> Any:
    """Return the systems that may be chosen, by name."""
    return System.objects.filter(active=True)


class OrdersForm(forms.Form):
    """A hotline and its file."""

    system = forms.ModelChoiceField(
        label=_("Hotline or platform"), queryset=System.objects.none(), empty_label=None
    )
    file = forms.FileField(
        label=_("File of work orders"),
        allow_empty_file=True,
        widget=forms.FileInput({"accept": ".xlsx,.csv,.txt"}),
        help_text=_(
            ".xlsx or .csv as the hotline hands it out; its columns may be called anything."
        ),
    )

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["system"].queryset = systems()  # type: ignore[attr-defined]


class MatchForm(forms.Form):
    """For each thing we know, the column of the file where it stands."""

    def __init__(self, data: Any = None, *, upload: SheetUpload) -> None:
        super().__init__(data, initial=offered(upload))
        choices = [("", _("– not in this file –"))]
        choices += [(name, name) for name in dict.fromkeys(upload.settings["headings"])]
        for column in columns():
            self.fields[column.key] = forms.ChoiceField(
                label=column.heading, choices=choices, required=column.required
            )


class ResultsForm(forms.Form):
    """Whose work orders, of which days."""

    system = forms.ModelChoiceField(
        label=_("Hotline or platform"), queryset=System.objects.none(), empty_label=None
    )
    since = forms.DateField(label=_("Reported from"), widget=DayInput)
    until = forms.DateField(label=_("Reported until"), widget=DayInput)

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["system"].queryset = systems()  # type: ignore[attr-defined]
