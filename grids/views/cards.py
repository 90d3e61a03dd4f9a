"""Contact cards: the desk where they are printed, the photo and phone on them.

What must not live here: who gets a card (queries/cards.py), paper (card_sheet.py), rights.
"""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import GeshiError
from core.fonts import printable
from core.form_errors import put_errors
from core.masking import mask_phone
from core.models import Paper
from core.ratelimit import client_ip
from core.services import papers
from core.web import own_address, private_pdf, private_picture, public_address
from grids.access import authenticated, roles
from grids.forms.worker_file import CardForm
from grids.models import Area, CardProfile, Level, User
from grids.queries import cards
from grids.queries.worker_file import worker_for
from grids.services import cards as service


@roles(*cards.CARD_KEEPERS)
@never_cache
@require_safe
def cards_desk(request: HttpRequest) -> HttpResponse:
    """Show who gets a card in a village, what is missing, and the buttons that print."""
    held = cards.card_areas(request.scope)
    choices = cards.card_choices(held)
    area = _chosen(request, choices)
    found = cards.cards_of(area) if area and area.level != Level.TOWN else []
    context = {
        "choices": _grouped(choices),
        "area": area,
        "whole_town": area is not None and area.level == Level.TOWN,
        "rows": [_row(card) for card in found],
        "without_photo": sum(card.photo is None for card in found),
        "without_duty_phone": len({card.person.pk for card in found if not card.has_duty_phone}),
        "lacking": [card for card in found if card.lacking],
        "link": service.report_link(found[0].grid, public_address(request)) if found else "",
        "address_is_set": bool(settings.PUBLIC_URL),
        "papers": papers.latest_of(kind=service.KIND, actor=request.user),
    }
    return render(request, "grids/cards.html", context)


def _chosen(request: HttpRequest, choices: list[Area]) -> Area | None:
    """Return the area asked for, else the first village or grid; 404 for what is not offered."""
    asked = request.GET.get("place", "")
    if asked:
        area = next((area for area in choices if str(area.pk) == asked), None)
        if area is None:
            raise Http404
        return area
    small = [area for area in choices if area.level != Level.TOWN]
    return next(iter(small or choices), None)


def _grouped(choices: list[Area]) -> list[dict[str, Any]]:
    """Return the choices with how deep each stands below the others."""
    paths = [area.path for area in choices]
    return [
        {
            "area": area,
            "inner": any(area.path != path and area.path.startswith(path) for path in paths),
        }
        for area in choices
    ]


def _row(card: cards.Card) -> dict[str, Any]:
    return {
        "card": card,
        "phone": mask_phone(card.phone),
        "role": card.posting.get_role_display(),
        "printed_as": printable(card.person.display_name) if card.lacking else "",
    }


@roles(*cards.CARD_KEEPERS)
@never_cache
@require_POST
def cards_pdf(request: HttpRequest, area_id: int) -> HttpResponse:
    """Print the cards of a town, village or grid, eight on a page."""
    area = cards.card_area(request.scope, area_id)
    if area is None:
        raise Http404
    printed = service.print_area(
        actor=request.user, area=area, address=public_address(request), ip=client_ip(request)
    )
    if isinstance(printed, Paper):
        return redirect("paper", printed.pk)
    return _pdf(printed, area)


@roles(*cards.CARD_KEEPERS)
@never_cache
@require_POST
def card_pdf(request: HttpRequest, posting_id: int) -> HttpResponse:
    """Print one large card."""
    posting = cards.card_posting(request.scope, posting_id)
    if posting is None or posting.area is None:
        raise Http404
    sheet = service.print_posting(
        actor=request.user,
        posting=posting,
        address=public_address(request),
        ip=client_ip(request),
    )
    return _pdf(sheet, posting.area)


def _pdf(sheet: bytes, area: Area) -> HttpResponse:
    # The file's name stays on shared desks: the place, never the person.
    return private_pdf(sheet, f"{_('Contact card')}-{area.name}-{area.code}.pdf")


@roles(*cards.CARD_KEEPERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def worker_card(request: HttpRequest, person_id: int) -> HttpResponse:
    """Keep photo and duty phone of somebody who works below."""
    person = worker_for(person_id, request.scope, cards.CARD_KEEPERS)
    if person is None:
        raise Http404
    back = own_address(request.GET.get("next", "")) or "/cards/"
    return _card(request, person, back)


@authenticated
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def own_card(request: HttpRequest) -> HttpResponse:
    """Keep one's own photo and duty phone."""
    return _card(request, request.user, "/account/file/")


def _card(request: HttpRequest, person: User, back: str) -> HttpResponse:
    profile = CardProfile.objects.filter(person=person).first()
    own = person.pk == request.user.pk
    if request.method == "POST" and "remove" in request.POST:
        service.remove_photo(actor=request.user, person=person)
        messages.success(request, _("The photo is erased."))
        return redirect(request.get_full_path())
    sent = (request.POST, request.FILES) if request.method == "POST" else (None, None)
    first = {"duty_phone": profile.duty_phone if profile else ""}
    form = CardForm(*sent, initial=first)
    if request.method == "POST" and form.is_valid():
        try:
            service.keep_card(actor=request.user, person=person, **form.cleaned_data)
        except GeshiError as error:
            put_errors(form, error)
        else:
            messages.success(request, _("The card is up to date."))
            return redirect(back)
    context = {
        "form": form,
        "person": person,
        "profile": profile,
        "own": own,
        "back": back,
        "private": mask_phone(person.phone),
    }
    status = 400 if form.errors else 200
    return render(request, "grids/worker_card.html", context, status=status)


@authenticated
@require_safe
def card_photo(request: HttpRequest, key: UUID) -> FileResponse:
    """Hand out a photo to those who may see the file or print the card; 404 for all others."""
    profile = cards.visible_card_photo(key, user=request.user, scope=request.scope)
    if profile is None:
        raise Http404
    return private_picture(profile.photo, "photo.jpg")
