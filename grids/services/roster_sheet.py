"""The roster as a sheet: each row is one person in one role at one place.

What lives here: the plan of what each row would do. What must not: the columns
(roster_columns.py), doing it (roster_save.py), single verbs (people.py), files (core.sheets).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from core.crypto import blind_index
from core.masking import mask_id, mask_phone
from core.sheets.columns import MASKED
from core.sheets.plan import ADDED, CHANGED, ENDED, UNCHANGED, Line, Progress, Row, refused
from grids.models import (
    Area,
    Department,
    GridWithoutChief,
    Posting,
    Role,
    User,
    WorkerKind,
    shapes_of,
)
from grids.models.posting import KEEPERS, ROLE_LEVELS
from grids.queries import Scope
from grids.queries.codes import areas_of_codes
from grids.queries.roster import areas_of, is_seen, keeps_all, may_post, path_of
from grids.services.territory import keep_tree

DAY = timedelta(days=1)


class _Indexes(dict[str, str]):
    """Blind indexes of the values of a sheet, each counted once."""

    def __missing__(self, value: str) -> str:
        self[value] = index = blind_index(value)
        return index


@dataclass
class _Known:
    """What the database says about everybody and every place that the rows name."""

    scope: Scope
    areas: tuple[Area, ...]
    places: dict[str, Area | Department]
    by_account: dict[str, User]
    by_id: dict[str, User]
    by_phone: dict[str, list[User]]
    postings: dict[int, list[Posting]]
    index: "_Indexes"
    today: date = field(default_factory=timezone.localdate)

    def inside(self, path: str) -> bool:
        return any(path.startswith(area.path) for area in self.areas)

    def seen(self, user: User) -> bool:
        return is_seen(self.areas, self.postings.get(user.pk, ()))

    def open(self, posting: Posting) -> bool:
        return posting.valid_to is None or posting.valid_to > self.today

    def administers(self, user: User) -> bool:
        """Whether somebody is, or will be, one of the three administrators."""
        mine = self.postings.get(user.pk, ())
        return any(held.role in KEEPERS and self.open(held) for held in mine)

    def keeps(self, user: User) -> bool:
        return keeps_all(self.scope, self.postings.get(user.pk, ()))


def plan(rows: Sequence[Row], *, actor: User, progress: Progress, lock: bool) -> list[Line]:
    """Return what each row would do; changes nothing. About ten queries however many rows.

    A row is somebody by account, or by ID number, or by phone and name together. A person whom
    another town looks after is refused, and so is any place outside of the actor's own.
    """
    known = _look_up(rows, actor=actor, lock=lock)
    people = _People(known)
    drafts: list[_Draft] = []
    for done, row in enumerate(rows, 1):
        drafts.append(_Draft(row, people, actor).judged())
        progress(done)
    _keep_chiefs(drafts, known)
    return [draft.line() for draft in drafts]


def _look_up(rows: Sequence[Row], *, actor: User, lock: bool) -> _Known:
    if lock:
        keep_tree()
    scope = Scope.for_user(actor)
    given = [row.values for row in rows]
    accounts = {value["account"] for value in given} - {None}
    index = _Indexes()
    ids = {index[v["id_number"]] for v in given if v["id_number"] not in (None, MASKED)}
    phones = {index[v["phone"]] for v in given if v["phone"] not in (None, MASKED)}
    users = User.objects.filter(
        Q(username__in=accounts)
        | Q(is_active=True) & (Q(id_index__in=ids) | Q(phone_index__in=phones))
    )
    users = users.defer("phone", "id_number").order_by("pk")
    found = list(users.select_for_update(no_key=True) if lock else users)
    by_phone: dict[str, list[User]] = defaultdict(list)
    for user in found:
        by_phone[user.phone_index].append(user)
    postings: dict[int, list[Posting]] = defaultdict(list)
    held = Posting.objects.filter(user__in=[user.pk for user in found]).order_by("pk")
    if lock:
        # Whoever ends one of them on a page waits, and reads then that it has ended.
        held = held.select_for_update(no_key=True, of=("self",))
    shapes = shapes_of("area", "department__county")
    for posting in held.select_related("area", "department__county", "covers").defer(*shapes):
        postings[posting.user_id].append(posting)
    return _Known(
        scope=scope,
        areas=areas_of(scope),
        places=_places({value["place"] for value in given} - {None}),
        by_account={user.username: user for user in found},
        by_id={user.id_index: user for user in found if user.id_index and user.is_active},
        by_phone=by_phone,
        postings=postings,
        index=index,
    )


def _places(codes: Iterable[str]) -> dict[str, Area | Department]:
    """Return the places by their codes, earlier codes of an area too (≤ 3 queries)."""
    wanted = set(codes)
    departments = Department.objects.filter(code__in=wanted, active=True)
    departments = departments.select_related("county").defer(*shapes_of("county"))
    return {d.code: d for d in departments} | areas_of_codes(wanted)


class _People:
    """Who the rows mean: known people, and new ones that several rows may share."""

    def __init__(self, known: _Known) -> None:
        self.known = known
        self.first_rows: dict[str, Row] = {}
        self.names_of_phone: dict[str | None, tuple[str, int]] = {}
        # New people by phone and name: their key and, once a row gave it, their ID number.
        self.named: dict[tuple[Any, Any], tuple[str, str | None]] = {}
        # What earlier rows do: {posting: row}, and {post: [(row, first day, day after), …]}.
        self.touched: dict[int, int] = {}
        self.opened: dict[tuple[str, str, str], list[tuple[int, date, date | None]]] = {}

    def find(self, row: Row) -> tuple[User | None, str]:
        """Return (account or None, key of the person); puts down faults of the row."""
        user = self._known(row)
        key = f"user:{user.pk}" if user else self._new(row)
        first = self.first_rows.setdefault(key, row)
        if first is not row:
            self._same(row, first)
        return user, key

    def _known(self, row: Row) -> User | None:
        values, known = row.values, self.known
        if values["account"]:
            user = known.by_account.get(values["account"])
            if user is None or not known.seen(user):
                row.refuse(
                    "account",
                    _("No such account is on your roster."),
                    _("Leave it empty for somebody new, or copy it from the exported list."),
                )
            return user
        for key in ("phone", "id_number"):
            if values[key] == MASKED:
                row.refuse(
                    key,
                    _("The number is masked, so nobody can be found by it."),
                    _("Write the account, or the whole number."),
                )
        if row.faults:
            return None
        user = None
        if values["id_number"]:
            user = known.by_id.get(known.index[values["id_number"]])
        if user is None and values["phone"]:
            user = self._by_phone(row)
        if user is not None and not known.seen(user):
            row.refuse(
                "name",
                _("This person is on the roster of another place."),
                _("Ask the county to transfer the person."),
            )
        return user

    def _by_phone(self, row: Row) -> User | None:
        values = row.values
        same_phone = self.known.by_phone.get(self.known.index[values["phone"]], [])
        named = [user for user in same_phone if user.display_name == values["name"]]
        # Somebody with another ID number is somebody else, whatever name and phone say.
        if values["id_number"]:
            named = [user for user in named if not user.id_index]
        if len(named) == 1:
            return named[0]
        if named:
            row.refuse(
                "phone",
                _("Several people have this name and phone."),
                _("Write the account, or the ID number."),
            )
        elif same_phone and not values["id_number"]:
            row.refuse(
                "phone",
                _("This phone is somebody else's on the roster."),
                _("Compare name and phone; for another person write the ID number too."),
            )
        return None

    def _new(self, row: Row) -> str:
        values = row.values
        if not values["phone"] and not row.faults:
            row.refuse(
                "phone",
                _("Somebody new needs a phone."),
                _("Write 11 digits, or the account of somebody on the roster."),
            )
        number, named = values["id_number"], (values["phone"], values["name"])
        name, first = self.names_of_phone.setdefault(values["phone"], (values["name"], row.number))
        if values["phone"] and not number and name != values["name"]:
            row.refuse(
                "phone",
                _("Row %(row)s has the same phone with another name.") % {"row": first},
                _("Compare name and phone; for another person write the ID number too."),
            )
        before, its_number = self.named.get(named, ("", None))
        if before and (not number or its_number in (None, number)):
            self.named[named] = (before, its_number or number)
            return before
        key = f"id:{number}" if number else f"phone:{values['phone']}:{values['name']}"
        self.named.setdefault(named, (key, number))
        return key

    def _same(self, row: Row, first: Row) -> None:
        """Refuse a row that says something else about a person than the person's first row."""
        for key in ("name", "phone", "id_number"):
            mine, before = row.values[key], first.values[key]
            if mine and before and MASKED not in (mine, before) and mine != before:
                row.refuse(
                    key,
                    _("Row %(row)s says something else of the same person.")
                    % {"row": first.number},
                    _("Write the same in both rows."),
                )


class _Draft:
    """One row on its way to a line."""

    def __init__(self, row: Row, people: _People, actor: User) -> None:
        self.row, self.people, self.known, self.actor = row, people, people.known, actor
        self.op: dict[str, Any] = {}
        self.changes: list[tuple[str, str, str]] = []
        self.outcome = UNCHANGED
        # For the rule that a grid keeps a chief.
        self.chief_leaves: tuple[int, date] | None = None
        self.chief_comes: tuple[int, date, date | None] | None = None
        self.ends: int | None = None

    def judged(self) -> "_Draft":
        """Find out what the row would do; its faults are on the row."""
        row = self.row
        user, key = self.people.find(row)
        place = self._place()
        if row.faults or place is None:
            return self
        role = row.values["role"]
        if user is not None and user.pk == self.actor.pk:
            row.refuse(
                "name",
                _("Nobody may change a post of their own."),
                _("Leave the row out."),
            )
            return self
        self._fields(user, key)
        held = self._held(user, role, place)
        if held is None:
            self._open(user, key, role, place)
        else:
            self._keep(held, role)
        if self.op and not row.faults:
            self.op |= {"user": user.pk if user else None, "key": key}
        return self

    def _place(self) -> Area | Department | None:
        row, known = self.row, self.known
        code, role = row.values["place"], row.values["role"]
        if code is None or role is None:
            return None
        place = known.places.get(code)
        if place is None or not known.inside(path_of(place)):
            row.refuse(
                "place",
                _("There is no such place in your area."),
                _("Copy the code from the sheet of codes in the template."),
            )
            return None
        at_department = isinstance(place, Department)
        if at_department != (role == Role.DEPARTMENT_HANDLER) or (
            isinstance(place, Area) and place.level not in ROLE_LEVELS[role]
        ):
            row.refuse(
                "place",
                _("“%(role)s” cannot be held at “%(area)s”.")
                % {"role": Role(role).label, "area": place.name},
                _("Compare role and code."),
            )
        elif not may_post(known.scope, role, place):
            row.refuse("role", _("You do not keep this post."), _("Ask the county."))
        return place

    def _fields(self, user: User | None, key: str) -> None:
        """Find out what the row says about the person."""
        values = {
            name: value
            for name in ("name", "phone", "id_number")
            if (value := self.row.values[name]) not in (None, "", MASKED)
        }
        if user is None:
            self.op["fields"] = values
            return
        stored = {
            "name": user.display_name,
            "phone": user.phone_index,
            "id_number": user.id_index,
        }
        changed = {
            name: value
            for name, value in values.items()
            if (value if name == "name" else self.known.index[value]) != stored[name]
        }
        if not changed:
            return
        if not self.known.keeps(user):
            self.row.refuse(
                next(iter(changed)),
                _("Only whoever keeps all of this person's posts may change this."),
                _("Leave it as it is, or ask the county."),
            )
            return
        owner = self.known.by_id.get(self.known.index[changed.get("id_number", "")])
        if owner is not None and owner.pk != user.pk:
            self.row.refuse(
                "id_number",
                _("Somebody with this ID number is on the roster already."),
                _("Compare it with the card; write 18 characters."),
            )
            return
        self.op["fields"] = changed
        self.outcome = CHANGED
        headings = {column.key: str(column.heading) for column in self.row.columns}
        for name, value in changed.items():
            before = user.display_name if name == "name" else ""
            self.changes.append((headings[name], before, _shown(name, value)))

    def _held(self, user: User | None, role: str, place: Area | Department) -> Posting | None:
        """Return the posting the row speaks of, if the person holds or held it."""
        if user is None:
            return None
        same = [
            posting
            for posting in self.known.postings.get(user.pk, ())
            if posting.role == role and posting.place == place
        ]
        start = self.row.values["valid_from"]
        exact = [posting for posting in same if posting.valid_from == start]
        still = [posting for posting in same if self.known.open(posting)]
        return next(iter(exact or (still if start is None else [])), None)

    def _until(self) -> date | None:
        last = self.row.values["last_day"]
        return last + DAY if last else None

    def _twice(self, number: int) -> None:
        self.row.refuse(
            "role",
            _("Row %(row)s is the same post of the same person.") % {"row": number},
            _("Remove one of the two rows."),
        )

    def _open(self, user: User | None, key: str, role: str, place: Area | Department) -> None:
        row, until = self.row, self._until()
        start = row.values["valid_from"] or self.known.today
        if until is not None and row.values["valid_from"] is None:
            row.refuse(
                "last_day",
                _("The person does not hold this post, so it cannot end."),
                _("Compare person, role and code, or write the first day too."),
            )
        elif until is not None and until <= start:
            row.refuse(
                "last_day",
                _("A posting cannot end before it begins."),
                _("Write a day after the first one."),
            )
        elif isinstance(place, Area) and place.closed_on is not None and until is None:
            row.refuse(
                "place",
                _("“%(area)s” is closed.") % {"area": place.name},
                _("Write the code of the area that took its place."),
            )
        elif role == Role.GRID_WORKER and not row.values["worker_kind"]:
            row.refuse(
                "worker_kind", _("Choose the kind of worker."), _("Choose from the drop-down list.")
            )
        elif user is not None and self.known.administers(user):
            row.refuse(
                "role",
                _("An administrator of the system holds no other post."),
                _("Write somebody else."),
            )
        elif user is not None and self._overlaps(user, role, place, start, until):
            row.refuse(
                "valid_from",
                _("The person holds this post in these days already."),
                _("Write the first day as it stands in the exported list."),
            )
        opened = self.people.opened.setdefault((key, role, place.code), [])
        for number, first, after in opened:
            if (until is None or first < until) and (after is None or after > start):
                self._twice(number)
                break
        if row.faults:
            return
        opened.append((row.number, start, until))
        self.outcome = ADDED
        word = _("a new person") if user is None else _("one more post")
        self.changes.append((str(_("First day")), "", f"{start} · {word}"))
        at_area = isinstance(place, Area)
        self.op["open"] = {
            "role": role,
            "area": place.pk if at_area else None,
            "department": None if at_area else place.pk,
            "kind": (row.values["worker_kind"] or "") if role == Role.GRID_WORKER else "",
            "from": start.isoformat(),
            "to": until.isoformat() if until else None,
        }
        if role == Role.GRID_CHIEF:
            self.chief_comes = (place.pk, start, until)
            if until is not None and until > self.known.today:
                self.chief_leaves = (place.pk, until)

    def _overlaps(
        self, user: User, role: str, place: Area | Department, start: date, until: date | None
    ) -> bool:
        return any(
            posting.role == role
            and posting.place == place
            and (posting.valid_to is None or posting.valid_to > start)
            and (until is None or posting.valid_from < until)
            for posting in self.known.postings.get(user.pk, ())
        )

    def _keep(self, held: Posting, role: str) -> None:
        row, until = self.row, self._until()
        first = self.people.touched.setdefault(held.pk, row.number)
        if first != row.number:
            self._twice(first)
            return
        if until is not None and until != held.valid_to:
            self._end(held, until)
        kind = row.values["worker_kind"]
        if kind and role == Role.GRID_WORKER and kind != held.worker_kind and not row.faults:
            self.op["kind"] = {"posting": held.pk, "kind": kind}
            self.outcome = ENDED if self.outcome == ENDED else CHANGED
            before = WorkerKind(held.worker_kind).label if held.worker_kind else ""
            self.changes.append(
                (str(_("Kind of worker")), str(before), str(WorkerKind(kind).label))
            )

    def _end(self, held: Posting, until: date) -> None:
        row = self.row
        if hasattr(held, "covers"):
            row.refuse(
                "last_day",
                _("A substitute's post ends with the leave. End the leave."),
                _("Do it on the person's page."),
            )
        elif held.valid_to is not None and until > held.valid_to:
            row.refuse(
                "last_day",
                _("The post ends on %(day)s already.") % {"day": held.valid_to - DAY},
                _("For one more time in the post write its own row with its first day."),
            )
        elif until < held.valid_from:
            row.refuse(
                "last_day",
                _("A posting cannot end before it begins."),
                _("Write a day after the first one."),
            )
        if row.faults:
            return
        self.outcome = ENDED
        self.op["end"] = {"posting": held.pk, "to": until.isoformat()}
        self.ends = held.pk
        self.changes.append((str(_("Last day in post")), "", row.values["last_day"].isoformat()))
        if held.role == Role.GRID_CHIEF and held.area_id is not None:
            self.chief_leaves = (held.area_id, until)

    def line(self) -> Line:
        """Return the finished line."""
        row = self.row
        role = Role(row.values["role"]).label if row.values["role"] else ""
        place = self.known.places.get(row.values["place"] or "")
        inside = place is not None and self.known.inside(path_of(place))
        title = " · ".join(
            str(part)
            for part in (row.values["name"], role, place.name if inside and place else "")
            if part
        )
        if row.faults:
            return refused(row, title)
        op = self.op if self.outcome != UNCHANGED else {}
        return Line(row.number, self.outcome, row.cells, title, self.changes, op)


def _shown(name: str, value: str) -> str:
    masks = {"phone": mask_phone, "id_number": mask_id}
    return masks[name](value) if name in masks else value


def _keep_chiefs(drafts: Sequence[_Draft], known: _Known) -> None:
    """Refuse the rows that would leave a grid without a chief and do not say why (≤ 2 queries)."""
    leaving = [d for d in drafts if d.chief_leaves and not d.row.faults]
    grids = {draft.chief_leaves[0] for draft in leaving if draft.chief_leaves}
    if not grids:
        return
    gone = {draft.ends for draft in leaving if draft.ends is not None}
    staying: Mapping[int, list[tuple[date, date | None]]] = defaultdict(list)
    rows = Posting.objects.filter(area__in=grids, role=Role.GRID_CHIEF, covers__isnull=True)
    for posting in rows.exclude(pk__in=gone):
        staying[posting.area_id or 0].append((posting.valid_from, posting.valid_to))
    for draft in drafts:
        if draft.chief_comes and not draft.row.faults:
            grid, start, until = draft.chief_comes
            staying[grid].append((start, until))
    marked = set(
        GridWithoutChief.objects.filter(grid__in=grids, lifted_on__isnull=True).values_list(
            "grid", flat=True
        )
    )
    for draft in leaving:
        grid, until = draft.chief_leaves or (0, known.today)
        day = max(until, known.today)
        if grid in marked or any(
            start <= day and (end is None or end > day) for start, end in staying[grid]
        ):
            continue
        reason = draft.row.values["no_chief_reason"]
        if reason:
            draft.op["mark"] = {"grid": grid, "reason": reason}
            marked.add(grid)
        else:
            draft.row.refuse(
                "last_day",
                _("The grid would be left without a chief."),
                _("Add a row with the new chief, or say in “Why without a chief” why not."),
            )
