"""Trying a routing table out: on the examples of its rules, and on the cases of the last days.

What must not live here: anything that changes a row.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from grids.models import SHAPES, Area, Level, User
from grids.queries import Place, Scope, places_of_areas
from incidents.desks import RULE_KEEPERS
from incidents.models import Category, Incident, RoutingRule, Source, Tier
from incidents.queries.rules import in_force
from incidents.services.routing import Decision, decide

DAYS = 30
# So many cases are looked at; of more an even sample. It keeps a preview within a second or two.
MOST = 3_000
SHOWN = 20
_LEVELS = ("county", "town", "village", "grid", "unit")
# When an example says no time and its rule none either: a Wednesday morning.
_WEEKDAY, _TIME = 3, time(10)


@dataclass(frozen=True)
class Tried:
    """What became of one example; ``why`` says in words what a failed one did instead."""

    example: Mapping[str, Any]
    passed: bool
    why: str = ""


def try_examples(rules: Sequence[RoutingRule]) -> dict[str, list[Tried]]:
    """Return by key what the whole table does with each rule's examples.

    The examples of a rule that is off are tried as if it were on; of one that is over, not at
    all. 5 queries, and one for each different area that rules or examples name.
    """
    places = _Places(rules)
    today = timezone.localdate()
    found: dict[str, list[Tried]] = {}
    for rule in rules:
        over = rule.valid_to and rule.valid_to <= today
        table = [other for other in rules if other.active or other is rule]
        found[rule.key] = [] if over else [_try(rule, one, table, places) for one in rule.examples]
    return found


def _try(
    rule: RoutingRule, example: Mapping[str, Any], table: Sequence[RoutingRule], places: "_Places"
) -> Tried:
    category = places.categories.get(example["category"] or rule.category_id)
    if category is None:
        return Tried(example, False, _("Its item is no longer in the catalogue."))
    incident = Incident(
        text=example["text"],
        category=category,
        tier=rule.tier or category.tier,
        source=rule.source or Source.RESIDENT,
    )
    if not places.put(incident, example["area"] or rule.area_id):
        return Tried(example, False, _("There is no such place any more."))
    decision = decide(incident, rules=table, now=_moment(rule, example))
    if decision.rule is rule and token(decision) == example["target"]:
        return Tried(example, True)
    return Tried(example, False, _went(rule, decision))


def _went(rule: RoutingRule, decision: Decision) -> str:
    """Return in words what happened to an example that failed."""
    own = next(
        (
            row["why"]
            for row in decision.explanation
            if row["position"] == rule.position and row["outcome"] != "matched"
        ),
        "",
    )
    if decision.rule is rule:
        return _("It goes to %(target)s.") % {"target": owner_words(decision)}
    told = {"why": own, "target": owner_words(decision)}
    if decision.rule is not None:
        told |= {"n": decision.rule.position, "rule": decision.rule.name}
        if own:
            return (
                _("This rule does not take it (%(why)s); rule %(n)s “%(rule)s” does: %(target)s.")
                % told
            )
        return _("Rule %(n)s “%(rule)s” comes first: %(target)s.") % told
    return _("This rule does not take it (%(why)s), and no other does.") % told


def token(decision: Decision) -> str:
    """Return where a decision sends a case, as examples expect it."""
    if decision.department is not None:
        return f"department:{decision.department.pk}"
    return decision.area.level if decision.area is not None else "person"


def owner_words(decision: Decision) -> str:
    """Return where a decision sends cases, the same words for every grid, village or town."""
    if decision.department is not None:
        return decision.department.label
    if decision.area is None:
        return _("a dispatcher, who decides")
    return {
        Level.GRID: _("the grid of the place"),
        Level.VILLAGE: _("the village or community of the place"),
        Level.TOWN: _("the town of the place"),
    }[Level(decision.area.level)]


def _moment(rule: RoutingRule, example: Mapping[str, Any]) -> datetime:
    """Return a moment at which the rule is in force and its weekday and hour are right."""
    day = max(timezone.localdate(), rule.valid_from or timezone.localdate())
    wanted = int(rule.weekdays[0]) if rule.weekdays else _WEEKDAY
    day += timedelta(days=(wanted - day.isoweekday()) % 7)
    if rule.valid_to and day >= rule.valid_to:
        day = max(timezone.localdate(), rule.valid_from or timezone.localdate())
    clock = time.fromisoformat(example["time"]) if example["time"] else rule.from_time or _TIME
    return timezone.make_aware(datetime.combine(day, clock))


class _Places:
    """Grids and items that examples stand for, read once for all of them."""

    def __init__(self, rules: Sequence[RoutingRule]) -> None:
        self.categories = Category.objects.select_related("owner").in_bulk()
        county = Area.objects.open().filter(level=Level.COUNTY).values_list("pk", flat=True)
        self.county = county.order_by("path").first()
        named = {
            example["area"] or rule.area_id or self.county
            for rule in rules
            for example in rule.examples
        }
        areas = Area.objects.only("path", "level").in_bulk(named - {None})
        self.inner = {pk: self._grid_in(area) for pk, area in areas.items()}
        self.places = places_of_areas(self.inner.values())
        ids = {pk for place in self.places.values() for pk in _ids_of(place)}
        self.areas = Area.objects.defer(*SHAPES).in_bulk(ids)

    @staticmethod
    def _grid_in(area: Area) -> int:
        """Return the first open grid of an area; the area itself where it has none (≤ 1 query)."""
        if area.level in {Level.GRID, Level.UNIT}:
            return area.pk
        inside = Area.objects.open().filter(level=Level.GRID, path__startswith=area.path)
        return inside.order_by("path").values_list("pk", flat=True).first() or area.pk

    def put(self, incident: Incident, area_id: int | None) -> bool:
        """Put a case into an area; return whether there is such an area."""
        place = self.places.get(self.inner.get(area_id or self.county) or 0)
        if place is None:
            return False
        incident.area = self.areas[place.area_id]
        for level in _LEVELS:
            setattr(incident, level, self.areas.get(getattr(place, f"{level}_id")))
        return True


def _ids_of(place: Place) -> set[int]:
    ids = {getattr(place, f"{level}_id") for level in _LEVELS} | {place.area_id}
    return {pk for pk in ids if pk is not None}


@dataclass(frozen=True)
class Moved:
    """One case that another table would have sent elsewhere."""

    incident: Incident
    before: str
    after: str


@dataclass
class Preview:
    """What a table would have done with the cases of the last days.

    ``looked_at`` of ``reported`` cases were tried (a sample when ``every`` is more than one);
    ``moves`` are (from, to, cases), most first; ``cases`` are some the reader may open.
    """

    reported: int = 0
    looked_at: int = 0
    every: int = 1
    elsewhere: int = 0
    moves: list[tuple[str, str, int]] = field(default_factory=list)
    cases: list[Moved] = field(default_factory=list)

    @property
    def percent(self) -> float:
        """The share that would go elsewhere."""
        return 100 * self.elsewhere / self.looked_at if self.looked_at else 0.0


def preview(
    rules: Iterable[RoutingRule], *, user: User, scope: Scope, now: datetime | None = None
) -> Preview:
    """Send the dispatched cases of the last 30 days through ``rules`` and those in force.

    Nothing is written. Each case is tried at the weekday and hour it was triaged at, as if both
    tables had been in force all the time. 8 queries, however many cases there were: at most
    ``MOST`` are tried, evenly drawn, so that a request has time for it.
    """
    now = now or timezone.now()
    recent = Incident.objects.filter(
        county_id__in=_counties(scope), reported_at__gte=now - timedelta(days=DAYS)
    )
    found = Preview(reported=recent.count())
    found.every = max(1, -(-found.reported // MOST))
    old = _timeless(in_force())
    new = _timeless(rules)
    flows: Counter[tuple[str, str]] = Counter()
    moved: list[Moved] = []
    for incident in _cases(recent, found.every):
        found.looked_at += 1
        at = incident.triaged_at or incident.reported_at
        before = decide(incident, rules=old, now=at, explain=False)
        after = decide(incident, rules=new, now=at, explain=False)
        if before.owner == after.owner:
            continue
        words = owner_words(before), owner_words(after)
        flows[words] += 1
        moved.append(Moved(incident, *words))
    found.elsewhere = len(moved)
    found.moves = [(*words, n) for words, n in flows.most_common()]
    ids = [one.incident.pk for one in moved[: 10 * SHOWN]]
    seen = set(
        Incident.objects.visible_to(user, scope).filter(pk__in=ids).values_list("pk", flat=True)
    )
    found.cases = [one for one in moved if one.incident.pk in seen][:SHOWN]
    return found


def _counties(scope: Scope) -> set[int]:
    """Return the counties whose rules the reader keeps."""
    return {
        posting.area_id
        for posting in scope.postings
        if posting.role in RULE_KEEPERS and posting.area_id is not None
    }


def _timeless(rules: Iterable[RoutingRule]) -> list[RoutingRule]:
    """Return the rules that are on and not over, as if they had always been in force."""
    today, kept = timezone.localdate(), []
    for rule in rules:
        if rule.active and not (rule.valid_to and rule.valid_to <= today):
            one = copy(rule)
            one.valid_from = one.valid_to = None
            kept.append(one)
    return kept


def _cases(recent: QuerySet[Incident], every: int) -> list[Incident]:
    """Return the cases that rules had to dispatch, newest first (3 queries)."""
    drawn = recent
    if every > 1:
        # Drawn in the index alone: only those drawn are read.
        sample = recent.annotate(rest=F("pk") % every).filter(rest=0)
        drawn = Incident.objects.filter(pk__in=sample.values("pk"))
    rows = list(
        drawn.filter(
            dispatched_at__isnull=False,
            category__isnull=False,
            tier__in=[Tier.AI, Tier.LOCAL],
        )
        .only(
            *("tracking_code", "text", "tier", "source", "category_id", "reported_at"),
            *("triaged_at", "area_id", *(f"{level}_id" for level in _LEVELS)),
        )
        .order_by("-pk")
    )
    categories = Category.objects.select_related("owner").in_bulk()
    names = ("area", *_LEVELS)
    ids = {getattr(row, f"{name}_id") for row in rows for name in names} - {None}
    areas = Area.objects.only("path", "level", "name", "closed_on").in_bulk(ids)
    for row in rows:
        row.category = categories[row.category_id]
        for name in names:
            setattr(row, name, areas.get(getattr(row, f"{name}_id")))
    return rows
