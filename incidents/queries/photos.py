"""Who may see a photo."""

from collections.abc import Collection
from uuid import UUID

from grids.models import User
from grids.queries import Scope
from incidents.models import Attachment, Incident


def visible_photo(
    photo_id: UUID, *, user: User, scope: Scope, draft_key: str, codes: Collection[str]
) -> Attachment | None:
    """Return the photo if this person may see it, else None (≤ 3 queries).

    A draft is its uploader's. A photo of a case is for staff whose scope holds the case, and
    for whoever has shown its tracking code when it stands on a public row of the timeline.
    """
    photo = Attachment.objects.select_related("incident", "event").filter(pk=photo_id).first()
    if photo is None:
        return None
    if photo.incident is None:
        own = bool(draft_key) and photo.draft_key == draft_key
        return photo if own or (user.pk and photo.uploaded_by_id == user.pk) else None
    if photo.event and photo.event.public and photo.incident.tracking_code in codes:
        return photo
    if not user.pk:
        return None
    seen = Incident.objects.visible_to(user, scope).filter(pk=photo.incident.pk).exists()
    return photo if seen else None
