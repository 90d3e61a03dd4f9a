"""How far the AI may go with each item today.

What must not live here: setting it (services/ai_switches.py) and going by it (services/triage.py).
"""

from collections.abc import Mapping
from datetime import date

from incidents.models import AiMode, AiSwitch, Category


def modes_on(day: date) -> dict[int, str]:
    """Return category id → mode in force on ``day``, where the county has set one (1 query)."""
    rows = (
        AiSwitch.objects.filter(valid_from__lte=day)
        .order_by("category_id", "-version")
        .distinct("category_id")
    )
    return dict(rows.values_list("category_id", "mode"))


def may_act(category: Category, modes: Mapping[int, str], *, answering: bool) -> bool:
    """Return whether the AI may answer, or else dispatch, without a person.

    An item nobody has set a mode for is as shipped: questions are answered, and the catalogue
    says what may be dispatched. What has a road of its own never is.
    """
    if category.road:
        return False
    mode = modes.get(category.pk)
    if mode is None:
        return answering or category.ai_allowed
    return mode == AiMode.ALONE


def shown_mode(category: Category, modes: Mapping[int, str]) -> AiMode:
    """Return the mode a list shows: the one set, or what the shipped catalogue amounts to."""
    mode = modes.get(category.pk)
    if mode is not None:
        return AiMode(mode)
    alone = not category.road and (category.ai_allowed or category.is_question)
    return AiMode.ALONE if alone else AiMode.SUGGEST


def versions_of(category: Category) -> list[AiSwitch]:
    """Return every mode ever set for an item, newest first (1 query)."""
    rows = AiSwitch.objects.filter(category=category).select_related("made_by")
    return list(rows.order_by("-version"))
