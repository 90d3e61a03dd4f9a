"""Reports from other programmes and pages, without an account: the busiest door of the house.

What lives here: checking the shape and answering. What must not: taking a report in
(services/intake.py). No session, cookie or account is looked at on the way.
"""

import secrets

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import ratelimit
from core.api import Key, Number, Words, checked, key_from, key_parameter
from core.errors import Invalid
from core.places import SYSTEMS
from incidents.forms.fields import MAX_PHOTOS
from incidents.models import Category, Source
from incidents.services import photos
from incidents.services.intake import TEXT_LIMIT, Report, report

_drafts = signing.Signer(salt="incidents.api.drafts")


class ReportIn(serializers.Serializer):
    """What is reported. Anything else in the body is ignored."""

    text = Words(min_length=2, max_length=TEXT_LIMIT)
    lat = Number(required=False, allow_null=True, default=None)
    lon = Number(required=False, allow_null=True, default=None)
    coordinate_system = serializers.ChoiceField(choices=list(SYSTEMS), default="wgs84")
    address = Words(max_length=200, allow_blank=True, default="")
    category = Words(
        max_length=20, allow_blank=True, default="", help_text="Code of the catalogue."
    )
    name = Words(max_length=40, allow_blank=True, default="")
    phone = Words(max_length=20, allow_blank=True, default="")
    photos = serializers.ListField(
        child=Key(),
        max_length=MAX_PHOTOS,
        default=list,
        help_text="Ids of photos sent before.",
    )
    draft_key = Words(
        max_length=200, allow_blank=True, default="", help_text="As given with the photos."
    )
    report_key = Key(
        required=False, allow_null=True, default=None, help_text="The same key is one report."
    )


class ReportOut(serializers.Serializer):
    """What the reporter keeps."""

    tracking_code = serializers.CharField()
    track_url = serializers.URLField()


class PhotoIn(serializers.Serializer):
    """A JPEG, PNG or WebP of at most 10 MB, and the key of those sent before, if any."""

    photo = serializers.FileField()
    draft_key = serializers.CharField(max_length=200, required=False, allow_blank=True)


class PhotoOut(serializers.Serializer):
    """The id to name in the report, and the key that proves who sent the photo."""

    id = serializers.UUIDField()
    draft_key = serializers.CharField()


class PublicView(APIView):
    """A door without account, session or CSRF: nothing here acts in anybody's name."""

    roles = None
    authentication_classes = ()
    permission_classes = (AllowAny,)
    renderer_classes = (JSONRenderer,)


class ReportView(PublicView):
    """Take a report in."""

    parser_classes = (JSONParser, FormParser)

    @extend_schema(
        request=ReportIn,
        responses={201: ReportOut, 200: ReportOut},
        parameters=[key_parameter("report_key")],
    )
    def post(self, request: Request) -> Response:
        """Store the report; 201 for a new one, 200 with the same code for the same key."""
        ratelimit.check("report", ratelimit.client_ip(request._request))
        data = checked(_REPORT, request.data)
        sent = Report(
            text=data["text"],
            source=Source.RESIDENT,
            key=key_from(request, data["report_key"]),
            latitude=data["lat"],
            longitude=data["lon"],
            coordinate_system=data["coordinate_system"],
            address=data["address"],
            category=category_of(data["category"]),
            name=data["name"],
            phone=data["phone"],
            photo_ids=data["photos"],
            draft_key=_unsigned(data["draft_key"]),
        )
        incident, new = report(sent)
        code = incident.tracking_code
        body = {
            "tracking_code": code,
            "track_url": f"{_site(request)}{reverse('track')}?code={code}",
        }
        return Response(body, status=201 if new else 200)


class PhotoView(PublicView):
    """Take a photo for a report that follows."""

    parser_classes = (MultiPartParser,)

    @extend_schema(request={"multipart/form-data": PhotoIn}, responses={201: PhotoOut})
    def post(self, request: Request) -> Response:
        """Store a photo as a draft."""
        ratelimit.check("upload", ratelimit.client_ip(request._request))
        data = checked(_PHOTO, request.data)
        key = _unsigned(data.get("draft_key", "")) or secrets.token_urlsafe(24)
        try:
            photo = photos.store_draft(file=data["photo"], draft_key=key)
        except Invalid as error:
            raise Invalid(error.message, field="photo") from error
        return Response({"id": photo.pk, "draft_key": _drafts.sign(key)}, status=201)


# Built once: a serializer made for every request costs as much as a query.
_REPORT, _PHOTO = ReportIn(), PhotoIn()


def category_of(code: str) -> Category | None:
    """Return the active item with this code, None for "" (1 query). Raises Invalid."""
    if not code:
        return None
    category = Category.objects.filter(code=code, active=True).first()
    if category is None:
        raise Invalid(_("The catalogue has no such item."), field="category")
    return category


def _unsigned(token: str) -> str:
    if not token:
        return ""
    try:
        return _drafts.unsign(token)
    except signing.BadSignature as error:
        raise Invalid(
            _("A photo is no longer there. Please add it again."), field="draft_key"
        ) from error


def _site(request: Request) -> str:
    return settings.PUBLIC_URL or request._request.build_absolute_uri("/")[:-1]
