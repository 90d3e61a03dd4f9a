"""The form a boundary file is uploaded with."""

from django import forms
from django.utils.translation import gettext_lazy as _


class UploadForm(forms.Form):
    """The file and the coordinate system it is in."""

    file = forms.FileField(label=_("File"), max_length=255)
    system = forms.ChoiceField(
        label=_("Coordinate system"),
        choices=[
            ("wgs84", _("WGS-84 or CGCS2000")),
            ("gcj02", _("GCJ-02 (Amap, Tencent)")),
        ],
        help_text=_("Most offices use CGCS2000; points picked on Amap or Tencent maps are GCJ-02."),
    )
