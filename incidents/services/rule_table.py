"""The verbs that change the routing table: drawn up as a draft, put in force as a whole.

A draft belongs to all keepers of the rules. Every verb names the state it was made on (``seen``,
the stamp of ``queries.rules.shown_table``); who comes second is refused and told who was first.
What must not live here: what a rule does to a case (routing.py).
"""

from collections.abc import Callable, Mapping, Sequence
from secrets import token_hex
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Conflict, Invalid, NotAllowed
from core.locks import Lock
from core.services import audit
from grids.models import User
from grids.queries import Scope
from incidents.desks import RULE_KEEPERS
from incidents.models import Category, OwnerKind, RoutingRule, RuleTable
from incidents.queries.rules import (
    Shown,
    as_data,
    from_data,
    in_force,
    says_another,
    shown_table,
)
from incidents.services.rule_trials import try_examples

# Held while the draft is changed or put in force: there may be no row yet to lock.
TABLE_LOCK = Lock("incidents.rule_table")
_TO_VILLAGES = frozenset({OwnerKind.GRID, OwnerKind.VILLAGE})
Rows = list[dict[str, Any]]


def save_rule(*, key: str, rule: RoutingRule, seen: str, actor: User) -> str:
    """Put what a rule says into the draft, a new one (no key) before the last; return its key.

    Raises Invalid for a rule that sends to villages what they do not do, naming the item.
    """
    _check_villages(rule)

    def change(rows: Rows) -> str:
        rule.key = key or f"n{token_hex(4)}"
        if not key:
            # Before the one that takes all the rest, which the table ends with.
            rows.insert(max(0, len(rows) - 1), as_data(rule))
        else:
            at = _at(rows, key)
            rule.version = rows[at]["version"]
            rows[at] = as_data(rule)
        return rule.key

    return _edit(change, act="save", rule=rule.name, seen=seen, actor=actor)


def move_rule(*, key: str, up: bool, seen: str, actor: User) -> str:
    """Swap a rule of the draft with its neighbour; at the end of the table nothing happens."""

    def change(rows: Rows) -> str:
        at = _at(rows, key)
        other = at - 1 if up else at + 1
        if 0 <= other < len(rows):
            rows[at], rows[other] = rows[other], rows[at]
        return key

    return _edit(change, act="up" if up else "down", rule=key, seen=seen, actor=actor)


def switch_rule(*, key: str, on: bool, seen: str, actor: User) -> str:
    """Switch a rule of the draft on or off."""

    def change(rows: Rows) -> str:
        rows[_at(rows, key)]["active"] = on
        return key

    return _edit(change, act="on" if on else "off", rule=key, seen=seen, actor=actor)


def remove_rule(*, key: str, seen: str, actor: User) -> str:
    """Take a rule out of the draft; tables that were in force keep it."""

    def change(rows: Rows) -> str:
        del rows[_at(rows, key)]
        return ""

    return _edit(change, act="remove", rule=key, seen=seen, actor=actor)


def throw_away(*, seen: str, actor: User) -> None:
    """Throw the draft away: the table in force stays as it is."""
    with transaction.atomic():
        _hold(seen, actor)
        RuleTable.objects.filter(number__isnull=True).delete()
        _record(actor, "throw_away")


def put_in_force(*, seen: str, actor: User) -> RuleTable:
    """Let the draft decide from now on; return the table with its number.

    Raises Invalid, naming each, while an example fails, or a rule that is new or says something
    else has none, or a rule cannot be carried out. Explanations of cases stay as they were
    written; a rule that says something else gets the next version.
    """
    with transaction.atomic():
        shown = _hold(seen, actor)
        draft = shown.draft
        if draft is None:
            raise Conflict(_("There is no draft to put in force."))
        before = {rule.key: as_data(rule) for rule in in_force()}
        _check_rules(shown, before)
        number = shown.number
        if not number:
            number = 1
            RuleTable.objects.create(
                number=1, rules=list(before.values()), made_at=timezone.now(), made_by=None
            )
        rules = _write(shown.data, before)
        draft.number, draft.made_at, draft.made_by = number + 1, timezone.now(), actor
        draft.rules = [as_data(rule) for rule in rules]
        draft.save()
        _record(actor, "put_in_force", number=draft.number, rules=len(rules))
    return draft


def _edit(change: Callable[[Rows], str], *, act: str, rule: str, seen: str, actor: User) -> str:
    """Change the rules of the draft, which is begun by its first change."""
    with transaction.atomic():
        shown = _hold(seen, actor)
        draft = shown.draft or RuleTable(rules=shown.data, based_on=shown.number)
        key = change(draft.rules)
        draft.made_at, draft.made_by = timezone.now(), actor
        draft.save()
        _record(actor, "draft", act=act, rule=rule)
    return key


def _hold(seen: str, actor: User) -> Shown:
    """Return the table nobody else changes until the transaction ends. Raises Conflict."""
    if not Scope.for_user(actor).has(*RULE_KEEPERS):
        raise NotAllowed
    TABLE_LOCK.hold()
    shown = shown_table()
    if shown.stamp != seen:
        draft = shown.draft
        if draft is None:
            raise Conflict(_("The rules were put in force or thrown away meanwhile. Look again."))
        raise Conflict(
            _("%(who)s changed the draft at %(when)s. Look at it again before you go on."),
            who=str(draft.made_by),
            when=f"{timezone.localtime(draft.made_at):%m-%d %H:%M}",
        )
    return shown


def _at(rows: Sequence[Mapping[str, Any]], key: str) -> int:
    for at, row in enumerate(rows):
        if row["key"] == key:
            return at
    raise Conflict(_("This rule is not in the draft any more."))


def _check_villages(rule: RoutingRule) -> None:
    """Raise Invalid if a rule would send to villages only what they do not do."""
    if rule.owner_kind not in _TO_VILLAGES:
        return
    category = rule.category
    if category is not None and not category.village_allowed:
        raise Invalid(
            _(
                "“%(item)s” (%(code)s) is not on the list of what villages do; "
                "it cannot be sent to a village or grid."
            ),
            field="owner_kind",
            item=category.label,
            code=category.code,
        )
    if category is None and rule.major:
        items = Category.objects.filter(active=True, major=rule.major)
        if not items.filter(village_allowed=True).exists():
            raise Invalid(
                _("Nothing of the class “%(major)s” is on the list of what villages do."),
                field="owner_kind",
                major=rule.major,
            )


def _check_rules(shown: Shown, before: Mapping[str, Mapping[str, Any]]) -> None:
    wrong = []
    tried = try_examples(shown.rules)
    for rule, row in zip(shown.rules, shown.data, strict=True):
        if not rule.active:
            continue
        told = {"n": rule.position, "rule": rule.name}
        if problem := _cannot(rule, row):
            wrong.append(_("Rule %(n)s “%(rule)s”: %(why)s") % {**told, "why": problem})
        was = before.get(rule.key)
        if not rule.examples and (was is None or says_another(was, row)):
            wrong.append(_("Rule %(n)s “%(rule)s” needs an example.") % told)
        wrong += [
            _("Rule %(n)s “%(rule)s”, example “%(text)s”: %(why)s")
            % {**told, "text": one.example["text"], "why": one.why}
            for one in tried[rule.key]
            if not one.passed
        ]
    if wrong:
        raise Invalid(
            _("Not put in force: the rules do not do yet what their examples say."),
            errors={"": wrong},
        )


def _cannot(rule: RoutingRule, row: Mapping[str, Any]) -> str:
    """Return why a rule could never be carried out, or ""."""
    if row["area"] and (rule.area is None or rule.area.closed_on):
        return _("its area is closed")
    if row["category"] and (rule.category is None or not rule.category.active):
        return _("its item is not in the catalogue any more")
    if row["department"] and (rule.department is None or not rule.department.active):
        return _("the department is closed")
    return ""


def _write(rows: Rows, before: Mapping[str, Mapping[str, Any]]) -> list[RoutingRule]:
    """Make the rows of the table what the draft says; return them in order."""
    kept = {row["key"] for row in rows}
    gone = [int(key) for key in before if key not in kept]
    RoutingRule.objects.filter(pk__in=gone).delete()
    # Positions are unique at every moment: all step aside first.
    RoutingRule.objects.update(position=F("position") + 1_000_000)
    rules = from_data(rows)
    for rule, row in zip(rules, rows, strict=True):
        was = before.get(rule.key)
        if was is None:
            rule.pk, rule.version = None, 1
        elif says_another(was, row):
            rule.version = was["version"] + 1
        rule.save(force_insert=was is None, force_update=was is not None)
        rule.key = str(rule.pk)
    return rules


def _record(actor: User, act: str, /, **data: Any) -> None:
    audit.record(
        actor=actor, action=f"routing_rules.{act}", subject_type="routing_rules", data=data
    )
