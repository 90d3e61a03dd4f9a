"""Verbs on accounts and postings: who is on the roster, in which role, where, from when to when.

What must not live here: what a posting opens (queries.Scope), leaves (leaves.py), and files
(roster_sheet.py). History is never lost: a posting is ended by a date, nobody is deleted. Nothing
personal goes into the audit trail: it says which fields changed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from secrets import choice, token_urlsafe
from typing import Any

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.crypto import blind_index
from core.errors import Conflict, Invalid, NotAllowed
from core.id_number import IdNumberError, check_id_number
from core.phone import PhoneError, plain_phone
from core.services import audit
from grids.models import (
    SHAPES,
    Area,
    Department,
    GridWithoutChief,
    Leave,
    Level,
    Posting,
    Role,
    User,
    shapes_of,
)
from grids.models.posting import KEEPERS, ROLE_LEVELS
from grids.queries import Scope, the_county
from grids.queries.roster import areas_of, bare_without, is_seen, may_keep, may_post
from grids.services import accounts, sessions
from grids.services.territory import keep_tree

NAME_LIMIT = 50
REASON_LIMIT = 100
# Read aloud and typed by hand: no letters or digits that look alike. 31 of them, twelve times,
# is a number nobody guesses.
_PASSWORD_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"  # noqa: S105
_PASSWORD_LENGTH = 12
_SOMEBODY_ELSE = _("Somebody else has changed this meanwhile. Please look again.")
OF_ANOTHER_PLACE = _("This person is on the roster of another place.")
_NOT_KEPT = _("Only whoever keeps all of this person's posts may change this.")


@dataclass(frozen=True)
class PersonFields:
    """What is known of a person. ``id_number`` None leaves what is stored as it is."""

    name: str
    phone: str = ""
    id_number: str | None = ""

    def cleaned(self) -> "PersonFields":
        """Return the fields as they are stored. Raises Invalid, naming each field."""
        errors: dict[str, list[Any]] = {}
        name = " ".join(self.name.replace("\x00", "").split())
        if not name:
            errors["name"] = [_("Write the name.")]
        elif len(name) > NAME_LIMIT:
            errors["name"] = [_("At most %(n)s characters.") % {"n": NAME_LIMIT}]
        phone, number = self.phone.strip(), self.id_number
        try:
            phone = plain_phone(phone) if phone else ""
        except PhoneError as error:
            errors["phone"] = [error.problem, error.remedy]
        try:
            number = check_id_number(number) if number else number
        except IdNumberError as error:
            errors["id_number"] = [error.problem, error.remedy]
        if errors:
            raise Invalid(errors=errors)
        return PersonFields(name, phone, number)


@dataclass(frozen=True)
class Post:
    """A posting to be: the role, where, from when; ``valid_to`` is the first day without it."""

    role: str
    place: Area | Department
    valid_from: date
    valid_to: date | None = None
    worker_kind: str = ""


def check_posting(posting: Posting, *, actor: User | None) -> None:
    """Refuse a posting that the roster cannot hold; raises Invalid.

    Each role has its level of area. Nobody posts themselves, makes one of the three
    administrators, or gives one another post: each could then do the work of somebody else. The
    rest is the table's own rules.
    """
    if actor and posting.user_id == actor.pk:
        raise Invalid(_("Nobody may give a post to themselves."), field="user")
    if actor and posting.role in KEEPERS:
        raise Invalid(
            _("Administrators are appointed at the server (manage.py create_admin)."), field="role"
        )
    if actor and accounts.is_keeper(posting.user):
        raise Invalid(_("An administrator of the system holds no other post."), field="user")
    levels = ROLE_LEVELS.get(posting.role)
    if levels and posting.area and posting.area.level not in levels:
        raise Invalid(
            _("“%(role)s” cannot be held at “%(area)s”."),
            field="area",
            role=posting.get_role_display(),
            area=posting.area.name,
        )


def add_person(*, fields: PersonFields, post: Post, actor: User) -> User:
    """Put somebody new on the roster with a first posting; the account has no password yet.

    Raises NotAllowed outside of what the actor keeps, Invalid for bad fields or somebody of this
    name and phone, Conflict if the ID number is on the roster.
    """
    fields = fields.cleaned()
    _check_new(fields)
    with told_of_races():
        keep_tree()
        (pk,) = new_ids(1)
        user = new_account(pk, fields)
        user.save(force_insert=True)
        audit.record(actor=actor, action="person.add", subject_type="user", subject_id=pk)
        _open(user, post, actor=actor)
    return user


def _check_new(fields: PersonFields) -> None:
    """Refuse somebody who is there already; who has another ID number is somebody else."""
    same = User.objects.filter(is_active=True, display_name=fields.name)
    same = same.filter(phone_index=blind_index(fields.phone))
    if fields.id_number:
        same = same.filter(id_index="")
    if fields.phone and same.exists():
        raise Invalid(_("Somebody of this name and phone is on the roster already."), field="phone")


def new_ids(count: int) -> list[int]:
    """Return ids for so many new accounts, so that their names can hold them (1 query)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('grids_user', 'id'))"
            "  FROM generate_series(1, %s::int)",
            [count],
        )
        return [pk for (pk,) in cursor.fetchall()]


def new_account(pk: int, fields: PersonFields) -> User:
    """Return an account, not saved: it cannot sign in before it is given a first password.

    Its user name says nothing about the person.
    """
    user = User(
        pk=pk,
        username=f"g{pk:06}",
        # What set_unusable_password does, without a setter per row of a long list.
        password=UNUSABLE_PASSWORD_PREFIX + token_urlsafe(30),
    )
    put_fields(user, fields)
    return user


def put_fields(user: User, fields: PersonFields) -> list[str]:
    """Set the cleaned fields on the account, not saved; return the names of those that changed."""
    wanted = {"display_name": fields.name, "phone": fields.phone}
    if fields.id_number is not None:
        wanted["id_number"] = fields.id_number
    changed = [name for name, value in wanted.items() if getattr(user, name) != value]
    for name in changed:
        setattr(user, name, wanted[name])
    user.phone_index = blind_index(user.phone)
    user.id_index = blind_index(user.id_number)
    return changed


def fingerprint(user: User) -> str:
    """Return what a form is made of, to tell whether somebody changed it meanwhile."""
    return blind_index(f"{user.display_name}\n{user.phone_index}\n{user.id_index}")[:16]


def change_person(*, person_id: int, fields: PersonFields, seen: str, actor: User) -> User:
    """Correct name, phone and ID number; ``seen`` is the fingerprint the form was made of."""
    fields = fields.cleaned()
    with told_of_races():
        user = _locked(person_id)
        _check_keeps(user, actor=actor)
        if fingerprint(user) != seen:
            raise Conflict(_SOMEBODY_ELSE)
        changed = put_fields(user, fields)
        if changed:
            user.save(
                update_fields=["display_name", "phone", "phone_index", "id_number", "id_index"]
            )
            audit.record(
                actor=actor,
                action="person.change",
                subject_type="user",
                subject_id=user.pk,
                data={"fields": changed},
            )
    return user


def appoint(*, person_id: int, post: Post, actor: User) -> Posting:
    """Give somebody one more posting; a new chief lifts the mark of a grid without one.

    Raises NotAllowed for somebody who is in post elsewhere only.
    """
    with told_of_races():
        keep_tree()
        user = _locked(person_id)
        if not on_roster_of(actor, user):
            raise NotAllowed(OF_ANOTHER_PLACE)
        return _open(user, post, actor=actor)


def end_posting(*, posting_id: int, day: date, actor: User, no_chief_reason: str = "") -> Posting:
    """End a posting so that ``day`` is the first without it, and with it the leaves from there on.

    The last chief of a grid leaves only if ``no_chief_reason`` says why it may be without one;
    that marks the grid. Raises Conflict if the posting has ended already.
    """
    with told_of_races():
        posting = locked_posting(posting_id, actor=actor)
        _close(posting, day, actor=actor, no_chief_reason=no_chief_reason)
    sessions.end_without_post(users=[posting.user_id], actor=actor)
    return posting


def transfer(*, posting_id: int, post: Post, actor: User, no_chief_reason: str = "") -> Posting:
    """End a posting and open another from the same day on, both or neither."""
    with told_of_races():
        keep_tree()
        posting = locked_posting(posting_id, actor=actor)
        same = (post.role, post.place, post.worker_kind)
        if same == (posting.role, posting.place, posting.worker_kind):
            raise Invalid(_("This is where the person is posted already."), field="place")
        _close(posting, post.valid_from, actor=actor, no_chief_reason=no_chief_reason)
        return _open(posting.user, post, actor=actor)


def give_first_password(*, person_id: int, actor: User) -> str:
    """Return a new password to hand over once; it must be changed when it is first used.

    Only the answer of this call shows it. Sessions of the account end, as its password changes.
    For whoever keeps the person's posts, and the security administrator (accounts.may).
    """
    with transaction.atomic():
        user = _locked(person_id)
        accounts.check(accounts.Act.PASSWORD, user, actor, Scope.for_user(actor))
        password = new_password()
        user.set_password(password)
        user.must_change_password = True
        user.save(update_fields=["password", "must_change_password"])
        audit.record(
            actor=actor, action="person.first_password", subject_type="user", subject_id=user.pk
        )
    sessions.end(users=[user.pk])
    return password


def new_password() -> str:
    """Return a password that nobody guesses, for paper."""
    return "".join(choice(_PASSWORD_SIGNS) for _sign in range(_PASSWORD_LENGTH))


def create_administrator(
    *,
    username: str,
    password: str,
    display_name: str,
    actor: User | None,
    role: str = Role.SYSTEM_ADMIN,
) -> User:
    """Make one of the three administrators, posted at the county, able to open /admin/.

    The password must be changed at the first sign-in: whoever types it here is not always the
    administrator. Raises Invalid if there is no county yet, the name is taken, or the password
    is weak.
    """
    county = the_county()
    if county is None:
        raise Invalid(_("There is no county yet. Import the areas first (import_areas)."))
    user = User(username=username, display_name=display_name, is_staff=True)
    try:
        user.full_clean(exclude=["password"])
        validate_password(password, user)
    except ValidationError as error:
        fields = getattr(error, "error_dict", None)
        messages = error.message_dict if fields else {"password": error.messages}
        raise Invalid(errors=messages) from error
    user.set_password(password)
    user.must_change_password = True
    with transaction.atomic():
        user.save()
        Posting.objects.create(user=user, role=role, area=county, valid_from=timezone.localdate())
        audit.record(
            actor=actor,
            action="administrator_created",
            subject_type="user",
            subject_id=user.pk,
            data={"username": username, "role": role},
        )
    return user


def check_keeps_post(role: str, place: Area | Department, *, actor: User) -> None:
    """Raise NotAllowed unless the actor gives and ends ``role`` at ``place`` (1 query)."""
    if not may_post(Scope.for_user(actor), role, place):
        raise NotAllowed(_("You do not keep this post."))


def on_roster_of(actor: User, user: User) -> bool:
    """Return whether somebody is on the actor's roster, or on nobody's today (2 queries)."""
    held = Posting.objects.filter(user=user).select_related("area", "department__county")
    areas = areas_of(Scope.for_user(actor))
    return is_seen(areas, held.defer(*shapes_of("area", "department__county")))


def cut_leave(leave: Leave, day: date, *, actor: User) -> None:
    """End a leave at ``day``, and the substitutes' postings down the chain."""
    leave.away_until = max(day, leave.away_from)
    leave.save(update_fields=["away_until"])
    _cut_leaves(leave.cover, leave.away_until, actor=actor)
    _shorten(leave.cover, leave.away_until)
    audit.record(
        actor=actor,
        action="posting.leave_cut",
        subject_type="user",
        subject_id=leave.posting.user_id,
        data={"leave": leave.pk, "until": str(leave.away_until)},
    )


def _cut_leaves(posting: Posting, day: date, *, actor: User) -> None:
    rows = Leave.objects.filter(posting=posting, away_until__gt=day)
    for leave in rows.select_related("posting", "cover"):
        cut_leave(leave, day, actor=actor)


@contextmanager
def told_of_races() -> Iterator[None]:
    """Run in one transaction; tell what the database's own rules refuse at its end in words."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise Conflict(_reason(error)) from error


def _reason(error: IntegrityError) -> Any:
    diagnosis = getattr(error.__cause__, "diag", None)
    return {
        "posting_once_per_person_role_and_place": _(
            "The person holds this post in these days already."
        ),
        "user_id_number_once": _("Somebody with this ID number is on the roster already."),
        "grid_keeps_a_chief": _("The grid would be left without a chief."),
        "leave_once_at_a_time": _("The person is away in these days already."),
    }.get(getattr(diagnosis, "constraint_name", None) or "", _SOMEBODY_ELSE)


def _locked(person_id: int) -> User:
    user = User.objects.select_for_update(no_key=True).filter(pk=person_id).first()
    if user is None:
        raise Conflict(_("This person is not on the roster."))
    return user


def locked_posting(posting_id: int, *, actor: User) -> Posting:
    """Return a posting under its lock; raises NotAllowed for one the actor does not keep."""
    rows = Posting.objects.select_related("user", "area", "department__county")
    rows = rows.defer(*shapes_of("area", "department__county"))
    posting = rows.select_for_update(no_key=True, of=("self",)).filter(pk=posting_id).first()
    if posting is None:
        raise Conflict(_("There is no such posting."))
    check_keeps_post(posting.role, posting.place, actor=actor)
    if posting.user_id == actor.pk:
        raise NotAllowed(_("Nobody may change a post of their own."))
    return posting


def _check_keeps(user: User, *, actor: User) -> None:
    if user.pk == actor.pk:
        raise NotAllowed(_("Nobody may change a post of their own."))
    if not may_keep(Scope.for_user(actor), user):
        raise NotAllowed(_NOT_KEPT)


def _open(user: User, post: Post, *, actor: User) -> Posting:
    if isinstance(post.place, Area):
        # As it is now: it may have been closed, or moved out of reach, since the form was read.
        post = replace(post, place=Area.objects.defer(*SHAPES).get(pk=post.place.pk))
    check_keeps_post(post.role, post.place, actor=actor)
    where = (
        {"department": post.place} if isinstance(post.place, Department) else {"area": post.place}
    )
    posting = Posting(
        user=user,
        role=post.role,
        worker_kind=post.worker_kind if post.role == Role.GRID_WORKER else "",
        valid_from=post.valid_from,
        valid_to=post.valid_to,
        **where,
    )
    check_posting(posting, actor=actor)
    check_post(post)
    posting.save()
    lift_marks([posting], actor=actor)
    audit.record(
        actor=actor,
        action="posting.open",
        subject_type="user",
        subject_id=user.pk,
        data=in_audit(posting),
    )
    return posting


def check_post(post: Post) -> None:
    """Refuse a place that is closed, a worker without a kind, a time that ends before it begins."""
    if post.valid_to is not None and post.valid_to <= post.valid_from:
        raise Invalid(_("A posting cannot end before it begins."), field="last_day")
    if isinstance(post.place, Area) and post.place.closed_on is not None:
        raise Invalid(_("“%(area)s” is closed."), field="place", area=post.place.name)
    if post.role == Role.GRID_WORKER and not post.worker_kind:
        raise Invalid(_("Choose the kind of worker."), field="worker_kind")


def in_audit(posting: Posting) -> dict[str, Any]:
    """Return what the audit trail keeps of a posting; nothing personal."""
    return {
        "posting": posting.pk,
        "role": posting.role,
        "area": posting.area_id,
        "department": posting.department_id,
        "from": str(posting.valid_from),
        "to": str(posting.valid_to or ""),
    }


def lift_marks(postings: Sequence[Posting], *, actor: User) -> None:
    """Take the mark off grids that have a chief from now on."""
    today = timezone.localdate()
    grids = [
        posting.area_id
        for posting in postings
        if posting.role == Role.GRID_CHIEF and posting.valid_from <= today and not posting.valid_to
    ]
    if not grids:
        return
    marks = GridWithoutChief.objects.filter(grid__in=grids, lifted_on__isnull=True)
    for mark in marks:
        audit.record(
            actor=actor,
            action="grid.has_chief",
            subject_type="area",
            subject_id=mark.grid_id,
            data={"mark": mark.pk},
        )
    marks.update(lifted_on=today)


def mark_without_chief(*, grid: Area, reason: str, actor: User) -> None:
    """Put down that a grid may be without a chief, and why. Raises Invalid without a reason."""
    check_keeps_post(Role.GRID_CHIEF, grid, actor=actor)
    reason = " ".join(reason.replace("\x00", "").split())[:REASON_LIMIT]
    if not reason:
        raise Invalid(_("Say why the grid may be without a chief."), field="no_chief_reason")
    if grid.level != Level.GRID:
        raise Invalid(_("Only a grid has a chief."), field="grid")
    with told_of_races():
        _made, created = GridWithoutChief.objects.get_or_create(
            grid=grid, lifted_on=None, defaults={"reason": reason, "marked_by": actor}
        )
        if not created:
            raise Conflict(_("The grid is marked already."))
        audit.record(
            actor=actor,
            action="grid.without_chief",
            subject_type="area",
            subject_id=grid.pk,
            data={"reason": reason},
        )


def _close(posting: Posting, day: date, *, actor: User, no_chief_reason: str) -> None:
    if posting.valid_to is not None and posting.valid_to <= day:
        raise Conflict(_("This posting has ended already. Please look again."))
    if day < posting.valid_from:
        raise Invalid(_("A posting cannot end before it begins."), field="last_day")
    if posting.valid_to is not None and Leave.objects.filter(cover=posting).exists():
        raise Invalid(
            _("A substitute's post ends with the leave. End the leave."), field="last_day"
        )
    if bare_without(posting, on=max(day, timezone.localdate())):
        if not no_chief_reason.strip():
            raise Invalid(
                _("The grid would be without a chief. Appoint another first, or say why."),
                field="no_chief_reason",
            )
        assert posting.area is not None
        mark_without_chief(grid=posting.area, reason=no_chief_reason, actor=actor)
    _cut_leaves(posting, day, actor=actor)
    _shorten(posting, day)
    audit.record(
        actor=actor,
        action="posting.end",
        subject_type="user",
        subject_id=posting.user_id,
        data=in_audit(posting),
    )


def _shorten(posting: Posting, day: date) -> None:
    posting.valid_to = max(day, posting.valid_from)
    posting.save(update_fields=["valid_to"])
