"""Opening the confidential file: refused to the unnamed, recorded for everybody else."""

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid, NotAllowed
from core.models import REVEAL
from core.services import audit
from incidents.services.step import person
from mediation.models import Dispute, FileOpening
from mediation.workflow import FILE_RIGHTS, Actor, rights

REASON_AT_LEAST = 4
_ACTIONS: dict[str, str] = {
    FileOpening.What.FILE: "dispute.open_file",
    FileOpening.What.CONTACT: f"{REVEAL}parties",
    FileOpening.What.PRINT: "dispute.open_print",
}
CLOSED_FILE = _("Only the mediators named to this dispute open its file.")


def open_file(
    *, dispute: Dispute, actor: Actor, what: str = FileOpening.What.FILE, reason: str = ""
) -> FileOpening:
    """Record that ``actor`` opens the file; raises NotAllowed for anybody not named to it.

    Seeing the parties in full (``what`` CONTACT) asks for a stated reason.
    """
    user = person(actor)
    refuse_unnamed(dispute=dispute, actor=actor)
    reason = reason.strip()
    if what == FileOpening.What.CONTACT and len(reason) < REASON_AT_LEAST:
        raise Invalid(_("Please say why you need to see it."), field="reason")
    with transaction.atomic():
        audit.record(
            actor=user,
            action=_ACTIONS[what],
            subject_type="dispute",
            subject_id=dispute.pk,
            data={"reason": reason} if reason else None,
            ip=actor.ip,
            place=dispute,
        )
        return FileOpening.objects.create(dispute=dispute, user=user, what=what, reason=reason)


def refuse_unnamed(*, dispute: Dispute, actor: Actor) -> None:
    """Raise NotAllowed for anybody not named to the dispute (1 query)."""
    if not rights(actor, dispute) & FILE_RIGHTS:
        raise NotAllowed(CLOSED_FILE)
