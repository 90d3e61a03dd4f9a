"""First passwords for everybody a sheet brought in, on slips to cut out, once.

What must not live here: one person's (people.give_first_password), and the drawing
(grids/slip_sheet.py).

A password is made when its slip is drawn and stands in clear nowhere but on it: the paper is
encrypted, only whoever brought the sheet in can fetch it, and it is erased within the hour. Until
the paper is ready nobody has got a password, so a worker that dies in between loses nothing.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from core.errors import Conflict, NotAllowed
from core.models import Paper, SheetUpload
from core.services import audit, papers
from grids.models import Posting, User, shapes_of
from grids.queries import Place, Scope, places_of_areas
from grids.queries.first_passwords import waiting_of, without_password
from grids.queries.roster import kept_people, place_words
from grids.services.people import new_password
from grids.slip_sheet import Slip, SlipWords, slips_sheet

KIND = "first_passwords"
KEPT = timedelta(hours=1)
# A slow hash each, about 0.2 s: so many keep a worker busy for less than two minutes.
MOST_AT_ONCE = 500

_GIVE = """
    UPDATE grids_user u SET password = given.password, must_change_password = true
      FROM unnest(%s::bigint[], %s::text[]) AS given (id, password) WHERE u.id = given.id
"""


def order_slips(*, upload: SheetUpload, address: str, actor: User) -> Paper:
    """Have slips drawn for whom the actor's own sheet added and who has no password yet.

    At most ``MOST_AT_ONCE``; the rest by ordering again. ``address`` is where to sign in. Raises
    NotAllowed for another's sheet, Conflict when nobody is left or slips are being drawn.
    """
    if upload.owner_id != actor.pk or upload.state != SheetUpload.State.SAVED:
        raise NotAllowed
    waiting = waiting_of(upload, Scope.for_user(actor))[:MOST_AT_ONCE]
    if not waiting:
        raise Conflict(_("Everybody this sheet brought in has a first password already."))
    if any(paper.busy for paper in papers.latest_of(kind=KIND, actor=actor)):
        raise Conflict(_("Slips are being drawn already."))
    return papers.order(
        kind=KIND,
        title=f"{_('First passwords')}-{timezone.localdate():%Y-%m-%d}",
        order={
            "upload": str(upload.pk),
            "people": [user.pk for user in waiting],
            "address": address,
        },
        actor=actor,
    )


def may_draw(order: Mapping[str, Any], actor: User) -> bool:
    """Return whether the actor still keeps every person of an order."""
    return set(order["people"]) <= kept_people(Scope.for_user(actor), order["people"])


def draw(
    order: Mapping[str, Any], *, actor: User, progress: papers.Progress
) -> Callable[[], bytes]:
    """Make passwords and slips; see core.services.papers.PaperKind."""
    people = list(without_password().filter(pk__in=order["people"]).order_by("pk"))
    postings = _postings(people)
    words = place_words(p.area for p in postings.values())
    slips, hashes = [], {}
    for done, user in enumerate(people, 1):
        password = new_password()
        hashes[user.pk] = make_password(password)
        area_id = postings[user.pk].area_id if user.pk in postings else None
        slips.append(Slip(user.display_name, words.get(area_id or 0, ""), user.username, password))
        progress(done, len(people))
    with override(settings.LANGUAGE_CODE):
        sheet = slips_sheet(slips, _words(order["address"])) if slips else b""
    places = places_of_areas({p.area_id for p in postings.values() if p.area_id})
    where = {pk: places.get(posting.area_id or 0) for pk, posting in postings.items()}
    return lambda: _given(order, hashes, sheet, where, actor=actor)


def _postings(people: list[User]) -> dict[int, Posting]:
    """Return a posting of each, the one that opened first (1 query)."""
    rows = Posting.objects.filter(user__in=people).select_related("area").order_by("-pk")
    return {posting.user_id: posting for posting in rows.defer(*shapes_of("area"))}


def _words(address: str) -> SlipWords:
    return SlipWords(
        title=_("First passwords"),
        account=_("Account"),
        password=_("First password"),
        change=_("Choose a password of your own at the first sign-in, then destroy this slip."),
        address=_("Sign in at %(address)s") % {"address": address},
    )


def _given(
    order: Mapping[str, Any],
    hashes: Mapping[int, str],
    sheet: bytes,
    where: Mapping[int, Place | None],
    *,
    actor: User,
) -> bytes:
    """Give the passwords that stand on the sheet, all or none, and return it."""
    fresh = without_password().filter(pk__in=order["people"]).select_for_update(no_key=True)
    if not hashes or set(fresh.values_list("pk", flat=True)) != set(hashes):
        raise Conflict(
            _("Somebody has been given a password meanwhile. Order the slips once more.")
        )
    with connection.cursor() as cursor:
        cursor.execute(_GIVE, [list(hashes), list(hashes.values())])
    audit.record_many(
        (
            ("person.first_password", "user", pk, {"sheet": order["upload"]}, where.get(pk))
            for pk in hashes
        ),
        actor=actor,
    )
    return sheet
