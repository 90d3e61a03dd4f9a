"""What an act would do to the tree, worked out before anything is touched.

What lives here: the rules of each kind of step and what stands in its way. What must not:
writing (services/reorganisation.py does what the plan says, so a dry run and the act agree).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Q
from django.utils.translation import gettext as _

from grids.models import Area, AreaCode, Level, Reorganisation, ReorganisationStep
from grids.models.area import CODE_LENGTH
from grids.models.reorganisation import ActState, StepKind
from grids.services.following import Departure


@dataclass
class Node:
    """One area as it is (``was_…``) and as it will be; ``into`` is what took it in."""

    pk: int
    level: str
    code: str
    name: str
    parent: int | None
    closed: bool
    has_boundary: bool
    into: int | None = None
    was_code: str = ""
    was_name: str = ""
    was_parent: int | None = None

    def __post_init__(self) -> None:
        self.was_code, self.was_name, self.was_parent = self.code, self.name, self.parent

    @property
    def moved(self) -> bool:
        """Whether it will stand under another area."""
        return self.parent != self.was_parent

    @property
    def changed(self) -> bool:
        """Whether anything about the area itself changes."""
        return self.moved or self.into is not None or self.renamed or self.recoded

    @property
    def renamed(self) -> bool:
        """Whether it will have another name."""
        return self.name != self.was_name

    @property
    def recoded(self) -> bool:
        """Whether it will have another code."""
        return self.code != self.was_code


@dataclass(frozen=True)
class Problem:
    """Why an act cannot be carried out as it is, in words, and what to do about it.

    ``step`` is the position of the step, 0 the act as a whole.
    """

    step: int
    text: str
    remedy: str


@dataclass(frozen=True)
class Shape:
    """A boundary that changes: ``area`` gains or loses the land of ``land``."""

    area: int
    land: int
    gains: bool


@dataclass
class Plan:
    """What an act would do. ``problems`` stand against it, ``remarks`` do not.

    ``codes`` holds one {area id: new code} for each step that gives codes, in order: a later one
    may take what an earlier one set free. ``moves`` are (area, new parent), ``merges`` {area:
    the area that takes it in}; ``follow`` is the map grids.moves asks for.
    """

    nodes: dict[int, Node]
    codes: list[dict[int, str]] = field(default_factory=list)
    moves: list[tuple[int, int]] = field(default_factory=list)
    merges: dict[int, int] = field(default_factory=dict)
    shapes: list[Shape] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    _below: dict[int, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in self.nodes.values():
            if node.parent is not None:
                self._below.setdefault(node.parent, set()).add(node.pk)

    @property
    def changed(self) -> list[Node]:
        """The areas that change, those above first, then by code."""
        order = list(Level)
        found = [node for node in self.nodes.values() if node.changed]
        return sorted(found, key=lambda node: (order.index(Level(node.level)), node.was_code))

    @property
    def recoded(self) -> dict[int, str]:
        """{area id: its new code}, each once."""
        return {node.pk: node.code for node in self.nodes.values() if node.recoded}

    @property
    def renamed(self) -> dict[int, str]:
        """{area id: its new name}."""
        return {node.pk: node.name for node in self.nodes.values() if node.renamed}

    @property
    def told(self) -> list[dict[str, Any]]:
        """The areas that change, for the record: units, which only go along, are left out.

        Rows: id, level, name, code, parent, was_name, was_code, was_parent, into,
        into_name; names of the areas above are "" where they do not change.
        """
        names = {pk: node.name for pk, node in self.nodes.items()}
        was = {pk: node.was_name for pk, node in self.nodes.items()}
        return [
            {
                "id": node.pk,
                "level": node.level,
                "name": node.name,
                "code": node.code,
                "was_name": node.was_name,
                "was_code": node.was_code,
                "parent": names[node.parent] if node.moved and node.parent else "",
                "was_parent": was[node.was_parent] if node.moved and node.was_parent else "",
                "into": node.into,
                "into_name": names[node.into] if node.into else "",
            }
            for node in self.changed
            if node.level != Level.UNIT
        ]

    @property
    def follow(self) -> dict[int, int]:
        """What goes along: merged areas to their heirs, everything below a moved one to itself."""
        found = {old: self.heir(old) for old in self.merges}
        for node in self.nodes.values():
            if node.moved and node.into is None:
                found |= {below.pk: below.pk for below in self.below(node.pk)}
        return found

    @property
    def departures(self) -> list[Departure]:
        """The areas whose rows go elsewhere: those merged, and villages that went by themselves.

        Those of a merged town go with it.
        """
        found = []
        for node in self.nodes.values():
            with_town = node.was_parent in self.merges and self.heir(node.was_parent) == node.parent
            by_itself = node.level == Level.VILLAGE and node.moved and not with_town
            if node.into is None and not by_itself:
                continue
            heir = self.heir(node.pk)
            left = None if self.nodes[heir].parent == node.was_parent else node.was_parent
            found.append(Departure(node.pk, node.level, heir, left))
        return found

    @property
    def called(self) -> dict[int, tuple[str, str]]:
        """{area id: (name and code before, name and code then)} of what a step gave new ones.

        What went elsewhere, or only goes along with the area above it, is not among them.
        """
        return {
            node.pk: (f"{node.was_name} {node.was_code}", f"{node.name} {node.code}")
            for node in self.nodes.values()
            if node.into is None
            and node.level in {Level.TOWN, Level.VILLAGE}
            and (node.renamed or (node.recoded and not node.moved and not self._goes_along(node)))
        }

    def _goes_along(self, node: Node) -> bool:
        return node.parent is not None and self.nodes[node.parent].recoded

    @property
    def touched(self) -> dict[int, int]:
        """The same and every area whose code or name changes: what a dry run counts."""
        return {node.pk: node.pk for node in self.changed} | self.follow

    def heir(self, pk: int) -> int:
        """Return the area that stands for ``pk`` after the act."""
        while (into := self.nodes[pk].into) is not None:
            pk = into
        return pk

    def children(self, pk: int) -> list[Node]:
        """Return the areas right below ``pk`` as they will be, by the code they had."""
        found = [self.nodes[below] for below in self._below.get(pk, ())]
        return sorted(found, key=lambda node: node.was_code)

    def place(self, node: Node, parent: Node) -> None:
        """Let ``node`` and all below it stand under ``parent``."""
        if node.parent is not None:
            self._below[node.parent].discard(node.pk)
        self._below.setdefault(parent.pk, set()).add(node.pk)
        node.parent = parent.pk
        self.moves.append((node.pk, parent.pk))

    def below(self, pk: int) -> Iterator[Node]:
        """Yield ``pk`` and everything below it as it will be."""
        yield self.nodes[pk]
        for child in self.children(pk):
            yield from self.below(child.pk)


def make_plan(act: Reorganisation, steps: list[ReorganisationStep] | None = None) -> Plan:
    """Return what the steps would do, in order, and what stands in their way.

    3 queries, and one for each area that takes others in. Nothing is changed.
    """
    given = list(act.steps.all()) if steps is None else steps
    plan = Plan(_nodes(act, given))
    draft = _Draft(plan, act.effective_on)
    for step in given:
        draft.take(step)
    plan.problems += _codes_taken(plan, act.effective_on)
    plan.problems += _other_acts(act, given)
    if not given:
        plan.problems.append(Problem(0, _("The act has no step."), _("Add what it changes.")))
    elif not plan.changed and not plan.problems:
        plan.problems.append(
            Problem(0, _("The act changes nothing."), _("Correct its steps or withdraw it."))
        )
    return plan


def _nodes(act: Reorganisation, steps: list[ReorganisationStep]) -> dict[int, Node]:
    """Read the county's towns and all below the towns the steps speak of (2 queries)."""
    ids = {pk for step in steps for pk in (step.subject_id, step.target_id) if pk}
    county = Area.objects.only("path", "depth").get(pk=act.county_id)
    paths = Area.objects.filter(pk__in=ids).values_list("path", flat=True)
    towns = {path[: len(county.path) + Area.steplen] for path in paths}
    wanted = Q(pk=county.pk) | Q(path__startswith=county.path, depth=county.depth + 1)
    for town in towns:
        wanted |= Q(path__startswith=town)
    rows = list(
        Area.objects.filter(wanted)
        .order_by("path")
        .annotate(bare=ExpressionWrapper(Q(boundary__isnull=True), BooleanField()))
        .values_list("pk", "path", "level", "code", "name", "closed_on", "bare")
    )
    by_path = {row[1]: row[0] for row in rows}
    return {
        pk: Node(
            pk,
            level,
            code,
            name,
            by_path.get(path[: -Area.steplen]),
            closed_on is not None,
            not bare,
        )
        for pk, path, level, code, name, closed_on, bare in rows
    }


class _Draft:
    """A plan being worked out, step after step."""

    def __init__(self, plan: Plan, on: date) -> None:
        self.plan = plan
        self.on = on
        self._holders = {node.code: node.pk for node in plan.nodes.values()}
        self._used: dict[str, set[str]] = {}
        self._step = 0

    def take(self, step: ReorganisationStep) -> None:
        """Work one step in, or note why it cannot be done."""
        self._step = step.position
        nodes = self.plan.nodes
        subject = nodes.get(step.subject_id)
        target = nodes.get(step.target_id) if step.target_id else None
        if subject is None or (step.target_id and target is None):
            self._problem(_("An area of this step is not in the county."), _("Choose it again."))
            return
        for node in (subject, target):
            if node and node.closed:
                self._problem(
                    _("“%(name)s” (%(code)s) is closed.") % _said(node),
                    _("Choose an area that is in force."),
                )
                return
        if subject.level not in LEVELS[step.kind]:
            self._problem(
                _("“%(name)s” is not of the level this step needs.") % _said(subject),
                _("Choose another kind of step or another area."),
            )
            return
        if step.kind == StepKind.RENAME:
            self._rename(subject, step.new_name)
        elif step.kind in {StepKind.RECODE_TOWN, StepKind.RECODE_VILLAGE}:
            self._recode(subject, step.new_code)
        elif target is not None:
            self._bring(step, subject, target)

    def _bring(self, step: ReorganisationStep, subject: Node, target: Node) -> None:
        wanted = Level.VILLAGE if step.kind == StepKind.MERGE_VILLAGES else Level.TOWN
        if target.level != wanted or target is subject:
            self._problem(
                _("“%(name)s” cannot take this area in.") % _said(target),
                _("Choose another area to go to."),
            )
        elif step.kind == StepKind.MOVE_VILLAGE:
            self._move_village(subject, target, step.new_code)
        else:
            self._merge(subject, target)

    def _rename(self, subject: Node, name: str) -> None:
        siblings = self.plan.children(subject.parent) if subject.parent else []
        if any(node.name == name and node is not subject and not node.closed for node in siblings):
            self.plan.remarks.append(
                _("There is another “%(name)s” beside it; codes keep them apart.") % {"name": name}
            )
        subject.name = name

    def _recode(self, subject: Node, code: str) -> None:
        if self._code_fits(subject, code, self.plan.nodes.get(subject.parent or 0)):
            self._give(subject, code)

    def _move_village(self, subject: Node, target: Node, code: str) -> None:
        if subject.parent == target.pk:
            self._problem(
                _("“%(name)s” already belongs to this town.") % _said(subject),
                _("Choose another town."),
            )
            return
        code = code or self._free_code(target, keep=subject.code[-3:])
        if not code or not self._code_fits(subject, code, target):
            return
        old_town = subject.parent
        assert old_town is not None  # a village has a town
        self.plan.place(subject, target)
        self._give(subject, code)
        self._reshape(old_town, target.pk, subject)

    def _merge(self, subject: Node, target: Node) -> None:
        """Let everything below go under the target, with its next free codes; close the rest."""
        for child in self.plan.children(subject.pk):
            if child.closed:
                # It has no code in force to renew, but past cases lie there.
                self.plan.place(child, target)
                continue
            keep = child.code[-3:] if child.level == Level.VILLAGE else ""
            code = self._free_code(target, keep=keep)
            if not code:
                return
            self.plan.place(child, target)
            self._give(child, code)
        subject.closed, subject.into = True, target.pk
        self.plan.merges[subject.pk] = target.pk
        old_town, new_town = subject.parent, target.parent
        self._join(target, subject)
        if subject.level == Level.VILLAGE and old_town and new_town and old_town != new_town:
            self._reshape(old_town, new_town, subject)

    def _join(self, area: Node, land: Node) -> None:
        if area.has_boundary and land.has_boundary:
            self.plan.shapes.append(Shape(area.pk, land.pk, gains=True))
        else:
            self.plan.remarks.append(
                _("“%(name)s” keeps its boundary: one of the two has none.") % _said(area)
            )

    def _reshape(self, old_town: int, new_town: int, land: Node) -> None:
        nodes = self.plan.nodes
        self._join(nodes[new_town], land)
        if nodes[old_town].has_boundary and land.has_boundary:
            self.plan.shapes.append(Shape(old_town, land.pk, gains=False))

    def _give(self, subject: Node, code: str) -> None:
        """Give the area its new code, and everything in force below it the new beginning."""
        old = subject.code
        given = {
            node.pk: code + node.code[len(old) :]
            for node in self.plan.below(subject.pk)
            if not node.closed and node.code.startswith(old)
        }
        for pk, new in given.items():
            node = self.plan.nodes[pk]
            self._holders.pop(node.code, None)
            node.code = new
            self._holders[new] = pk
        self.plan.codes.append(given)

    def _code_fits(self, subject: Node, code: str, parent: Node | None) -> bool:
        length = CODE_LENGTH[Level(subject.level)]
        if not (code.isascii() and code.isdigit() and len(code) == length):
            self._problem(
                _("The code “%(code)s” does not have %(length)s digits.")
                % {"code": code, "length": length},
                _("Give a code of %(length)s digits.") % {"length": length},
            )
        elif parent and not code.startswith(parent.code):
            self._problem(
                _("The code “%(code)s” does not begin with the code of “%(name)s”, %(parent)s.")
                % {"code": code, "name": parent.name, "parent": parent.code},
                _("Give a code that begins with %(parent)s.") % {"parent": parent.code},
            )
        elif (holder := self._holders.get(code)) and holder != subject.pk:
            self._problem(
                _("The code %(code)s belongs to “%(name)s”.")
                % {"code": code, "name": self.plan.nodes[holder].name},
                _("Give another code, or first give that area a new one."),
            )
        elif code == subject.code:
            self._problem(
                _("“%(name)s” already has the code %(code)s.") % _said(subject),
                _("Give another code."),
            )
        else:
            return True
        return False

    def _free_code(self, parent: Node, *, keep: str = "") -> str:
        """Return the next code below ``parent`` that nothing ever had; "" and a problem if none.

        The three digits ``keep`` are preferred. 1 query for each parent.
        """
        used = self._ever_used(parent.code)
        if keep and parent.code + keep not in used:
            return parent.code + keep
        free = (code for n in range(1, 1000) if (code := f"{parent.code}{n:03}") not in used)
        code = next(free, "")
        if not code:
            self._problem(
                _("Below %(code)s all 999 numbers were given.") % {"code": parent.code},
                _("Give the area that takes the others in a new code first."),
            )
        return code

    def _ever_used(self, prefix: str) -> set[str]:
        if prefix not in self._used:
            length = len(prefix) + 3
            past = AreaCode.objects.filter(code__startswith=prefix, code__regex=f"^.{{{length}}}$")
            self._used[prefix] = set(past.values_list("code", flat=True))
        # What earlier steps gave counts as well.
        length = len(prefix) + 3
        given = {c for c in self._holders if len(c) == length and c.startswith(prefix)}
        return self._used[prefix] | given

    def _problem(self, text: str, remedy: str) -> None:
        self.plan.problems.append(Problem(self._step, text, remedy))


LEVELS: dict[str, frozenset[str]] = {
    StepKind.MERGE_VILLAGES: frozenset({Level.VILLAGE}),
    StepKind.MOVE_VILLAGE: frozenset({Level.VILLAGE}),
    StepKind.MERGE_TOWNS: frozenset({Level.TOWN}),
    StepKind.RENAME: frozenset({Level.TOWN, Level.VILLAGE}),
    StepKind.RECODE_VILLAGE: frozenset({Level.VILLAGE}),
    StepKind.RECODE_TOWN: frozenset({Level.TOWN}),
}


def _said(node: Node) -> dict[str, Any]:
    return {"name": node.name, "code": node.code}


def _codes_taken(plan: Plan, on: date) -> list[Problem]:
    """Name the new codes that mean another area on the day or later (2 queries)."""
    new = plan.recoded
    held = dict(_held_codes(set(new.values()), set(new)))
    past = AreaCode.objects.filter(code__in=set(new.values())).select_related("area")
    for row in past.only("code", "valid", "area__name"):
        # A row without an end of an area that gets a new code ends with this act.
        ends = row.valid.upper is None and row.area_id in new
        over = row.valid.isempty or (row.valid.upper is not None and row.valid.upper <= on)
        if not ends and not over:
            held[row.code] = row.area.name
    return [
        Problem(
            0,
            _("The code %(code)s belongs to “%(name)s”.") % {"code": code, "name": name},
            _("Give another code, or first give that area a new one."),
        )
        for code, name in sorted(held.items())
    ]


def _held_codes(codes: set[str], without: set[int]) -> Iterator[tuple[str, str]]:
    """Return (code, name) of the areas, closed ones too, that bear one of ``codes`` (1 query)."""
    rows = Area.objects.filter(code__in=codes).exclude(pk__in=without).order_by()
    yield from rows.values_list("code", "name")


def _other_acts(act: Reorganisation, steps: list[ReorganisationStep]) -> list[Problem]:
    """Name other acts on their way that speak of the same areas (1 query)."""
    ids = {pk for step in steps for pk in (step.subject_id, step.target_id) if pk}
    on_the_way = (
        Reorganisation.objects.filter(state__in=[ActState.SUBMITTED, ActState.DECIDED])
        .filter(Q(steps__subject__in=ids) | Q(steps__target__in=ids))
        .exclude(pk=act.pk)
        .distinct()
    )
    return [
        Problem(
            0,
            _("The act “%(title)s” of %(day)s speaks of the same areas.")
            % {"title": other.title, "day": other.effective_on},
            _("Wait until it is carried out, or withdraw one of the two."),
        )
        for other in on_the_way
    ]
