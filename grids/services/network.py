"""Verbs on the cross-links of the territory: alliances of villages, themes, duties for themes.

What must not live here: the tree (reshaping.py) and postings, which are rights (people.py).
Every verb takes ``actor`` (None is the system) and checks the part of the territory it keeps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Greatest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from core.errors import Conflict, Invalid, NotAllowed
from core.services import audit
from grids.models import (
    SHAPES,
    AllianceGrid,
    AllianceVillage,
    Area,
    GridTheme,
    Level,
    Role,
    ThemeDuty,
    User,
)
from grids.moves import Areas, only_merged
from grids.queries.reach import Reach
from grids.queries.scope import Scope

# Themes are one list for the county.
THEME_ROLES = frozenset({Role.COMMAND, Role.SYSTEM_ADMIN})
CHANGED_MEANWHILE = _("Somebody else changed “%(name)s” meanwhile. Please look at it again.")


@dataclass(frozen=True)
class AllianceFields:
    """What a form says of an alliance; villages by id, the leading one among them."""

    name: str
    lead_id: int
    village_ids: Sequence[int]
    valid_from: date
    purpose: str = ""


def found_alliance(*, fields: AllianceFields, actor: User | None) -> AllianceGrid:
    """Found an alliance of at least two open villages. Raises Invalid, naming the field."""
    with transaction.atomic():
        _check_alliance(fields, actor)
        alliance = AllianceGrid.objects.create(
            name=fields.name.strip(),
            purpose=fields.purpose.strip(),
            lead_id=fields.lead_id,
            valid_from=fields.valid_from,
        )
        _set_villages(alliance, fields)
        _record(actor, "alliance_founded", "alliance", alliance.pk, name=alliance.name)
    return alliance


def change_alliance(
    *, alliance_id: int, fields: AllianceFields, actor: User | None, seen: int | None
) -> AllianceGrid:
    """Change what an alliance is and which villages it has. Raises Invalid, Conflict."""
    with transaction.atomic():
        alliance = _take_alliance(alliance_id, actor, seen)
        _check_alliance(fields, actor)
        alliance.name, alliance.purpose = fields.name.strip(), fields.purpose.strip()
        alliance.lead_id, alliance.valid_from = fields.lead_id, fields.valid_from
        alliance.version += 1
        alliance.save()
        _set_villages(alliance, fields)
        _record(actor, "alliance_changed", "alliance", alliance.pk, name=alliance.name)
    return alliance


def end_alliance(*, alliance_id: int, actor: User | None, seen: int | None) -> AllianceGrid:
    """End an alliance today; it stays to be read. Raises Conflict."""
    with transaction.atomic():
        alliance = _take_alliance(alliance_id, actor, seen)
        alliance.valid_to = max(timezone.localdate(), alliance.valid_from)
        alliance.version += 1
        alliance.save(update_fields=["valid_to", "version"])
        _record(actor, "alliance_ended", "alliance", alliance.pk, name=alliance.name)
    return alliance


def _take_alliance(alliance_id: int, actor: User | None, seen: int | None) -> AllianceGrid:
    alliance = AllianceGrid.objects.select_for_update().get(pk=alliance_id)
    _check_villages(Area.objects.filter(alliances=alliance), actor)
    if seen is not None and seen != alliance.version:
        raise Conflict(CHANGED_MEANWHILE, name=alliance.name)
    if alliance.ended:
        raise Conflict(_("This alliance has ended."))
    return alliance


def _check_alliance(fields: AllianceFields, actor: User | None) -> None:
    if not fields.name.strip():
        raise Invalid(_("Give it a name."), field="name")
    ids = set(fields.village_ids)
    villages = Area.objects.open().filter(pk__in=ids, level=Level.VILLAGE).defer(*SHAPES)
    if len(ids) < 2:
        raise Invalid(_("An alliance has at least two villages."), field="villages")
    if len(villages) != len(ids):
        raise Invalid(_("Only open villages can be allied."), field="villages")
    if fields.lead_id not in ids:
        raise Invalid(_("The leading village must be one of the alliance."), field="lead")
    if len({village.path[: -Area.steplen] for village in villages}) > 3:
        raise Invalid(_("An alliance spans at most three towns."), field="villages")
    _check_villages(villages, actor)


def _check_villages(villages: Any, actor: User | None) -> None:
    if actor is None:
        return
    reach = Reach.of_user(actor)
    if not all(reach.covers(village) for village in villages):
        raise NotAllowed(_("A village of this alliance is not in the part you look after."))


def _set_villages(alliance: AllianceGrid, fields: AllianceFields) -> None:
    alliance.members.exclude(village__in=fields.village_ids).delete()
    AllianceVillage.objects.bulk_create(
        [AllianceVillage(alliance=alliance, village_id=pk) for pk in set(fields.village_ids)],
        ignore_conflicts=True,
    )


def put_theme(
    *,
    theme_id: int | None,
    actor: User | None,
    code: str,
    name: str,
    name_en: str = "",
    position: int = 100,
    active: bool = True,
) -> GridTheme:
    """Add a theme to the county's list, or change one (its code stays). Raises Invalid."""
    if actor is not None and not Scope.for_user(actor).has(*THEME_ROLES):
        raise NotAllowed
    with transaction.atomic():
        theme = GridTheme.objects.get(pk=theme_id) if theme_id else GridTheme(code=code)
        theme.name, theme.name_en = name.strip(), name_en.strip()
        theme.position, theme.active = position, active
        try:
            theme.full_clean()
        except ValidationError as error:
            raise Invalid(errors=error.message_dict) from error
        theme.save()
        _record(actor, "theme_saved", "theme", theme.pk, code=theme.code, active=active)
    return theme


def give_duty(
    *, grid_id: int, theme: GridTheme, user: User, actor: User | None, on: date | None = None
) -> ThemeDuty:
    """Make a person answer for a theme in a grid from a day (today). Raises Invalid, Conflict."""
    grid = Area.objects.defer(*SHAPES).get(pk=grid_id)
    _check_grid(grid, actor)
    if grid.level != Level.GRID or grid.closed_on:
        raise Invalid(_("Themes are merged into open grids only."), field="grid")
    if not theme.active:
        raise Invalid(_("This theme is no longer in use."), field="theme")
    if not user.is_active:
        raise Invalid(_("This account is closed."), field="user")
    try:
        with transaction.atomic():
            duty = ThemeDuty.objects.create(
                grid=grid, theme=theme, user=user, valid_from=on or timezone.localdate()
            )
            _record(actor, "duty_given", "area", grid.pk, theme=theme.code, user=user.pk)
    except IntegrityError as error:
        raise Conflict(_("This person already has this theme here.")) from error
    return duty


def end_duty(*, duty_id: int, actor: User | None) -> ThemeDuty:
    """End a duty today; it stays to be read. Raises Conflict when it has ended already."""
    with transaction.atomic():
        duty = ThemeDuty.objects.select_for_update(of=("self",)).get(pk=duty_id)
        _check_grid(duty.grid, actor)
        today = timezone.localdate()
        if duty.valid_to is not None and duty.valid_to <= today:
            raise Conflict(_("This duty has ended already."))
        duty.valid_to = max(today, duty.valid_from)
        duty.save(update_fields=["valid_to"])
        theme, user = duty.theme.code, duty.user_id
        _record(actor, "duty_ended", "area", duty.grid_id, theme=theme, user=user)
    return duty


def end_duties(grid_ids: Sequence[int], *, on: date) -> None:
    """End the open duties for themes in grids before a day (1 query)."""
    _open_duties(grid_ids, on).update(valid_to=Greatest(F("valid_from"), Value(on)))


def _open_duties(grid_ids: Sequence[int], on: date) -> Any:
    later = Q(valid_to__isnull=True) | Q(valid_to__gt=on)
    return ThemeDuty.objects.filter(later, grid__in=grid_ids)


def _check_grid(grid: Area, actor: User | None) -> None:
    if actor is not None and not Reach.of_user(actor).covers(grid):
        raise NotAllowed


def _record(
    actor: User | None, action: str, subject_type: str, subject_id: int, **data: object
) -> None:
    audit.record(
        actor=actor, action=action, subject_type=subject_type, subject_id=subject_id, data=data
    )


# ------------------------------------------------------------------ going along (grids/moves.py)

FOLLOWED: Mapping[str, Any] = {
    "duties": _("Duties for themes"),
    "alliances": _("Alliances of villages"),
}


def count_followers(areas: Areas) -> dict[str, int]:
    """Return how many duties and alliances hang on areas that would be merged (2 queries)."""
    merged = list(only_merged(areas))
    members = AllianceVillage.objects.filter(village__in=merged)
    return {
        "duties": _open_duties(merged, timezone.localdate()).count(),
        "alliances": members.values("alliance").distinct().count(),
    }


def follow_areas(areas: Areas, *, on: date, actor: User | None) -> dict[str, int]:
    """Let duties and alliances of merged areas go over to those that took them in.

    A duty ends where it was and begins anew, once for a person and theme; an alliance that is
    left with one village stays, for people to see and end.
    """
    merged = only_merged(areas)
    found = count_followers(areas)
    duties = list(_open_duties(list(merged), on))
    end_duties(list(merged), on=on)
    for duty in duties:
        there = _open_duties([merged[duty.grid_id]], on)
        if not there.filter(theme=duty.theme_id, user=duty.user_id).exists():
            ThemeDuty.objects.create(
                grid_id=merged[duty.grid_id],
                theme_id=duty.theme_id,
                user_id=duty.user_id,
                valid_from=max(on, duty.valid_from),
                valid_to=duty.valid_to,
            )
    for old, new in merged.items():
        AllianceGrid.objects.filter(lead=old).update(lead=new, version=F("version") + 1)
        members = AllianceVillage.objects.filter(village=old)
        stay = AllianceVillage.objects.filter(village=new).values("alliance")
        members.filter(alliance__in=stay).delete()
        members.update(village=new)
    return found


def obstacles(area: Area) -> list[str]:
    """Return the open alliances a village is in, in words (1 query)."""
    found = AllianceGrid.objects.open().filter(members__village=area).count()
    if not found:
        return []
    return [ngettext("%(n)s alliance", "%(n)s alliances", found) % {"n": found}]
