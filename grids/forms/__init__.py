"""Forms of the grids floor."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, UsernameField
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid
from grids.models import Posting
from grids.services.people import check_posting


class SignInForm(AuthenticationForm):
    """User name and password. One message for a wrong name, a wrong password, a closed account.

    The lengths are checked here because Django's own form sets them too late to be checked,
    and the failure log of django-axes has no room for more.
    """

    username = UsernameField(
        label=_("User name"), max_length=150, widget=forms.TextInput(attrs={"autofocus": True})
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    error_messages = {
        "invalid_login": _("The user name or the password is not right."),
        "inactive": _("The user name or the password is not right."),
    }


class ChangePasswordForm(PasswordChangeForm):
    """One's own password; one that somebody else gave is not kept."""

    def clean_new_password2(self) -> str:
        new = self.cleaned_data["new_password2"]
        if new and new == self.cleaned_data.get("old_password"):
            raise forms.ValidationError(_("Choose a password other than the old one."))
        return new


class PostingForm(forms.ModelForm):
    """A posting in the administration site. ``actor`` is set by the admin class."""

    actor: Any = None

    class Meta:
        model = Posting
        fields = ["user", "role", "worker_kind", "area", "department", "valid_from", "valid_to"]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if not self.errors:
            for name, value in (cleaned or {}).items():
                setattr(self.instance, name, value)
            try:
                check_posting(self.instance, actor=self.actor)
            except Invalid as error:
                raise forms.ValidationError(error.errors) from error
        return cleaned
