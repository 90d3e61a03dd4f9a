"""Doing what a confirmed sheet of the roster says, whole or not at all.

What must not live here: deciding it (roster_sheet.py) and the transaction (core.services.sheets).
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django.db import connection

from core.crypto import blind_index, encrypt
from core.services import audit
from core.sheets.plan import Line
from grids.models import GridWithoutChief, Leave, Posting, User
from grids.queries import Place, places_of_areas
from grids.services import sessions
from grids.services.people import (
    PersonFields,
    cut_leave,
    in_audit,
    lift_marks,
    new_account,
    new_ids,
)

BATCH = 1000


def apply(lines: Sequence[Line], *, actor: User, source: str) -> dict[str, int]:
    """Do what the lines say; return how many people and postings. A few statements per kind of act.

    Every person touched gets entries in the audit trail, with the id of the upload.
    """
    ids = _add_people(lines)
    changed = _change_people(lines)
    opened = _open(lines, ids)
    ended = _end(lines, actor=actor)
    _change_kinds(lines)
    _mark(lines, actor=actor)
    lift_marks(opened, actor=actor)
    _record(lines, ids, opened, ended, actor=actor, source=source)
    return {
        "people_added": len(ids),
        "people_changed": changed,
        "postings_opened": len(opened),
        "postings_ended": len(ended),
    }


def _add_people(lines: Sequence[Line]) -> dict[str, int]:
    """Make the new accounts; return {key of the person in the sheet: id}."""
    new: dict[str, dict[str, str]] = {}
    for line in lines:
        if line.op["user"] is None:
            fields = new.setdefault(line.op["key"], {})
            # A later row may give what the first one left out.
            new[line.op["key"]] = line.op.get("fields", {}) | fields
    ids = dict(zip(new, new_ids(len(new)), strict=True)) if new else {}
    User.objects.bulk_create(
        [
            new_account(
                pk,
                PersonFields(
                    new[key]["name"], new[key].get("phone", ""), new[key].get("id_number", "")
                ),
            )
            for key, pk in ids.items()
        ],
        batch_size=BATCH,
    )
    return ids


def _change_people(lines: Sequence[Line]) -> int:
    changed: dict[int, dict[str, str]] = {}
    for line in lines:
        if line.op["user"] is not None and "fields" in line.op:
            fields = changed.setdefault(line.op["user"], {})
            changed[line.op["user"]] = line.op["fields"] | fields
    statements: dict[str, list[list[Any]]] = {
        "UPDATE grids_user SET display_name = %s WHERE id = %s": [
            [fields["name"], pk] for pk, fields in changed.items() if "name" in fields
        ],
        "UPDATE grids_user SET phone = %s, phone_index = %s WHERE id = %s": [
            [encrypt(fields["phone"]), blind_index(fields["phone"]), pk]
            for pk, fields in changed.items()
            if "phone" in fields
        ],
        "UPDATE grids_user SET id_number = %s, id_index = %s WHERE id = %s": [
            [encrypt(fields["id_number"]), blind_index(fields["id_number"]), pk]
            for pk, fields in changed.items()
            if "id_number" in fields
        ],
    }
    with connection.cursor() as cursor:
        for statement, values in statements.items():
            if values:
                cursor.executemany(statement, values)
    return len(changed)


def _open(lines: Sequence[Line], ids: dict[str, int]) -> list[Posting]:
    postings = [
        Posting(
            user_id=line.op["user"] or ids[line.op["key"]],
            role=post["role"],
            worker_kind=post["kind"],
            area_id=post["area"],
            department_id=post["department"],
            valid_from=date.fromisoformat(post["from"]),
            valid_to=date.fromisoformat(post["to"]) if post["to"] else None,
        )
        for line in lines
        if (post := line.op.get("open"))
    ]
    return Posting.objects.bulk_create(postings, batch_size=BATCH)


def _end(lines: Sequence[Line], *, actor: User) -> list[Posting]:
    until = {
        line.op["end"]["posting"]: date.fromisoformat(line.op["end"]["to"])
        for line in lines
        if "end" in line.op
    }
    if not until:
        return []
    leaves = Leave.objects.filter(posting__in=until).select_related("posting", "cover")
    for leave in leaves:
        if leave.away_until > until[leave.posting_id]:
            cut_leave(leave, until[leave.posting_id], actor=actor)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE grids_posting p SET valid_to = row.day"
            "  FROM unnest(%s::bigint[], %s::date[]) AS row (id, day) WHERE p.id = row.id",
            [list(until), list(until.values())],
        )
    ended = list(Posting.objects.filter(pk__in=until))
    sessions.end_without_post(users={posting.user_id for posting in ended}, actor=actor)
    return ended


def _change_kinds(lines: Sequence[Line]) -> None:
    kinds = [line.op["kind"] for line in lines if "kind" in line.op]
    if kinds:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE grids_posting p SET worker_kind = row.kind"
                "  FROM unnest(%s::bigint[], %s::text[]) AS row (id, kind) WHERE p.id = row.id",
                [[kind["posting"] for kind in kinds], [kind["kind"] for kind in kinds]],
            )


def _mark(lines: Sequence[Line], *, actor: User) -> None:
    marks = [line.op["mark"] for line in lines if "mark" in line.op]
    GridWithoutChief.objects.bulk_create(
        GridWithoutChief(grid_id=mark["grid"], reason=mark["reason"], marked_by=actor)
        for mark in marks
    )
    audit.record_many(
        (
            ("grid.without_chief", "area", mark["grid"], {"reason": mark["reason"]}, None)
            for mark in marks
        ),
        actor=actor,
    )


def _record(
    lines: Sequence[Line],
    ids: dict[str, int],
    opened: Sequence[Posting],
    ended: Sequence[Posting],
    *,
    actor: User,
    source: str,
) -> None:
    places = places_of_areas({p.area_id for p in (*opened, *ended) if p.area_id})
    entries: list[tuple[str, str, int, dict[str, Any], Place | None]] = []
    where = {posting.user_id: places.get(posting.area_id or 0) for posting in opened}
    entries += [("person.add", "user", pk, {"sheet": source}, where.get(pk)) for pk in ids.values()]
    entries += [
        (
            "person.change",
            "user",
            line.op["user"],
            {
                "sheet": source,
                "fields": sorted(line.op.get("fields", ())),
                **({"kind": line.op["kind"]} if "kind" in line.op else {}),
            },
            None,
        )
        for line in lines
        if line.op["user"] is not None and ("fields" in line.op or "kind" in line.op)
    ]
    for action, postings in (("posting.open", opened), ("posting.end", ended)):
        entries += [
            (
                action,
                "user",
                posting.user_id,
                {"sheet": source, **in_audit(posting)},
                places.get(posting.area_id or 0),
            )
            for posting in postings
        ]
    audit.record_many(entries, actor=actor)
