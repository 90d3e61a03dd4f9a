"""Showing a colleague's phone and ID number: what the general reveal needs to know of the roster.

What must not live here: the roster itself (people.py).
"""

from django.utils.translation import gettext_lazy as _

from core.masking import mask_id, mask_phone
from grids.models import Posting, Role, User
from grids.queries import Place, Scope, place_of_area
from grids.queries.roster import may_keep
from grids.services.reveal import Field, Revealable

# Who leads people, in their own place; workers meet each other without this page.
LEADS = frozenset(
    {Role.GRID_GUIDE, Role.GRID_CHIEF, Role.VILLAGE_OFFICE, Role.TOWN_ADMIN, Role.COMMAND}
)


def leads(user: User, scope: Scope, person: User) -> bool:
    """Return whether ``person`` is the user, or posted below where the user leads (1 query)."""
    if person.pk == user.pk:
        return True
    above = tuple(p.area.path for p in scope.postings if p.area and p.role in LEADS)
    return any(path.startswith(above) for path in _paths(person)) if above else False


def place_of_person(user_id: int) -> Place | None:
    """Return where somebody is posted first today, or was last (2 queries)."""
    postings = Posting.objects.filter(user_id=user_id, area__isnull=False).select_related("area")
    posting = postings.current().order_by("pk").first() or postings.order_by("-pk").first()
    return place_of_area(posting.area) if posting and posting.area else None


def place_of_posting(posting_id: int) -> Place | None:
    """Return where a posting is; None for one at a department (1 query)."""
    posting = Posting.objects.filter(pk=posting_id).select_related("area").first()
    return place_of_area(posting.area) if posting and posting.area else None


def _paths(person: User) -> list[str]:
    """Return the paths of the areas, or the counties of the departments, of today's posts."""
    rows = Posting.objects.current().filter(user=person)
    pairs = rows.values_list("area__path", "department__county__path")
    return [area or county for area, county in pairs]


def _find(user: User, scope: Scope, key: str) -> User | None:
    person = User.objects.filter(pk=key).first() if key.isdecimal() and len(key) < 19 else None
    if person is None or person.pk == user.pk:
        return person
    held = tuple(area.path for area in scope.areas)
    return person if held and any(path.startswith(held) for path in _paths(person)) else None


PHONE = Field(
    label=_("phone"),
    clear=lambda person: person.phone,
    masked=lambda person: mask_phone(person.phone),
    may=leads,
)
# An ID number is for whoever keeps the roster, to compare it with the card.
ID_NUMBER = Field(
    label=_("ID number"),
    clear=lambda person: person.id_number,
    masked=lambda person: mask_id(person.id_number),
    may=lambda user, scope, person: person.pk != user.pk and may_keep(scope, person),
)
REVEALABLE = Revealable(
    find=_find,
    fields={"phone": PHONE, "id_number": ID_NUMBER},
    place=lambda person: place_of_person(person.pk),
)
