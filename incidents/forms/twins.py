"""The choice "it is this one" among open cases shown before a report is sent.

What lives here: the value of that choice, which names a case without telling its code and is
good only for whom it was shown to. What must not: finding the cases (queries/twins.py).
"""

from typing import Any

from django import forms
from django.core import signing

SALT = "incidents.twins"
# As long as a form half filled in is kept on the device.
SECONDS = 7 * 24 * 3600


def choice_of(incident_id: int, *, whose: Any = "") -> str:
    """Return the value that stands for a case; ``whose`` is an account's id, "" the public."""
    return signing.dumps([incident_id, whose], salt=SALT)


def chosen(value: str, *, whose: Any = "") -> int | None:
    """Return the case a value stands for, None for a forged, foreign or old one."""
    try:
        incident_id, shown_to = signing.loads(value, salt=SALT, max_age=SECONDS)
    except (signing.BadSignature, TypeError, ValueError):
        return None
    return incident_id if shown_to == whose else None


class TwinsAsked(forms.Form):
    """What goes along with a report: whether twins were shown, and which one it is, if any.

    ``ask_twins`` is sent by browsers without scripts, which are shown them as a step of their own.
    """

    asked = forms.CharField(required=False)
    ask_twins = forms.CharField(required=False)
    same_as = forms.CharField(required=False, max_length=200)

    def __init__(self, data: Any, *, whose: Any = "") -> None:
        super().__init__(data)
        self.whose = whose
        self.full_clean()

    @property
    def lead_id(self) -> int | None:
        """The case the reporter says it is."""
        return chosen(self.cleaned_data.get("same_as", ""), whose=self.whose)

    @property
    def must_ask(self) -> bool:
        """Whether the twins are to be shown before the report is taken in."""
        data = self.cleaned_data
        return bool(data.get("ask_twins")) and not data.get("asked")
