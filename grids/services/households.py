"""Verbs on the ledger of households: added, changed, moved, moved out, care, links.

What must not live here: visits (visits.py), how often they are due (visit_rules.py), and files
(household_sheet.py). Nothing personal goes into the audit trail: it says which fields changed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import DateField, Value
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.crypto import blind_index
from core.errors import Conflict, Invalid, NotAllowed
from core.phone import PhoneError, plain_phone
from core.services import audit
from grids.models import (
    NEVER,
    SHAPES,
    Area,
    CareTag,
    Household,
    HouseholdCare,
    HouseholdLink,
    Level,
    Posting,
    User,
)
from grids.models.household import KEEPERS_OF_LEDGER, LINKS_MOST, PEOPLE_MOST
from grids.queries import Place, Scope, place_of_area
from grids.queries.households import looks_after
from grids.services.territory import keep_tree
from grids.services.visit_rules import recount

REASON_LIMIT = 200
AT_THIS_DOOR = _("A household at this door is on the list already.")
CHANGED_MEANWHILE = _("Somebody else has changed this household meanwhile. Please look again.")
NOT_YOUR_LEDGER = _("Only the village office, the town and the grid chief keep this list.")


@dataclass(frozen=True)
class HouseholdFields:
    """What is known of a household: an address inside its place, whom to ask for, how many."""

    address: str
    contact: str = ""
    phone: str = ""
    people: int = 1

    def cleaned(self) -> "HouseholdFields":
        """Return the fields as they are stored. Raises Invalid, naming each field."""
        errors: dict[str, list[Any]] = {}
        address = " ".join(self.address.replace("\x00", "").split())
        contact = " ".join(self.contact.replace("\x00", "").split())
        phone = self.phone.strip()
        if not address:
            errors["address"] = [_("Say which door it is.")]
        elif len(address) > 100:
            errors["address"] = [_("At most 100 characters.")]
        if len(contact) > 40:
            errors["contact"] = [_("At most 40 characters.")]
        try:
            phone = plain_phone(phone) if phone else ""
        except PhoneError as error:
            errors["phone"] = [error.problem, error.remedy]
        if not 1 <= self.people <= PEOPLE_MOST:
            errors["people"] = [_("Between 1 and %(n)s people.") % {"n": PEOPLE_MOST}]
        if errors:
            raise Invalid(errors=errors)
        return HouseholdFields(address, contact, phone, self.people)


def add_household(*, area: Area, fields: HouseholdFields, actor: User) -> Household:
    """Put a household into a unit, or a grid that has none.

    Raises NotAllowed outside the actor's ledger, Invalid for bad fields or a door that is taken.
    """
    fields = fields.cleaned()
    with transaction.atomic():
        household = Household(**place_columns(_place_to_live(area)))
        _check_right(household, actor=actor)
        put_fields(household, fields)
        _save(household)
        recount([household.pk])
        _record("add", household, actor=actor)
    household.refresh_from_db(fields=["visit_every", "next_due_on"])
    return household


def change_household(
    *, household_id: int, fields: HouseholdFields, seen: int, actor: User
) -> Household:
    """Correct what is known of a household; ``seen`` is the version the form was made of."""
    fields = fields.cleaned()
    with transaction.atomic():
        household = _locked(household_id, seen=seen, actor=actor)
        changed = put_fields(household, fields)
        if changed:
            _save(household)
            _record("change", household, actor=actor, data={"fields": changed})
    return household


def move_household(*, household_id: int, area: Area, seen: int, actor: User) -> Household:
    """Let a household live at another place of the actor's own ledger."""
    with transaction.atomic():
        place = _place_to_live(area)
        household = _locked(household_id, seen=seen, actor=actor)
        before = household.place_id
        for name, value in place_columns(place).items():
            setattr(household, name, value)
        _check_right(household, actor=actor)
        household.location = None
        _save(household)
        recount([household.pk])
        data = {"from": before, "to": household.place_id}
        _record("move", household, actor=actor, data=data)
    return household


def move_out(*, household_id: int, on: date, seen: int, actor: User) -> Household:
    """Note that a household has left: no visit is due any more, links and care end."""
    if on > timezone.localdate():
        raise Invalid(_("This day has not come yet."), field="on")
    with transaction.atomic():
        household = _locked(household_id, seen=seen, actor=actor)
        end_households([household], on=on)
        _save(household)
        _record("move_out", household, actor=actor, data={"on": str(on)})
    return household


def end_households(households: Iterable[Household], *, on: date) -> None:
    """Set the day these left and end what hung on them (2 queries); the caller saves them.

    Nothing ends before it began: what was noted after that day ends on its own first day.
    """
    for household in households:
        household.moved_out_on, household.next_due_on = on, NEVER
    day = Value(on, DateField())
    care = HouseholdCare.objects.filter(household__in=households, ended_on__isnull=True)
    care.update(ended_on=Greatest("since", day))
    links = HouseholdLink.objects.filter(household__in=households, valid_to__isnull=True)
    links.update(valid_to=Greatest("valid_from", day))


def tag_household(
    *, household_id: int, tag: CareTag, reason: str, actor: User, review_on: date | None = None
) -> HouseholdCare:
    """Give a household a care tag with its reason; the county's review time counts from today.

    Raises Invalid without a reason, for an inactive tag or a review day out of bounds, Conflict
    when it has the tag already.
    """
    reason = _reason(reason)
    today = timezone.localdate()
    latest = today + timedelta(days=31 * tag.review_months)
    review_on = review_on or review_day(tag, today)
    if not tag.active:
        raise Invalid(_("This tag is not given any more."), field="tag")
    if not today < review_on <= latest:
        raise Invalid(
            _("Choose a day after today, at most %(n)s months away."),
            field="review_on",
            n=tag.review_months,
        )
    with transaction.atomic():
        household = _locked(household_id, actor=actor)
        care = HouseholdCare(household=household, tag=tag, reason=reason, review_on=review_on)
        _save_part(care, Conflict(_("The household has this tag already.")))
        recount([household.pk])
        data = {"tag": tag.code, "review_on": str(review_on)}
        _record("tag", household, actor=actor, data=data)
    return care


def review_care(*, care_id: int, household_id: int, reason: str, actor: User) -> HouseholdCare:
    """Say that the reason still holds, in today's words, and set the next review."""
    reason = _reason(reason)
    with transaction.atomic():
        household = _locked(household_id, actor=actor)
        care = _open_care(household, care_id)
        care.reason, care.review_on = reason, review_day(care.tag, timezone.localdate())
        care.save(update_fields=["reason", "review_on"])
        data = {"tag": care.tag.code, "review_on": str(care.review_on)}
        _record("review_care", household, actor=actor, data=data)
    return care


def end_care(*, care_id: int, household_id: int, actor: User) -> HouseholdCare:
    """Take a care tag away: the reason does not hold any more."""
    with transaction.atomic():
        household = _locked(household_id, actor=actor)
        care = _open_care(household, care_id)
        care.ended_on = timezone.localdate()
        care.save(update_fields=["ended_on"])
        recount([household.pk])
        _record("end_care", household, actor=actor, data={"tag": care.tag.code})
    return care


def review_day(tag: CareTag, today: date) -> date:
    """Return the day a tag given or reviewed today is looked at again."""
    months = today.month - 1 + tag.review_months
    # The 28th stands for the last days, which not every month has.
    return date(today.year + months // 12, months % 12 + 1, min(today.day, 28))


def link_household(*, household_id: int, member: User, actor: User) -> HouseholdLink:
    """Let a member look in on a household, the ninth is refused (members link 5–8 households).

    Raises Invalid for somebody without a post in the household's town, or without room left.
    """
    today = timezone.localdate()
    with transaction.atomic():
        household = _locked(household_id, actor=actor)
        if not _posted_in(member, household.town):
            raise Invalid(_("Choose somebody posted in this town."), field="member")
        # Whoever else links for this member waits here, so that two find two slots.
        User.objects.select_for_update().only("pk").get(pk=member.pk)
        running = HouseholdLink.objects.filter(member=member).on(today)
        if running.filter(household=household).exists():
            raise Conflict(_("This member links the household already."))
        taken = set(running.values_list("slot", flat=True))
        free = [slot for slot in range(1, LINKS_MOST + 1) if slot not in taken]
        if not free:
            raise Invalid(
                _("%(member)s links %(n)s households already; nobody links more."),
                field="member",
                member=str(member),
                n=LINKS_MOST,
            )
        link = HouseholdLink(member=member, household=household, slot=free[0], valid_from=today)
        _save_part(link, Conflict(_("This member links the household already.")))
        _record("link", household, actor=actor, data={"member": member.pk})
    return link


def unlink_household(*, link_id: int, household_id: int, actor: User) -> None:
    """End a member's link; what was stays on record."""
    with transaction.atomic():
        household = _locked(household_id, actor=actor)
        link = household.links.filter(pk=link_id, valid_to__isnull=True).first()
        if link is None:
            raise Conflict(CHANGED_MEANWHILE)
        link.valid_to = timezone.localdate()
        link.save(update_fields=["valid_to"])
        _record("unlink", household, actor=actor, data={"member": link.member_id})


def put_fields(household: Household, fields: HouseholdFields) -> list[str]:
    """Set cleaned fields and return the names of those that changed."""
    values = {
        "address": fields.address,
        "contact": fields.contact,
        "phone": fields.phone,
        "people": fields.people,
    }
    changed = [name for name, value in values.items() if getattr(household, name) != value]
    for name in changed:
        setattr(household, name, values[name])
    household.phone_index = blind_index(fields.phone)
    return changed


def place_columns(place: Place) -> dict[str, int | None]:
    """Return the five ids of a place as a household keeps them."""
    return {
        "county_id": place.county_id,
        "town_id": place.town_id,
        "village_id": place.village_id,
        "grid_id": place.grid_id,
        "unit_id": place.unit_id,
    }


def _place_to_live(area: Area) -> Place:
    """Return the place, which stays as it is until the end of the transaction."""
    keep_tree()
    area = Area.objects.defer(*SHAPES).get(pk=area.pk)
    if area.closed_on is not None or area.level not in {Level.GRID, Level.UNIT}:
        raise Invalid(_("Choose a ten-household unit, or a grid that has none."), field="area")
    below = Area.objects.open().filter(path__startswith=area.path, depth__gt=area.depth)
    if below.exists():
        raise Invalid(_("This grid is divided into units; choose one of them."), field="area")
    return place_of_area(area)


def _check_right(household: Household, *, actor: User) -> None:
    if not looks_after(Scope.for_user(actor), household, KEEPERS_OF_LEDGER):
        raise NotAllowed(NOT_YOUR_LEDGER)


def _locked(household_id: int, *, actor: User, seen: int | None = None) -> Household:
    """Return the household with its row locked, its version raised by one.

    Raises NotAllowed, and Conflict when it has changed since or has moved out.
    """
    household = Household.objects.select_for_update(of=("self",)).get(pk=household_id)
    _check_right(household, actor=actor)
    if household.moved_out_on is not None:
        raise Conflict(_("This household has moved out."))
    if seen is not None and household.version != seen:
        raise Conflict(CHANGED_MEANWHILE)
    household.version += 1
    return household


def _save(household: Household) -> None:
    try:
        with transaction.atomic():
            household.save()
    except IntegrityError as error:
        if "household_one_at_a_door" not in str(error):
            raise
        raise Invalid(AT_THIS_DOOR, field="address") from error


def _save_part(row: HouseholdCare | HouseholdLink, taken: Conflict) -> None:
    try:
        with transaction.atomic():
            row.save()
    except (IntegrityError, ValidationError) as error:
        raise taken from error


def _open_care(household: Household, care_id: int) -> HouseholdCare:
    care = household.care.filter(pk=care_id, ended_on__isnull=True).select_related("tag").first()
    if care is None:
        raise Conflict(CHANGED_MEANWHILE)
    return care


def _reason(text: str) -> str:
    reason = text.replace("\x00", "").strip()
    if not reason:
        raise Invalid(_("Please say why."), field="reason")
    if len(reason) > REASON_LIMIT:
        raise Invalid(_("Please keep it under %(n)s characters."), field="reason", n=REASON_LIMIT)
    return reason


def _posted_in(member: User, town: Area) -> bool:
    rows = Posting.objects.current().filter(user=member, user__is_active=True)
    return rows.filter(area__path__startswith=town.path).exists()


def _record(
    verb: str, household: Household, *, actor: User, data: dict[str, Any] | None = None
) -> None:
    audit.record(
        actor=actor,
        action=f"household.{verb}",
        subject_type="household",
        subject_id=household.pk,
        data=data,
        place=household,
    )
