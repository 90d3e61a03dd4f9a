"""A routing rule in plain words: when it applies, where it sends a case, in one sentence.

What must not live here: queries (area, category and department of the rule are loaded) and what
a rule does (services/routing.py).
"""

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _

from core.choices import labels
from incidents.models import OwnerKind, RoutingRule, Source, Tier


def conditions(rule: RoutingRule) -> list[str]:
    """Return what must hold for the rule to apply, one phrase each; none for a rule for all."""
    found = []
    if rule.category:
        found.append(_("the item is “%(item)s”") % {"item": rule.category.label})
    if rule.major:
        found.append(_("the major class is “%(major)s”") % {"major": rule.major})
    if rule.words:
        words = _(" or ").join(f"“{word}”" for word in rule.words)
        found.append(_("the text says %(words)s") % {"words": words})
    if rule.area:
        found.append(_("the place is in %(area)s") % {"area": rule.area.name})
    if rule.tier:
        found.append(_("the tier is “%(tier)s”") % {"tier": labels(Tier)[rule.tier]})
    if rule.source:
        found.append(_("it came from “%(source)s”") % {"source": labels(Source)[rule.source]})
    if rule.weekdays:
        days = _(", ").join(str(WEEKDAYS[int(day) - 1]) for day in rule.weekdays)
        found.append(_("it is %(days)s") % {"days": days})
    if rule.from_time and rule.to_time:
        span = {"start": f"{rule.from_time:%H:%M}", "end": f"{rule.to_time:%H:%M}"}
        found.append(_("it is between %(start)s and %(end)s") % span)
    return found


def target(rule: RoutingRule) -> str:
    """Return where the rule sends a case."""
    if rule.department:
        return rule.department.label
    return {
        OwnerKind.CATEGORY_OWNER: _("the department of the item"),
        OwnerKind.GRID: _("the grid of the place"),
        OwnerKind.VILLAGE: _("the village or community of the place"),
        OwnerKind.TOWN: _("the town of the place"),
        OwnerKind.PERSON: _("a dispatcher, who decides"),
    }.get(OwnerKind(rule.owner_kind), rule.owner_kind)


def sentence(rule: RoutingRule) -> str:
    """Return the whole rule in one sentence."""
    when = _(", ").join(conditions(rule))
    if not when:
        return _("Every case goes to %(target)s.") % {"target": target(rule)}
    return _("When %(when)s, it goes to %(target)s.") % {"when": when, "target": target(rule)}


def because(rule: RoutingRule) -> str:
    """Return the conditions that were met, for the explanation of one case."""
    return _(", ").join(conditions(rule)) or _("it holds for every case")
