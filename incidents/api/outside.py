"""The API for connected systems: reports in, and what became of them, each with its own key.

What lives here: shapes and answers. What must not: keys and quotas (services/systems.py), and what
a report or an update means (services/sent_cases.py). A key opens no person's data, not even of
what its own system sent.
"""

from typing import Any

from django.http import Http404
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import JSONParser
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api import Flag, Key, Number, Words, checked, key_from, key_parameter
from core.errors import Invalid
from core.paging import keyset_page
from core.places import SYSTEMS
from core.web import public_address
from grids.access import BY_KEY
from grids.models import SHAPES, Area
from incidents.api.reports import category_of
from incidents.models import Incident, SentCase, Source, System, SystemRight
from incidents.queries.published import find_public, published_items
from incidents.queries.told import case_as_told
from incidents.services import sent_cases, systems
from incidents.services.hook_queue import lies_in_one
from incidents.services.intake import TEXT_LIMIT, Report

PAGE_SIZE = 50
MOST_NUMBER = 10**18
KEYED: list[dict[str, list[str]]] = [{"systemKey": []}]
_BEGINS = "Bearer "


class SentReportIn(serializers.Serializer):
    """What a system reports. The same ``external_id`` or key is the same report."""

    text = Words(min_length=2, max_length=TEXT_LIMIT)
    lat = Number(required=False, allow_null=True, default=None)
    lon = Number(required=False, allow_null=True, default=None)
    coordinate_system = serializers.ChoiceField(choices=list(SYSTEMS), default="wgs84")
    address = Words(max_length=200, allow_blank=True, default="")
    area_code = Words(max_length=17, allow_blank=True, default="")
    category = Words(
        max_length=20, allow_blank=True, default="", help_text="Code of the catalogue."
    )
    name = Words(max_length=40, allow_blank=True, default="")
    phone = Words(max_length=20, allow_blank=True, default="")
    external_id = Words(max_length=sent_cases.NUMBER_LIMIT, allow_blank=True, default="")
    due_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="Until when it must be resolved."
    )
    report_key = Key(required=False, allow_null=True, default=None)


class SentReportOut(serializers.Serializer):
    """The case's number, and the link to pass on to whoever reported it."""

    number = serializers.CharField()
    external_id = serializers.CharField(allow_null=True)
    track_url = serializers.URLField()


class OutsideCase(serializers.Serializer):
    """A case as a connected system sees it; ``words`` only of its own."""

    number = serializers.CharField()
    external_id = serializers.CharField(allow_null=True)
    state = serializers.CharField()
    open = serializers.BooleanField()
    item = serializers.CharField(allow_null=True)
    item_name = serializers.CharField(allow_null=True)
    area_code = serializers.CharField()
    place = serializers.ListField(child=serializers.CharField())
    office = serializers.CharField(allow_null=True)
    reported_at = serializers.CharField()
    updated_at = serializers.CharField()
    expected_at = serializers.CharField(allow_null=True)
    ended_at = serializers.CharField(allow_null=True)
    words = serializers.CharField(allow_null=True)


class OutsidePage(serializers.Serializer):
    """Up to 50 cases, newest first, and the cursors of its neighbours."""

    results = OutsideCase(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class SentUpdateIn(serializers.Serializer):
    """What became known over there; ``closed`` is the state there. ``update_id`` makes it once."""

    text = Words(max_length=sent_cases.NOTE_LIMIT, allow_blank=True, default="")
    closed = Flag(required=False, allow_null=True, default=None)
    update_id = Words(max_length=sent_cases.NUMBER_LIMIT, allow_blank=True, default="")


class SentUpdateOut(serializers.Serializer):
    """The number of the row on the timeline."""

    update_id = serializers.CharField()


class OutsideView(APIView):
    """A door that a system's key opens, sent as ``Authorization: Bearer gs_…``; no account."""

    roles = BY_KEY
    authentication_classes = ()
    permission_classes = (AllowAny,)
    renderer_classes = (JSONRenderer,)
    parser_classes = (JSONParser,)

    def let_in(self, request: Request, *rights: str) -> System:
        """Return the system whose key this is, and count the call; raises NotAllowed, TooMany."""
        said = request.headers.get("Authorization", "")
        key = said.removeprefix(_BEGINS).strip() if said.startswith(_BEGINS) else ""
        return systems.admit_to_any(key=key, rights=rights)


class OutsideReportView(OutsideView):
    """Take a report of a system in."""

    @extend_schema(
        request=SentReportIn,
        responses={201: SentReportOut, 200: SentReportOut},
        parameters=[key_parameter("report_key")],
        auth=KEYED,
    )
    def post(self, request: Request) -> Response:
        """Store the report; 201 for a new one, 200 with the same answer for one known already."""
        system = self.let_in(request, SystemRight.REPORT)
        data = checked(_REPORT, request.data)
        sent = Report(
            text=data["text"],
            source=Source.SYSTEM,
            key=key_from(request, data["report_key"]),
            latitude=data["lat"],
            longitude=data["lon"],
            coordinate_system=data["coordinate_system"],
            address=data["address"],
            area=_area_of(data["area_code"]),
            category=category_of(data["category"]),
            name=data["name"],
            phone=data["phone"],
            sender=system.name,
        )
        incident, new = sent_cases.send_report(
            sent=sent,
            system=system,
            external_id=data["external_id"],
            for_public=False,
            due_at=data["due_at"],
        )
        code = incident.tracking_code
        body = {
            "number": str(incident.pk),
            "external_id": data["external_id"].strip() or None,
            "track_url": f"{public_address(request._request)}{reverse('track')}?code={code}",
        }
        return Response(body, status=201 if new else 200)


class OutsideCasesView(OutsideView):
    """What became of a system's own reports."""

    @extend_schema(
        operation_id="outside_cases_list",
        responses=OutsidePage,
        parameters=[OpenApiParameter("cursor", str)],
        auth=KEYED,
    )
    def get(self, request: Request) -> Response:
        """Return a page of the cases the system sent, newest first (≤ 8 queries)."""
        system = self.let_in(request, SystemRight.READ_OWN)
        page = keyset_page(
            SentCase.objects.filter(system=system),
            order=["-incident_id"],
            cursor=request.query_params.get("cursor") or None,
            size=PAGE_SIZE,
        )
        rows = _told([row.pk for row in page.items], system)
        rows.sort(key=lambda row: int(row["number"]), reverse=True)
        return Response({"results": rows, "next": page.next, "previous": page.previous})


class OutsideCaseView(OutsideView):
    """One case, sent by the system or public in its bounds."""

    @extend_schema(responses=OutsideCase, auth=KEYED)
    def get(self, request: Request, case: int) -> Response:
        """Return the case; 404 for one that is neither its own nor public there (≤ 10 queries)."""
        system = self.let_in(request, SystemRight.READ_OWN, SystemRight.READ)
        rows = _told([case], system) if case < MOST_NUMBER else []
        if not rows:
            raise Http404
        return Response(rows[0])


class OutsideUpdateView(OutsideView):
    """Take in what a system tells about its own report."""

    @extend_schema(request=SentUpdateIn, responses={201: SentUpdateOut}, auth=KEYED)
    def post(self, request: Request, case: int) -> Response:
        """Put it on the timeline; the state stays ours. 404 for a case the system did not send."""
        system = self.let_in(request, SystemRight.UPDATE)
        data = checked(_UPDATE, request.data)
        try:
            event = sent_cases.add_update(
                incident_id=case if case < MOST_NUMBER else 0,
                system=system,
                text=data["text"],
                number=data["update_id"],
                says_closed=data["closed"],
            )
        except Incident.DoesNotExist as error:
            raise Http404 from error
        return Response({"update_id": str(event.pk)}, status=201)


# Built once: a serializer made for every request costs as much as a query.
_REPORT, _UPDATE = SentReportIn(), SentUpdateIn()


def _told(ids: list[int], system: System) -> list[dict[str, Any]]:
    """Return those of the cases the key opens, in no order."""
    sent = SentCase.objects.filter(pk__in=ids, system=system)
    numbers = dict(sent.values_list("pk", "external_id"))
    reads_own = SystemRight.READ_OWN in system.scopes
    reads_public = SystemRight.READ in system.scopes
    others = [pk for pk in ids if pk not in numbers]
    wanted = (list(numbers) if reads_own else []) + (others if reads_public else [])
    if not wanted:
        return []
    bounded = {row.pk: row for row in system.items.all()} if others and reads_public else {}
    items = bounded or published_items()
    areas = set(system.areas.values_list("pk", flat=True)) if others and reads_public else set()
    return [
        case_as_told(row, own=row.id in numbers, external_id=numbers.get(row.id, ""))
        for row in find_public(wanted, items=items, system=system)
        if row.id in numbers or lies_in_one(row, areas)
    ]


def _area_of(code: str) -> Area | None:
    if not code:
        return None
    area = Area.objects.open().filter(code=code).defer(*SHAPES).first()
    if area is None:
        raise Invalid(_("There is no area with this code."), field="area_code")
    return area
