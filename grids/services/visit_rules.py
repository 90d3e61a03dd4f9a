"""How often households are visited: rules made, and due dates kept true to them.

What must not live here: visits themselves (visits.py). A household's due date is always what
:func:`recount` says: the last visit (or the day it became known) plus the shortest rule in force.
"""

from collections.abc import Sequence
from datetime import date

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid, NotAllowed
from core.services import audit
from grids.models import NEVER, Area, CareTag, Household, Role, User, VisitRule
from grids.models.visit import LONGEST_INTERVAL
from grids.queries import Scope, place_of_area

BATCH = 2000
# Who may say how often: the county for all, a town for itself.
RULE_MAKERS = frozenset({Role.TOWN_ADMIN, Role.COMMAND})

# The newest rule for each area and tag that has begun; one without days has ended.
_RECOUNT = """
    WITH rule AS (
        SELECT DISTINCT ON (area_id, tag_id) area_id, tag_id, days
          FROM grids_visitrule WHERE valid_from <= %(today)s
         ORDER BY area_id, tag_id, valid_from DESC, id DESC
    ),
    found AS (
        SELECT h.id, (
            SELECT min(rule.days) FROM rule
             WHERE rule.area_id IN (h.county_id, h.town_id, h.village_id, h.grid_id, h.unit_id)
               AND (rule.tag_id IS NULL OR rule.tag_id IN (
                    SELECT tag_id FROM grids_householdcare
                     WHERE household_id = h.id AND ended_on IS NULL))
        ) AS days
          FROM grids_household h WHERE h.id = ANY(%(ids)s)
    ),
    wanted AS (
        SELECT h.id, found.days,
               CASE WHEN h.moved_out_on IS NOT NULL OR found.days IS NULL THEN %(never)s::date
                    ELSE coalesce(h.last_visited_on, h.since) + found.days END AS due
          FROM grids_household h JOIN found USING (id)
    )
    UPDATE grids_household h SET visit_every = wanted.days, next_due_on = wanted.due
      FROM wanted
     WHERE h.id = wanted.id
       AND (h.visit_every, h.next_due_on) IS DISTINCT FROM (wanted.days, wanted.due)
"""


def recount(household_ids: Sequence[int], *, today: date | None = None) -> int:
    """Set interval and due date of these households by the rules in force (1 query).

    Of all rules of the areas a household lies in, for everybody or for a tag it has, the
    shortest wins. The caller holds the rows' locks. Returns how many changed.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _RECOUNT,
            {"today": today or timezone.localdate(), "ids": list(household_ids), "never": NEVER},
        )
        return cursor.rowcount


def add_rule(
    *,
    area: Area,
    days: int | None,
    actor: User,
    tag: CareTag | None = None,
    valid_from: date | None = None,
) -> VisitRule:
    """Say how often households of ``area`` (with ``tag``) are visited from a day on.

    ``days`` None ends the rule. Due dates follow in the background. Raises NotAllowed outside
    the actor's own area, Invalid for a day gone by or a number out of bounds.
    """
    if not _may_rule(actor, area):
        raise NotAllowed(_("Only the county and the town set how often households are visited."))
    if days is not None and not 1 <= days <= LONGEST_INTERVAL:
        raise Invalid(_("Between 1 and 366 days."), field="days")
    valid_from = valid_from or timezone.localdate()
    if valid_from < timezone.localdate():
        raise Invalid(_("A rule begins today or later."), field="valid_from")
    rule = VisitRule(area=area, tag=tag, days=days, valid_from=valid_from, made_by=actor)
    try:
        with transaction.atomic():
            rule.save()
            audit.record(
                actor=actor,
                action="visit_rule.add",
                subject_type="visit_rule",
                subject_id=rule.pk,
                data={
                    "area": area.code,
                    "tag": tag.code if tag else "",
                    "days": days,
                    "valid_from": str(valid_from),
                },
                place=place_of_area(area),
            )
    except IntegrityError as error:
        raise Invalid(
            _("There is a rule for this from that day already."), field="valid_from"
        ) from error
    return rule


def _may_rule(actor: User, area: Area) -> bool:
    return any(
        posting.area and posting.role in RULE_MAKERS and area.path.startswith(posting.area.path)
        for posting in Scope.for_user(actor).postings
    )


def apply_rules(*, batch: int = BATCH) -> int:
    """Bring the households of one waiting rule up to date, one batch; return how many were read.

    A rule waits until its first day. The row says how far it came, so a process that dies loses
    nothing; 0 means no rule waits.
    """
    today = timezone.localdate()
    with transaction.atomic():
        rule = (
            VisitRule.objects.select_for_update(of=("self",), skip_locked=True)
            .filter(applied_at__isnull=True, valid_from__lte=today)
            .select_related("area")
            .order_by("valid_from", "pk")
            .first()
        )
        if rule is None:
            return 0
        # Locked before they are counted: a visit that is being stored comes first and is seen.
        ids = list(
            Household.objects.within([rule.area])
            .filter(pk__gt=rule.applied_up_to)
            .order_by("pk")
            .select_for_update(of=("self",))
            .values_list("pk", flat=True)[:batch]
        )
        recount(ids, today=today)
        if len(ids) < batch:
            rule.applied_at = timezone.now()
        rule.applied_up_to = ids[-1] if ids else rule.applied_up_to
        rule.save(update_fields=["applied_at", "applied_up_to"])
    return max(len(ids), 1)
