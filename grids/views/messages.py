"""Messages that leave the house, as the system administrator keeps them.

What must not live here: what an act means (services/channels.py), and any address of a person.
"""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.channels import events, wording
from core.channels.letters import reason_words
from core.errors import Conflict, GeshiError
from core.form_errors import put_errors
from core.htmx import render, wants_partial
from core.models import Channel, MessageTemplate, OutboxMessage
from core.paging import keyset_page
from core.web import number_in, page_urls
from grids.access import roles
from grids.forms.messages import GroupForm, TemplateForm, channel_form
from grids.models import Role
from grids.queries import messaging as read
from grids.services import channels as service

State = OutboxMessage.State
PAGE_SIZE = 40


@roles(Role.SYSTEM_ADMIN)
@never_cache
@require_safe
def messages_list(request: HttpRequest) -> HttpResponse:
    """List messages by state, the dead first (5 queries beside the frame's)."""
    asked = _asked(request.GET)
    found = read.letters(**asked)
    page = keyset_page(found, order=["-id"], cursor=request.GET.get("cursor"), size=PAGE_SIZE)
    people = read.names_of_people(page.items)
    context = {
        "states": [(state.value, state.label) for state in read.STATES],
        "asked": asked,
        "channels": Channel.objects.order_by("name"),
        "events": [(one.kind, one.label) for one in events.events()],
        "rows": [_row(message, people) for message in page.items],
        "resendable": asked["state"] in read.RESENDABLE,
        "count": read.counted(found) if asked["state"] in read.RESENDABLE else 0,
        "most": read.COUNTED_TO,
        "up_to": page.items[0].pk if page.items else 0,
        **page_urls(request, page),
    }
    return render(request, "grids/messages.html", context)


def _asked(given: Any) -> dict[str, Any]:
    state, channel, event = (given.get(name, "") for name in ("state", "channel", "event"))
    return {
        "state": state if state in read.STATES else State.DEAD,
        "channel_id": number_in(channel) or None,
        "event": event if event in {one.kind for one in events.events()} else "",
    }


def _row(message: OutboxMessage, people: dict[int, str]) -> dict[str, Any]:
    try:
        about = events.event(message.event).label
    except KeyError:
        about = message.event or message.topic
    whom = message.payload.get("to", {})
    who = {
        "person": people.get(whom.get("id"), ""),
        "group_chat": _("Group chat"),
        "reporter": _("Reporter"),
    }.get(whom.get("who"), "")
    return {
        "message": message,
        "about": about,
        "who": who,
        "channel": message.channel or _("Within the platform"),
        "reason": reason_words(message.last_error),
        "waits": message.state in {State.QUEUED, State.AWAITING_RETRY},
    }


@roles(Role.SYSTEM_ADMIN)
@require_POST
def messages_resend(request: HttpRequest) -> HttpResponse:
    """Send one dead message again, or all of the filter that was looked at."""
    asked = _asked(request.POST)
    number = request.POST.get("message", "")
    if number:
        count = service.resend(actor=request.user, ids=[number_in(number)])
    else:
        count = service.resend_all(
            actor=request.user, **asked, up_to=number_in(request.POST.get("up_to"))
        )
    text = ngettext(
        "%(count)s message will be sent again.", "%(count)s messages will be sent again.", count
    )
    messages.success(request, text % {"count": count})
    query = f"?state={asked['state']}&channel={asked['channel_id'] or ''}&event={asked['event']}"
    return redirect(reverse("messages") + query)


# ---------- channels


@roles(Role.SYSTEM_ADMIN)
@never_cache
@require_safe
def channels(request: HttpRequest) -> HttpResponse:
    """List the channels and what each does (3 queries beside the frame's)."""
    context = {
        "channels": [(one, _state(one)) for one in read.channels()],
        "kinds": Channel.Kind.choices,
    }
    return render(request, "grids/channels.html", context)


def _state(channel: Channel) -> dict[str, Any]:
    if not channel.active:
        return {"level": "paused", "label": _("off")}
    if channel.failures:
        return {
            "level": "over",
            "label": _("takes nothing"),
            "why": reason_words(channel.last_error),
        }
    return {"level": "done", "label": _("on")}


@roles(Role.SYSTEM_ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def channel_new(request: HttpRequest, kind: str) -> HttpResponse:
    """Set up a channel of a kind; it is off until it is switched on."""
    if kind not in Channel.Kind.values:
        raise Http404
    return _edit(request, Channel(kind=kind))


@roles(Role.SYSTEM_ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def channel(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a channel, what became of its trials, and change it."""
    return _edit(request, _found(pk))


def _found(pk: int) -> Channel:
    found = Channel.objects.filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


def _edit(request: HttpRequest, found: Channel) -> HttpResponse:
    form = channel_form(found, request.POST or None)
    if form.is_valid():
        try:
            saved = service.put_channel(
                actor=request.user,
                kind=found.kind,
                fields=form.values(),
                channel_id=found.pk,
                seen=form.cleaned_data["seen"] or 0,
            )
        except GeshiError as error:
            put_errors(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("channel", pk=saved.pk)
    status = 422 if form.is_bound else 200
    return _show(request, found, form, GroupForm(), status)


def _show(
    request: HttpRequest, found: Channel, form: Any, group_form: Any, status: int = 200
) -> HttpResponse:
    context = {
        "channel": found,
        "state": _state(found),
        "form": form,
        "group_form": group_form,
        "lines": read.group_lines(found) if found.pk and not found.is_personal else [],
        **_trials(found),
    }
    return render(request, "grids/channel.html", context, status=status)


def _trials(found: Channel) -> dict[str, Any]:
    rows = [_row(message, {}) for message in (read.trials(found) if found.pk else [])]
    moving = {State.QUEUED, State.IN_FLIGHT}
    return {"trials": rows, "moving": any(row["message"].state in moving for row in rows)}


@roles(Role.SYSTEM_ADMIN)
@never_cache
@require_safe
def channel_trials(request: HttpRequest, pk: int) -> HttpResponse:
    """What became of the trials, asked for every few seconds while one is under way."""
    found = _found(pk)
    if not wants_partial(request):
        return redirect("channel", pk=pk)
    return render(request, "grids/_trials.html", {"channel": found, **_trials(found)})


@roles(Role.SYSTEM_ADMIN)
@never_cache
@require_POST
def channel_do(request: HttpRequest, pk: int, action: str) -> HttpResponse:
    """Switch a channel, try it, or change what its group is told."""
    found = _found(pk)
    by = {"actor": request.user, "channel_id": pk}
    try:
        if action in {"on", "off"}:
            service.switch(**by, on=action == "on")
            messages.success(request, _("Switched on.") if action == "on" else _("Switched off."))
        elif action == "try":
            service.try_channel(**by)
            messages.success(request, _("A trial is on its way."))
        elif action == "ungroup":
            service.remove_group(**by, subscription_id=number_in(request.POST.get("line")))
            messages.success(request, _("Saved."))
        elif action == "group":
            return _group(request, found)
        else:
            raise Http404
    except GeshiError as error:
        messages.error(request, str(error))
    return redirect("channel", pk=pk)


def _group(request: HttpRequest, found: Channel) -> HttpResponse:
    form = GroupForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        try:
            service.add_group(
                actor=request.user,
                channel_id=found.pk,
                groups=data["groups"],
                role=data["role"],
                area=data["area_code"],
                department=None if data["role"] else data["department"],
            )
        except GeshiError as error:
            put_errors(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("channel", pk=found.pk)
    return _show(request, found, channel_form(found), form, 422)


# ---------- words


@roles(Role.SYSTEM_ADMIN)
@never_cache
@require_safe
def templates(request: HttpRequest) -> HttpResponse:
    """List what is told, and which words are not the shipped ones (1 query beside the frame's)."""
    own = read.own_templates()
    languages = wording.languages()
    rows = [
        {
            "event": event,
            "group": events.Group(event.group).label,
            "languages": [(code, (event.kind, code) in own) for code in languages],
        }
        for event in events.events()
    ]
    return render(request, "grids/message_templates.html", {"rows": rows})


@roles(Role.SYSTEM_ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def template(request: HttpRequest, kind: str, language: str) -> HttpResponse:
    """Show the words of an event with a preview; take others, or go back to the shipped ones."""
    try:
        event = events.event(kind)
    except KeyError:
        raise Http404 from None
    if language not in wording.languages():
        raise Http404
    own = MessageTemplate.objects.filter(kind=kind, language=language).first()
    subject, text = (own.subject, own.text) if own else wording.shipped(event, language)
    initial = {"subject": subject, "text": text, "seen": own.version if own else 0}
    form = TemplateForm(request.POST or None, event=event, initial=initial)
    status = 200
    if "shipped" in request.POST:
        service.drop_template(actor=request.user, kind=kind, language=language)
        messages.success(request, _("The shipped words are used again."))
        return redirect("message_template", kind=kind, language=language)
    if form.is_valid():
        data = form.cleaned_data
        subject, text = data["subject"], data["text"]
        try:
            if "preview" in request.POST:
                subject, text = wording.check(event, subject=subject, text=text)
            else:
                service.put_template(
                    actor=request.user,
                    kind=kind,
                    language=language,
                    subject=subject,
                    text=text,
                    seen=data["seen"] or 0,
                )
                messages.success(request, _("Saved."))
                return redirect("message_template", kind=kind, language=language)
        except GeshiError as error:
            put_errors(form, error)
            status = 409 if isinstance(error, Conflict) else 422
    elif form.is_bound:
        status = 422
    shown = wording.preview(event, subject, text, language)
    context = {
        "event": event,
        "language": language,
        "languages": wording.languages(),
        "own": own,
        "form": form,
        "names": [(f"{{{name}}}", words) for name, words in event.placeholders.items()],
        "preview": {"subject": shown[0], "text": shown[1], "length": len(shown[1])},
        "shipped": wording.shipped(event, language),
    }
    return render(request, "grids/message_template.html", context, status=status)
