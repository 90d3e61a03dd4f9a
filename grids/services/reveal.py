"""Showing a phone or ID number in full, on a stated reason, on the record.

How to have one more thing revealed, say an ID number of your own table:

1. In AppConfig.ready ``reveal.register("household", Revealable(find=…, fields={…}))``. ``find``
   gets (user, scope, key), key being the text in the address (a code, or the id), and returns
   the subject, or None outside the scope, which is a 404. Each :class:`Field` says its label,
   its value in clear and masked, and who may look (inside the scope without it: 403).
2. In the view put ``reveal.box("household", key, "phone", subject, user=…, scope=…)`` into the
   context, in the template ``{% include "parts/reveal.html" with box=… %}``. That is all: the
   form, its address, the reason, the minute and the audit entry ``reveal.phone`` are done here.
3. Give ``reveal.<field>`` its words in ``audit_words`` if the field's name is new.

The audit entry carries the place of the subject (``audit.placed_by``, or ``place``), by which the
line above it finds who looked. What must not live here: any one kind of subject.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import Http404
from django.utils.translation import gettext as _

from core.errors import Conflict, Invalid, NotAllowed
from core.masking import mask_text
from core.models import REVEAL
from core.services import audit
from grids.models import User
from grids.queries import Scope

SECONDS = 60
REASON_AT_MOST = 300


@dataclass(frozen=True, kw_only=True)
class Field:
    """A value of a subject that is masked until somebody says why; "" when none is kept."""

    label: Any
    clear: Callable[[Any], str]
    masked: Callable[[Any], str]
    may: Callable[[User, Scope, Any], bool]


@dataclass(frozen=True, kw_only=True)
class Revealable:
    """A kind of subject. ``subject_id`` and ``place`` are for the audit entry."""

    find: Callable[[User, Scope, str], Any | None]
    fields: Mapping[str, Field]
    place: Callable[[Any], audit.Placed | None] = lambda _subject: None
    subject_id: Callable[[Any], int] = lambda subject: subject.pk


@dataclass(frozen=True)
class Box:
    """What parts/reveal.html draws. ``clear`` is set in the one answer that shows it."""

    kind: str
    key: str
    field: str
    label: Any
    masked: str
    may: bool
    clear: str = ""
    error: Any = ""
    seconds: int = SECONDS


_kinds: dict[str, Revealable] = {}


def register(kind: str, revealable: Revealable) -> None:
    """Let subjects of ``kind`` (the audit's subject_type, ≤ 20 characters) be revealed."""
    _kinds[kind] = revealable


def box(
    kind: str,
    key: object,
    field: str,
    subject: Any,
    *,
    user: User,
    scope: Scope,
) -> Box:
    """Return the masked value and whether this person may ask for it in full."""
    line = _kinds[kind].fields[field]
    masked = line.masked(subject)
    may = bool(masked) and line.may(user, scope, subject)
    return Box(kind, str(key), field, line.label, masked, may)


def find(kind: str, key: str, field: str, *, user: User, scope: Scope) -> Any:
    """Return the subject; raises Http404 for an unknown kind or field, or outside the scope."""
    if kind not in _kinds or field not in _kinds[kind].fields:
        raise Http404
    subject = _kinds[kind].find(user, scope, key)
    if subject is None:
        raise Http404
    return subject


def reveal(
    *,
    kind: str,
    key: str,
    field: str,
    actor: User,
    scope: Scope,
    reason: str,
    ip: str | None = None,
) -> Box:
    """Return the box with the value in clear; who looked and why is in the audit trail.

    Raises Http404 as :func:`find` does, NotAllowed inside the scope without the right, Invalid
    without a reason, Conflict when nothing is kept, or no longer.
    """
    subject = find(kind, key, field, user=actor, scope=scope)
    revealable = _kinds[kind]
    line = revealable.fields[field]
    if not line.may(actor, scope, subject):
        raise NotAllowed(_("Only those who need it for their work may see this in full."))
    reason = reason.replace("\x00", "").strip()
    if not reason:
        raise Invalid(_("Please say why."), field="reason")
    clear = line.clear(subject)
    if not clear:
        raise Conflict(_("Nothing is kept here, or no longer."))
    audit.record(
        actor=actor,
        action=f"{REVEAL}{field}",
        subject_type=kind,
        subject_id=revealable.subject_id(subject),
        data={"reason": mask_text(reason)[:REASON_AT_MOST]},
        ip=ip,
        place=revealable.place(subject),
    )
    return Box(kind, key, field, line.label, line.masked(subject), may=True, clear=clear)
