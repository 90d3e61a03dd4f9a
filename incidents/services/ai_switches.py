"""Setting how far the AI may go with an item: always as a new version, from a day on.

What must not live here: going by it (triage.py).
"""

from datetime import date

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Conflict, Invalid, NotAllowed
from core.services import audit
from grids.models import User
from grids.queries import Scope
from incidents.desks import RULE_KEEPERS
from incidents.models import AiMode, AiSwitch, Category


def set_switch(
    *,
    category: Category,
    mode: str,
    reason: str,
    actor: User,
    seen: int,
    valid_from: date | None = None,
) -> AiSwitch:
    """Write the next version of an item's switch; it replaces those that were still to come.

    ``seen`` is the newest version the person had before them, 0 for none. Raises NotAllowed,
    Invalid (mode, reason, a day gone by), and Conflict when somebody was quicker.
    """
    if not any(Scope.for_user(actor).has(role) for role in RULE_KEEPERS):
        raise NotAllowed(_("The command centre and the system administrator set this."))
    today = timezone.localdate()
    start = valid_from or today
    if mode not in AiMode.values:
        raise Invalid(_("Choose what the AI may do."), field="mode")
    if start < today:
        raise Invalid(_("It holds from today at the earliest."), field="valid_from")
    if not reason.strip():
        raise Invalid(_("Please say why."), field="reason")
    with transaction.atomic():
        # Serialises two keepers: the second finds a version it has not seen.
        Category.objects.select_for_update(of=("self",)).get(pk=category.pk)
        newest = AiSwitch.objects.filter(category=category).order_by("-version").first()
        if (newest.version if newest else 0) != seen:
            assert newest is not None  # versions are never taken back
            raise Conflict(
                _("Meanwhile %(who)s set it to “%(mode)s”. Please look again.")
                % {"who": newest.made_by or _("somebody"), "mode": newest.get_mode_display()}
            )
        switch = AiSwitch.objects.create(
            category=category,
            version=seen + 1,
            mode=mode,
            valid_from=start,
            reason=reason.strip()[:200],
            made_by=actor,
        )
        audit.record(
            actor=actor,
            action="ai_switch.set",
            subject_type="category",
            subject_id=category.pk,
            data={"version": switch.version, "mode": mode, "from": f"{start}"},
        )
    return switch
