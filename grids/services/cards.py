"""Printing contact cards, and keeping the photo and the phone that stand on them.

What must not live here: the drawing (grids/card_sheet.py).
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import IO, Any

from django.conf import settings
from django.core.files.base import ContentFile
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from core.errors import BadUpload, Conflict, Invalid, NotAllowed
from core.images import clean_image
from core.models import Paper
from core.phone import PhoneError, plain_phone
from core.services import audit, papers
from grids.card_sheet import CardFace, Words, door_cards, large_card
from grids.models import SHAPES, Area, CardProfile, Posting, User
from grids.queries import Scope, place_of_area
from grids.queries.cards import (
    CARD_KEEPERS,
    MOST_CARDS,
    Card,
    card_area,
    card_of,
    cards_of,
    may_keep_card,
)
from grids.queries.worker_file import held_paths

PHOTO_SIDE = 600
KIND = "cards"
KEPT = timedelta(hours=24)
# More cards than this are drawn by a worker, not while somebody waits for the page.
AT_ONCE = 100


def print_area(*, actor: User, area: Area, address: str, ip: str | None = None) -> bytes | Paper:
    """Return the PDF of all cards of an area's grids, eight on a page; it is on record.

    More than ``AT_ONCE`` cards are drawn in the background: then the paper is returned that will
    hold them. ``address`` is where residents reach the product. Raises NotAllowed outside the
    actor's places, Conflict when there is no card, or more than one file should hold.
    """
    _may_print(actor, area)
    cards = _cards(area)
    if len(cards) > AT_ONCE:
        return papers.order(
            kind=KIND,
            title=f"{_('Contact card')}-{area.name}-{area.code}",
            order={"area": area.pk, "address": address, "ip": ip},
            actor=actor,
        )
    return _finished(actor, area, cards, _door_cards(cards, address), ip)


def print_posting(*, actor: User, posting: Posting, address: str, ip: str | None = None) -> bytes:
    """Return the PDF of one large card; it is on record. Raises NotAllowed as above."""
    assert posting.area is not None
    _may_print(actor, posting.area)
    card = card_of(posting)
    # The door is in the county, whatever language its admin reads.
    with override(settings.LANGUAGE_CODE):
        sheet = large_card(_face(card, address), _words())
    return _finished(actor, posting.area, [card], sheet, ip)


def draw_area(
    order: Mapping[str, Any], *, actor: User, progress: papers.Progress
) -> Callable[[], bytes]:
    """Draw what ``print_area`` left to the background; see core.services.papers.PaperKind."""
    area = Area.objects.defer(*SHAPES).get(pk=order["area"])
    _may_print(actor, area)
    cards = _cards(area)
    total = len(cards)
    sheet = _door_cards(cards, order["address"], lambda done: progress(done, total))
    return lambda: _finished(actor, area, cards, sheet, order["ip"])


def may_draw(order: Mapping[str, Any], actor: User) -> bool:
    """Return whether the actor prints cards of the area of an order today."""
    return card_area(Scope.for_user(actor), order["area"]) is not None


def _cards(area: Area) -> list[Card]:
    cards = cards_of(area)
    if not cards:
        raise Conflict(gettext_lazy("Nobody is in post in the grids of this area."))
    if len(cards) > MOST_CARDS:
        raise Conflict(gettext_lazy("These are too many cards for one file; print by village."))
    return cards


def _may_print(actor: User, area: Area) -> None:
    paths = held_paths(Scope.for_user(actor), CARD_KEEPERS)
    if not paths or not area.path.startswith(paths):
        raise NotAllowed


def _door_cards(
    cards: Sequence[Card], address: str, progress: Callable[[int], object] = lambda _done: None
) -> bytes:
    with override(settings.LANGUAGE_CODE):
        return door_cards([_face(card, address) for card in cards], _words(), progress=progress)


def _finished(
    actor: User, area: Area, cards: Sequence[Card], sheet: bytes, ip: str | None
) -> bytes:
    """Put the printing on record and return the sheet."""
    private = [card.person.pk for card in cards if card.phone and not card.has_duty_phone]
    audit.record(
        actor=actor,
        action="cards.printed",
        subject_type="area",
        subject_id=area.pk,
        data={
            "reason": "contact card",
            "people": sorted({card.person.pk for card in cards}),
            "private_phones": sorted(set(private)),
        },
        ip=ip,
        place=place_of_area(area),
    )
    return sheet


def _face(card: Card, address: str) -> CardFace:
    return CardFace(
        name=card.person.display_name,
        role=str(card.posting.get_role_display()),
        phone=_spoken(card.phone),
        grid=card.grid.name,
        place=card.place,
        code=card.grid.code,
        link=report_link(card.grid, address),
        photo=_photo(card.photo),
    )


def report_link(grid: Area, address: str) -> str:
    """Return the address of the report page with the grid's place already set."""
    return f"{address}{reverse('report')}?grid={grid.code}"


def _photo(profile: CardProfile | None) -> bytes | None:
    if profile is None:
        return None
    try:
        with profile.photo.open("rb") as file:
            return bytes(file.read())
    except FileNotFoundError:
        return None


def _spoken(phone: str) -> str:
    """Return a mobile number in the groups people read it aloud in.

    >>> _spoken("19900001234")
    '199 0000 1234'
    """
    mobile = len(phone) == 11 and phone.isdecimal() and phone.startswith("1")
    return f"{phone[:3]} {phone[3:7]} {phone[7:]}" if mobile else phone


def _words() -> Words:
    return Words(
        title=_("Contact card"),
        phone=_("Contact phone"),
        no_phone=_("see the village office"),
        scan=_("Scan to report a matter"),
        hotline=_("Supervision hotline"),
        number=settings.SUPERVISION_HOTLINE,
    )


def keep_card(
    *, actor: User, person: User, duty_phone: str, photo: IO[bytes] | Any | None = None
) -> None:
    """Keep the phone, and the photo if there is a new one: both or neither."""
    with transaction.atomic():
        set_duty_phone(actor=actor, person=person, phone=duty_phone)
        if photo:
            set_photo(actor=actor, person=person, file=photo)


def set_duty_phone(*, actor: User, person: User, phone: str) -> None:
    """Keep the phone that cards show instead of the private one; "" takes it off.

    Raises NotAllowed, and Invalid for what is no telephone number.
    """
    _may_keep(actor, person)
    try:
        number = plain_phone(phone) if phone.strip() else ""
    except PhoneError as error:
        raise Invalid(errors={"duty_phone": [error.problem, error.remedy]}) from error
    with transaction.atomic():
        profile = _profile(person)
        if profile.duty_phone == number:
            return
        profile.duty_phone = number
        profile.save(update_fields=["duty_phone"])
        _record(actor, "cards.duty_phone_set" if number else "cards.duty_phone_removed", person)


def set_photo(*, actor: User, person: User, file: IO[bytes] | Any) -> CardProfile:
    """Keep a photo for the card, made anew without metadata; the one before is erased.

    Raises NotAllowed, and BadUpload for anything that is not a picture within the limits.
    """
    _may_keep(actor, person)
    try:
        picture = clean_image(file, max_side=PHOTO_SIDE)
    except BadUpload as error:
        raise BadUpload(error.message, field="photo") from error
    with transaction.atomic():
        profile = _profile(person)
        _erase_after(profile)
        profile.photo = ContentFile(picture.data, name=f"{uuid.uuid4().hex}.jpg")
        profile.photo_key = uuid.uuid4()
        profile.save(update_fields=["photo", "photo_key"])
        _record(actor, "cards.photo_set", person)
    return profile


def remove_photo(*, actor: User, person: User) -> None:
    """Erase the photo; cards show a drawn figure then. The person may always ask for that."""
    _may_keep(actor, person)
    with transaction.atomic():
        profile = _profile(person)
        if not profile.photo:
            return
        _erase_after(profile)
        profile.photo, profile.photo_key = "", None
        profile.save(update_fields=["photo", "photo_key"])
        _record(actor, "cards.photo_removed", person)


def _profile(person: User) -> CardProfile:
    CardProfile.objects.get_or_create(person=person)
    return CardProfile.objects.select_for_update().get(person=person)


def _erase_after(profile: CardProfile) -> None:
    storage, name = profile.photo.storage, profile.photo.name
    if name:
        transaction.on_commit(lambda: storage.delete(name))


def _may_keep(actor: User, person: User) -> None:
    if not may_keep_card(actor, Scope.for_user(actor), person):
        raise NotAllowed


def _record(actor: User, action: str, person: User) -> None:
    audit.record(actor=actor, action=action, subject_type="user", subject_id=person.pk)
