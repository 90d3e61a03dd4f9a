"""Forms of channels, words and choices of messages.

What must not live here: rules about addresses and words (core.channels, services/channels.py).
"""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from core.channels.events import Event, Group
from core.channels.wording import LONGEST_SUBJECT, LONGEST_TEXT, languages
from core.models import Channel
from grids.models import Area, Department, Role
from grids.services.channels import ChannelFields

Kind = Channel.Kind
# Typed into a secret's field it takes the secret away; empty keeps it.
NOTHING = "-"
_LANGUAGE_NAMES = {"zh-hans": _("Chinese"), "en": _("English")}
_SECURITY = [
    ("ssl", _("TLS from the beginning (465)")),
    ("starttls", _("STARTTLS (587)")),
    ("insecure", _("None (25)")),
]


class _Form(forms.Form):
    use_required_attribute = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)


def _time(label: Any, help_text: Any = "") -> forms.TimeField:
    return forms.TimeField(
        label=label,
        required=False,
        help_text=help_text,
        widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
    )


def _secret(label: Any, help_text: Any = "", *, rows: int = 0) -> forms.CharField:
    """Return a field that never shows what is set."""
    quiet = {"autocomplete": "off", "spellcheck": "false"}
    widget = forms.Textarea({"rows": rows, **quiet}) if rows else forms.TextInput(quiet)
    return forms.CharField(
        label=label, max_length=2000, required=False, help_text=help_text, widget=widget
    )


QUIET = ("quiet_from", "quiet_until")


class ChannelForm(_Form):
    """What all channels have. Address and secrets are written anew or left as they are."""

    seen = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0)
    name = forms.CharField(label=_("Name of the channel"), max_length=40)
    address = _secret(pgettext_lazy("channel", "Address"))
    quiet_from = _time(_("Quiet from"))
    quiet_until = _time(
        _("Quiet until"),
        _("What is due in these hours waits until they end. Alarms go at once. Empty: no quiet."),
    )

    secret_names: tuple[str, ...] = ("key",)
    option_names: tuple[str, ...] = ()

    def __init__(self, *args: Any, channel: Channel, **more: Any) -> None:
        super().__init__(*args, **more)
        self.channel = channel
        self.order_fields(
            [name for name in self.fields if name not in QUIET and name != "seen"] + list(QUIET)
        )
        self.fields["address"].required = not channel.address
        set_already = channel.secrets
        if channel.pk and channel.address and "address" in self.fields:
            self._keeps("address")
        for name in self.secret_names:
            if set_already.get(name) and name in self.fields:
                self._keeps(name)

    def _keeps(self, name: str) -> None:
        self.fields[name].widget.attrs["placeholder"] = _("Set; leave empty to keep it")

    def values(self) -> ChannelFields:
        """Return what was filled in."""
        data = self.cleaned_data
        return ChannelFields(
            name=data["name"],
            quiet_from=data["quiet_from"],
            quiet_until=data["quiet_until"],
            address=data["address"] or None,
            options={name: data[name] for name in self.option_names if data.get(name)},
            secrets={name: _written(data.get(name)) for name in self.secret_names},
        )


def _written(value: Any) -> Any:
    if not value:
        return None
    return "" if value == NOTHING else value


class SmsForm(ChannelForm):
    """A gateway and the names of its fields."""

    key = _secret(_("Signing key"), _("The gateway counts the signature again with this key."))
    format = forms.ChoiceField(
        label=pgettext_lazy("data", "Format"), choices=[("json", "JSON"), ("form", _("Form"))]
    )
    phone_field = forms.CharField(label=_("Field of the phone"), max_length=40, initial="phone")
    text_field = forms.CharField(label=_("Field of the text"), max_length=40, initial="text")
    key_field = forms.CharField(
        label=_("Field of the message's key"),
        max_length=40,
        initial="key",
        help_text=_("The same when a message is sent again, so that the gateway takes it once."),
    )
    extra = _secret(
        _("What else the gateway wants"),
        _("One line each, such as account=…. Stored encrypted; a single - removes all."),
        rows=3,
    )
    success_field = forms.CharField(
        label=_("Field of the answer that tells of success"),
        max_length=40,
        required=False,
        help_text=_("Empty: every status from 200 to 299 is a success."),
    )
    success_value = forms.CharField(label=_("Its value on success"), max_length=40, required=False)
    secret_names = ("key", "extra")
    option_names = (
        "format",
        "phone_field",
        "text_field",
        "key_field",
        "success_field",
        "success_value",
    )

    def clean_extra(self) -> Any:
        """Return {name: value}, or the sign that removes all."""
        written = self.cleaned_data["extra"].strip()
        if written in {"", NOTHING}:
            return written
        pairs = {}
        for line in written.splitlines():
            name, equals, value = line.partition("=")
            if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}", name.strip()):
                raise ValidationError(_("Write each line as name=value."))
            pairs[name.strip()] = value.strip()
        return pairs


class RobotForm(ChannelForm):
    """The address that the robot's page shows, and DingTalk's signing secret."""

    key = _secret(
        _("Signing secret"), _("Only if the robot's page shows one (beginning with SEC).")
    )

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["address"].help_text = _(
            "Copy the whole webhook address. Whoever has it can write into the group."
        )
        if self.channel.kind != Kind.DINGTALK:
            del self.fields["key"]


class MailForm(ChannelForm):
    """The mail server and the sender."""

    address = forms.CharField(label=_("Mail server"), max_length=253)
    security = forms.ChoiceField(label=_("Encryption"), choices=_SECURITY)
    port = forms.IntegerField(label=_("Port"), min_value=1, max_value=65535, initial=465)
    user = forms.CharField(label=_("User name"), max_length=100, required=False)
    key = _secret(_("Password"))
    sender = forms.CharField(label=_("Sender's address"), max_length=254)
    sender_name = forms.CharField(label=_("Sender's name"), max_length=60, required=False)
    option_names = ("security", "port", "user", "sender", "sender_name")


def channel_form(channel: Channel, data: Any = None) -> ChannelForm:
    """Return the form of a channel, new or stored, filled with what may be shown of it."""
    forms_of: dict[str, type[ChannelForm]] = {Kind.SMS: SmsForm, Kind.MAIL: MailForm}
    made = forms_of.get(channel.kind, RobotForm)
    initial: dict[str, Any] = {"seen": channel.version, **channel.options}
    if channel.pk:
        initial |= {
            "name": channel.name,
            "quiet_from": channel.quiet_from,
            "quiet_until": channel.quiet_until,
        }
        if channel.kind == Kind.MAIL:
            initial["address"] = channel.address
    elif channel.is_personal:
        initial |= {"quiet_from": "21:00", "quiet_until": "07:00"}
    return made(data, channel=channel, initial=initial)


class GroupForm(_Form):
    """What a robot tells its group: kinds, of a role in an area or of a department."""

    groups = forms.MultipleChoiceField(
        label=_("Kinds of messages"), choices=Group.choices, widget=forms.CheckboxSelectMultiple
    )
    role = forms.ChoiceField(
        label=_("Role"), choices=[("", _("– a department –")), *Role.choices], required=False
    )
    area_code = forms.CharField(
        label=_("Code of the area"),
        max_length=17,
        required=False,
        help_text=_("6, 9, 12, 15 or 17 digits; everything below it is included."),
        widget=forms.TextInput({"inputmode": "numeric"}),
    )
    department = forms.ModelChoiceField(
        Department.objects.none(), label=_("Department"), required=False, empty_label="—"
    )

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["department"].queryset = Department.objects.order_by("name")

    def clean_area_code(self) -> Area | None:
        """Return the open area of the code."""
        code = self.cleaned_data["area_code"].strip()
        if not code:
            return None
        area = Area.objects.open().filter(code=code).first() if code.isascii() else None
        if area is None:
            raise ValidationError(_("No area has this code today."))
        return area


class TemplateForm(_Form):
    """Words of one event in one language."""

    seen = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=0)
    subject = forms.CharField(
        label=pgettext_lazy("mail", "Subject"),
        max_length=LONGEST_SUBJECT,
        help_text=_("Only mail has one."),
    )
    text = forms.CharField(
        label=pgettext_lazy("message", "Text"),
        max_length=LONGEST_TEXT,
        widget=forms.Textarea({"rows": 5}),
    )

    def __init__(self, *args: Any, event: Event, **more: Any) -> None:
        super().__init__(*args, **more)
        self.event = event


class OwnMessagesForm(_Form):
    """What a person is told by which channel."""

    language = forms.ChoiceField(label=_("Language of messages"), required=False)
    email = forms.CharField(
        label=_("E-mail for messages"),
        max_length=254,
        required=False,
        widget=forms.EmailInput({"autocomplete": "email"}),
        help_text=_("Stored encrypted and shown to nobody else."),
    )
    wanted = forms.MultipleChoiceField(required=False)

    def __init__(self, *args: Any, channels: list[Channel], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["language"].choices = [
            (code, _LANGUAGE_NAMES.get(code, code)) for code in languages()
        ]
        self.fields["wanted"].choices = [
            (f"{channel.pk}:{group}", "") for channel in channels for group in Group.values
        ]

    def chosen(self) -> set[tuple[int, str]]:
        """Return (channel id, group) of every box that was ticked."""
        pairs = (value.split(":", 1) for value in self.cleaned_data["wanted"])
        return {(int(channel), group) for channel, group in pairs}
