"""Following a report by its tracking code, and saying whether an answer helped.

What must not live here: lists; without the whole code nothing is shown.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from core import ratelimit
from core.errors import Conflict, Invalid, TooMany
from grids.access import public
from incidents.forms.public import TrackForm
from incidents.models import CallBack, Incident, State
from incidents.queries.public import case_by_code, latest_callback, main_case
from incidents.queries.rating import OPEN, PHONE, knows_phone, rating_way
from incidents.services import answering
from incidents.views.keepsake import Keepsake
from incidents.views.progress import progress
from incidents.views.report import spaced


@public
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def track(request: HttpRequest) -> HttpResponse:
    """Ask for the code, or show the case of ``code``; a POST says what an answer was worth."""
    asked = request.POST if request.method == "POST" else request.GET
    if request.method != "POST" and "code" not in asked:
        return _ask(request, TrackForm())
    form = TrackForm(asked)
    try:
        ratelimit.check("track", ratelimit.client_ip(request))
    except TooMany as error:
        form.is_valid()
        form.add_error("code", str(error))
        response = _ask(request, form, error.status)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    if not form.is_valid():
        return _ask(request, form, 400)
    incident = case_by_code(form.cleaned_data["code"])
    if incident is None:
        form.add_error("code", _("No report has this code. Please compare it letter by letter."))
        return _ask(request, form, 404)
    if request.method == "POST" and "answer" in request.POST:
        return _answer(request, incident)
    if request.method == "POST" and "phone" in request.POST:
        return _to_rating(request, incident)
    response = _show(request, incident)
    return Keepsake.read(request).with_code(incident.tracking_code).write(response)


def _ask(request: HttpRequest, form: TrackForm, status: int = 200) -> HttpResponse:
    return render(request, "incidents/public/track.html", {"form": form}, status=status)


def _answer(request: HttpRequest, incident: Incident) -> HttpResponse:
    """Take the reporter's word on the answer; a second press finds the case moved on."""
    code, helped = incident.tracking_code, request.POST.get("answer") == "solved"
    try:
        if helped:
            answering.answer_kept(tracking_code=code)
        else:
            answering.not_solved(tracking_code=code, note=request.POST.get("note", ""))
    except (Conflict, Invalid) as error:
        incident.refresh_from_db()
        return _show(request, incident, said=str(error), status=error.status)
    return redirect(f"{reverse('track')}?code={code}")


def _to_rating(request: HttpRequest, incident: Incident) -> HttpResponse:
    """Lead whoever knows the phone left with the report to its rating."""
    main = main_case(incident)
    url = _rate_url(incident, main)
    way = rating_way(incident, request.user, request.scope, about=main)
    try:
        for key in (incident.tracking_code, ratelimit.client_ip(request)):
            ratelimit.check("rate", key)
    except TooMany as error:
        return _show(request, incident, said=str(error), status=error.status)
    if not url or way != PHONE:
        return _show(request, incident, said=_("No rating is open here just now."), status=409)
    if not knows_phone(incident, request.POST["phone"]):
        said = _("This is not the phone number that was left with the report.")
        return _show(request, incident, said=said, status=400)
    return redirect(url)


def _show(
    request: HttpRequest, incident: Incident, said: str = "", status: int = 200
) -> HttpResponse:
    main = main_case(incident)
    url = _rate_url(incident, main)
    way = rating_way(incident, request.user, request.scope, about=main)
    context = {
        "incident": incident,
        "spaced": spaced(incident.tracking_code),
        "progress": progress(incident),
        "main": progress(main, bare=True) if main.pk != incident.pk else None,
        "rate_url": url if way == OPEN else "",
        "asks_phone": bool(url) and way == PHONE,
        "said": said,
    }
    return render(request, "incidents/public/progress.html", context, status=status)


def _rate_url(incident: Incident, main: Incident) -> str:
    """Return the link by which the case's own reporter rates ``main``, while one is wanted."""
    if main.state not in {State.CALLBACK, State.CLOSED}:
        return ""
    callback = latest_callback(incident, main)
    return reverse("rate", args=[callback.token]) if callback and _open(callback) else ""


def _open(callback: CallBack) -> bool:
    return callback.answered_at is None and callback.expires_at > timezone.now()
