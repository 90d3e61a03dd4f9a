"""The form that starts a coverage audit."""

from django import forms
from django.utils.translation import gettext_lazy as _

from grids.models.coverage import SLIVER_M2


class AuditForm(forms.Form):
    """How small a piece must be to count as a sliver."""

    sliver = forms.FloatField(
        label=_("Slivers are smaller than (m²)"), min_value=0, max_value=10_000, initial=SLIVER_M2
    )
