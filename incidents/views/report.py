"""The resident's report: the form, and the page with the tracking code.

What must not live here: taking the report in (services/intake.py).
"""

import uuid
from collections.abc import Sequence
from typing import Any

import segno
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_http_methods, require_safe

from core import ratelimit
from core.errors import GeshiError
from core.web import public_address
from grids.access import public
from grids.models import Area
from incidents import emergencies
from incidents.forms.errors import put_errors
from incidents.forms.fields import MAX_PHOTOS
from incidents.forms.public import ReportForm, area_on_sign
from incidents.forms.twins import TwinsAsked
from incidents.models import Source, State
from incidents.queries.public import case_by_code, county_bounds, full_name, own_drafts
from incidents.services.intake import Report
from incidents.services.twins import take_in
from incidents.views.keepsake import Keepsake
from incidents.views.twins import twins_for_public
from incidents.views.uploads import with_files


@public
@never_cache
@ensure_csrf_cookie
@require_http_methods(["GET", "HEAD", "POST"])
def report(request: HttpRequest) -> HttpResponse:
    """Show the form; a good one leads to the page with the code, a bad one comes back whole."""
    if request.method != "POST":
        on_the_sign = request.GET.get("grid", "")
        area = area_on_sign(on_the_sign)
        first = {"report_key": uuid.uuid4(), "grid": area.code if area else ""}
        lost = bool(on_the_sign) and area is None
        return _page(request, ReportForm(initial=first), area, lost_sign=lost)
    keepsake = Keepsake.read(request).with_draft_key()
    sent, refused = with_files(request, draft_key=keepsake.draft_key)
    form = ReportForm(sent)
    form.full_clean()
    kept_photos = list(dict.fromkeys(form.cleaned_data.get("photos", [])))
    if refused:
        form.add_error("photos", refused)
    status, data = 400, form.cleaned_data
    asked, twins = TwinsAsked(request.POST), []
    if form.is_valid() and asked.must_ask:
        twins = twins_for_public(request, data)
    if twins:
        status = 200
    elif form.is_valid():
        try:
            ratelimit.check("report", ratelimit.client_ip(request))
            incident = take_in(_report_of(data, kept_photos, keepsake), lead_id=asked.lead_id)
        except GeshiError as error:
            status = error.status
            put_errors(form, error)
        else:
            done = redirect("report_done", code=incident.tracking_code)
            return keepsake.with_code(incident.tracking_code).write(done)
    # A photo that is gone is named once and not sent along again.
    kept_photos = own_drafts(kept_photos, keepsake.draft_key)
    response = _page(request, form, data.get("grid"), kept_photos, status, twins=twins)
    return keepsake.write(response)


def _report_of(data: dict[str, Any], photo_ids: list[uuid.UUID], keepsake: Keepsake) -> Report:
    return Report(
        text=data["text"],
        source=Source.RESIDENT,
        key=data["report_key"] or uuid.uuid4(),
        latitude=data["lat"],
        longitude=data["lon"],
        coordinate_system=data["coordinate_system"] or "wgs84",
        address=data["address"],
        area=data["grid"],
        category=data["category"],
        name=data["name"],
        phone=data["phone"],
        wants_sms=data.get("wants_sms", False),
        photo_ids=photo_ids,
        draft_key=keepsake.draft_key,
    )


def _page(
    request: HttpRequest,
    form: ReportForm,
    area: Area | None,
    photo_ids: list[uuid.UUID] | None = None,
    status: int = 200,
    *,
    lost_sign: bool = False,
    twins: Sequence[dict[str, Any]] = (),
) -> HttpResponse:
    context = {
        "form": form,
        "area_name": full_name(area) if area else "",
        "lost_sign": lost_sign,
        "photo_ids": photo_ids or [],
        "most_photos": MAX_PHOTOS,
        "bounds": county_bounds(),
        "areas_url": _areas_url(),
        "services": emergencies.SERVICES,
        "found": emergencies.find(form["text"].value() or ""),
        "twins": twins,
        "asked": bool(twins),
    }
    return render(request, "incidents/public/report.html", context, status=status)


def _areas_url() -> str:
    try:
        return reverse("map_areas")
    except NoReverseMatch:
        return ""


@public
@never_cache
@require_safe
def done(request: HttpRequest, code: str) -> HttpResponse:
    """Show the tracking code to the browser that sent the report; others are asked for it."""
    incident = case_by_code(code) if code in Keepsake.read(request).codes else None
    if incident is None:
        return redirect("track")
    link = f"{public_address(request)}{reverse('track')}?code={incident.tracking_code}"
    context = {
        "incident": incident,
        "spaced": spaced(incident.tracking_code),
        "link": link,
        "qr": segno.make(link, error="m").svg_data_uri(scale=5, border=2, dark="#0b4757"),
        "found": emergencies.find(incident.text),
        "joined": incident.state == State.DUPLICATE,
    }
    return render(request, "incidents/public/done.html", context)


def spaced(code: str) -> str:
    """Return a tracking code in groups of four, as people read it aloud."""
    return " ".join(code[start : start + 4] for start in range(0, len(code), 4))
