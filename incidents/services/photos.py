"""Taking photos in: cleaned, stored under a name nobody can guess, not yet part of a case.

What must not live here: who may see a photo (queries/photos.py), and making one evidence of
a step (services/step.py).
"""

from typing import IO, Any
from uuid import uuid4

from django.core.files.base import ContentFile
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid
from core.images import clean_image
from grids.models import User
from incidents.models import Attachment


def store_draft(*, file: IO[bytes] | Any, draft_key: str, user: User | None = None) -> Attachment:
    """Store a photo as a draft of whoever holds ``draft_key`` (and of ``user``, if any).

    Raises BadUpload for anything that is not a picture within the limits, Invalid without a
    key: a draft nobody owns could never be used.
    """
    if not draft_key and user is None:
        raise Invalid(_("A photo is no longer there. Please add it again."), field="photos")
    picture = clean_image(file)
    return Attachment.objects.create(
        draft_key=draft_key,
        uploaded_by=user,
        file=ContentFile(picture.data, name=f"{uuid4().hex}.jpg"),
        sha256=picture.sha256,
        width=picture.width,
        height=picture.height,
    )
