"""Photos that come with a form itself, from a browser that runs no scripts.

What lives here: counting them against the limits and storing each as a draft. What must not:
the door scripts send photos through (files.py), and how a photo is taken in (services/photos.py).
"""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from core import ratelimit
from core.errors import GeshiError
from incidents.forms.fields import MAX_PHOTOS
from incidents.models import Attachment
from incidents.services import photos

PHOTOS = {"photo_files": "photos"}


def take_photo(request: HttpRequest, file: Any, *, draft_key: str) -> Attachment:
    """Store one photo as a draft of this browser's key and of whoever is signed in.

    Raises TooMany, and what :func:`incidents.services.photos.store_draft` raises.
    """
    user = request.user if request.user.is_authenticated else None
    # A whole office may share one address; people with an account are counted one by one.
    ratelimit.check("upload", f"u{user.pk}" if user else ratelimit.client_ip(request))
    return photos.store_draft(file=file, draft_key=draft_key, user=user)


def with_files(
    request: HttpRequest, *, draft_key: str = "", fields: Mapping[str, str] = PHOTOS
) -> tuple[QueryDict, str]:
    """Return what was posted, files turned into ids of drafts, and why one was refused or "".

    ``fields`` are {field of files: field that gets their ids}.
    """
    data = request.POST.copy()
    refused = ""
    for sent, name in fields.items():
        files = request.FILES.getlist(sent)
        room = max(0, MAX_PHOTOS - len(data.getlist(name)))
        try:
            for file in files[:room]:
                photo = take_photo(request, file, draft_key=draft_key)
                data.appendlist(name, str(photo.pk))
        except GeshiError as error:
            return data, str(error)
        if len(files) > room:
            refused = _("At most %(n)s photos.") % {"n": MAX_PHOTOS}
    return data, refused
