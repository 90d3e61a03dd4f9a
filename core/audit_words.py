"""What audit entries are called: the words of actions, and the names of their subjects.

Every action that is recorded has words here, given by the floor that records it, from
AppConfig.ready; a test run ends with an error where they are missing. What must not live here:
rows of any floor above.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

# Ids of one type of subject → {id: (name, address or "")}; names hold nothing that is masked.
Namer = Callable[[list[int]], Mapping[int, tuple[str, str]]]

_actions: dict[str, Any] = {
    "calendar.import": _("Working calendar imported"),
    "calendar.work_hours": _("Working hours changed"),
    "outbox.resend": _("Dead messages sent again"),
    "admin_added": _("Added in the administration site"),
    "admin_changed": _("Changed in the administration site"),
    "admin_deleted": _("Deleted in the administration site"),
}
_subjects: dict[str, tuple[Any, Namer | None]] = {
    "calendar_year": (_("Working calendar"), None),
    "outbox": (_("Outgoing messages"), None),
}


def name_actions(words: Mapping[str, Any]) -> None:
    """Give actions their words."""
    _actions.update(words)


def name_subject(subject_type: str, label: Any, namer: Namer | None = None) -> None:
    """Say what a type of subject is called, and how its rows are named."""
    _subjects[subject_type] = (label, namer)


def is_named(action: str) -> bool:
    """Return whether the action has words."""
    return action in _actions


def action_words(action: str) -> str:
    """Return the action's words; the bare name for one that nobody records any more."""
    return str(_actions.get(action, action))


def actions() -> dict[str, str]:
    """Return {action: words} of all that are recorded, by their words."""
    return dict(sorted(((k, str(v)) for k, v in _actions.items()), key=lambda item: item[1]))


def subject_types() -> dict[str, str]:
    """Return {subject type: words}."""
    return {name: str(label) for name, (label, _namer) in _subjects.items()}


def subject_names(
    subjects: Iterable[tuple[str, int | None]],
) -> dict[tuple[str, int], tuple[str, str]]:
    """Return {(type, id): (name, address)} of what can be named (one query for each type)."""
    ids: dict[str, set[int]] = defaultdict(set)
    for kind, pk in subjects:
        if pk is not None:
            ids[kind].add(pk)
    found = {}
    for kind, wanted in ids.items():
        _label, namer = _subjects.get(kind, ("", None))
        if namer:
            found.update({(kind, pk): names for pk, names in namer(sorted(wanted)).items()})
    return found
