"""What one is told beyond the bell, and by which channel.

What must not live here: what the choice means (services/channels.py, services/telling.py).
"""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from core.channels.events import Group
from core.channels.wording import languages
from core.errors import GeshiError
from core.form_errors import put_errors
from core.htmx import render
from core.models import Channel
from grids.access import authenticated
from grids.forms.messages import OwnMessagesForm
from grids.models import MessageSettings
from grids.queries import messaging as read
from grids.services import channels as service


@authenticated
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def own_messages(request: HttpRequest) -> HttpResponse:
    """Show and take a person's own choice (5 queries beside the frame's)."""
    channels = read.personal_channels()
    own = MessageSettings.objects.filter(user=request.user.pk).first()
    chosen = read.chosen_by(request.user)
    initial = {
        "language": (own.language if own else "") or languages()[0],
        "email": own.email if own else "",
    }
    form = OwnMessagesForm(request.POST or None, channels=channels, initial=initial)
    ticked = {f"{channel}:{group}" for channel, group in chosen}
    if form.is_bound:
        ticked = set(request.POST.getlist("wanted"))
    if form.is_valid():
        data = form.cleaned_data
        try:
            service.choose(
                actor=request.user,
                language=data["language"],
                email=data["email"],
                wanted=form.chosen(),
            )
        except GeshiError as error:
            put_errors(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("own_messages")
    context = {
        "form": form,
        "channels": channels,
        "rows": [_row(group, channels, ticked) for group in Group],
        "missing": [
            why
            for kind in {channel.kind for channel in channels} - {Channel.Kind.MAIL}
            if (why := service.missing_address(request.user, kind))
        ],
    }
    status = 422 if form.is_bound else 200
    return render(request, "grids/own_messages.html", context, status=status)


def _row(group: Group, channels: list[Channel], ticked: set[str]) -> dict[str, Any]:
    boxes = [(channel, f"{channel.pk}:{group.value}") for channel in channels]
    return {
        "label": group.label,
        "boxes": [
            {"channel": channel, "value": value, "on": value in ticked} for channel, value in boxes
        ],
    }
