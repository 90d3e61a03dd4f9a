"""Photos in and out: upload of a draft, and the one door through which photos are seen.

What must not live here: who may see a photo (queries/photos.py).
"""

from uuid import UUID

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from core.errors import GeshiError, TooMany
from core.images import MEGABYTE
from core.web import private_picture
from grids.access import public
from grids.hindrance import working_scope
from incidents.queries.photos import visible_photo
from incidents.views.keepsake import Keepsake
from incidents.views.uploads import take_photo

MAX_BYTES = 10 * MEGABYTE
# A multipart body is a little longer than the photo in it.
MAX_BODY = MAX_BYTES + MEGABYTE // 4


@public
@csrf_exempt  # checked below, after the length: the check itself would read the whole body
@require_POST
def upload(request: HttpRequest) -> HttpResponse:
    """Store a photo of the form field ``photo`` as a draft: 201 {"id", "url"}.

    Refusals are {"error": text}: 400 no picture, 413 too large, 429 too many.
    """
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BODY:
        return _error(_too_large(), 413)
    return _upload(request)


@csrf_protect
def _upload(request: HttpRequest) -> HttpResponse:
    try:
        file = request.FILES.get("photo")
        if file is None:
            return _error(_("Choose a photo first."), 400)
        if (file.size or 0) > MAX_BYTES:
            return _error(_too_large(), 413)
        keepsake = Keepsake.read(request).with_draft_key()
        photo = take_photo(request, file, draft_key=keepsake.draft_key)
    except TooMany as error:
        response = _error(str(error), error.status)
        response.headers["Retry-After"] = str(error.retry_after)
        return response
    except GeshiError as error:
        return _error(str(error), error.status)
    body = {"id": str(photo.pk), "url": f"/files/{photo.pk}/"}
    return keepsake.write(JsonResponse(body, status=201))


def _too_large() -> str:
    return _("The picture is larger than %(megabytes)s MB.") % {"megabytes": MAX_BYTES // MEGABYTE}


def _error(message: str, status: int) -> JsonResponse:
    return JsonResponse({"error": message}, status=status)


@public
@require_safe
def file(request: HttpRequest, photo_id: UUID) -> FileResponse:
    """Hand out a photo to whoever may see it; for everybody else it does not exist."""
    keepsake = Keepsake.read(request)
    photo = visible_photo(
        photo_id,
        user=request.user,
        scope=working_scope(request),
        draft_key=keepsake.draft_key,
        codes=keepsake.codes,
    )
    if photo is None:
        raise Http404
    return private_picture(photo.file, "photo.jpg")
