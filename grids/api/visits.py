"""Visits for programmes that stand beside the phone's own pages: the round, a visit, a need.

What lives here: turning JSON or a form into what the services take, and rows into JSON. What must
not: who may visit whom and what a visit means (services/visits.py). Names are masked here as on
the pages; full ones are not in the API.
"""

from datetime import date
from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.fields import empty
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import ratelimit
from core.api import Key, Number, checked, key_from, key_parameter
from core.places import SYSTEMS
from grids.access import HasRole
from grids.models import NEVER, Household, Visit
from grids.models.household import LINE, READERS, VISITORS
from grids.queries import households as ledger
from grids.queries import visits
from grids.services.visits import (
    DIARY_LIMIT,
    NEED_LIMIT,
    PHOTOS_MOST,
    SentVisit,
    record_visit,
    report_need,
)

# The largest number that every programme reads as it is written.
ID_MOST = 2**53


class HouseholdRow(serializers.Serializer):
    """A household as its line sees it in a list."""

    id = serializers.IntegerField()
    address = serializers.CharField()
    place = serializers.CharField(help_text="Village, grid and unit.")
    contact = serializers.CharField(help_text="Masked.")
    people = serializers.IntegerField()
    tags = serializers.ListField(child=serializers.CharField(), help_text="Care tags.")
    last_visited_on = serializers.DateField(allow_null=True)
    due_on = serializers.DateField(allow_null=True, help_text="Null where no rule asks.")
    overdue = serializers.BooleanField()


class RoundRow(HouseholdRow):
    """A household of today's round."""

    lat = serializers.FloatField(allow_null=True, help_text="Latitude of the door in WGS-84.")
    lon = serializers.FloatField(allow_null=True, help_text="Longitude of the door in WGS-84.")
    away = serializers.IntegerField(
        allow_null=True, help_text="Metres from the position that was sent."
    )


class Round(serializers.Serializer):
    """Today's round in figures, and its first sixty households."""

    due = serializers.IntegerField()
    overdue = serializers.IntegerField()
    done = serializers.IntegerField(help_text="Households where somebody was met today.")
    results = RoundRow(many=True)


class Here(serializers.Serializer):
    """Where the phone is: it orders the round and is kept nowhere."""

    lat = Number(min_value=-90, max_value=90)
    lon = Number(min_value=-180, max_value=180)


class OverduePage(serializers.Serializer):
    """Fifty households whose visit is overdue, the longest first."""

    results = HouseholdRow(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class _Said(serializers.BooleanField):
    """Yes or no, said in so many words: a form without the field has said neither."""

    default_empty_html = empty


class VisitIn(serializers.Serializer):
    """One visit. Anything else in the body is ignored."""

    household = serializers.IntegerField(min_value=1, max_value=ID_MOST)
    met = _Said(help_text="Whether somebody was at home.")
    at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="When; now if not given."
    )
    lat = Number(required=False, allow_null=True, default=None)
    lon = Number(required=False, allow_null=True, default=None)
    accuracy = Number(
        required=False, allow_null=True, default=None, min_value=0, max_value=100_000,
        help_text="Of the position, in metres.",
    )  # fmt: skip
    coordinate_system = serializers.ChoiceField(choices=list(SYSTEMS), default="wgs84")
    diary = serializers.CharField(max_length=DIARY_LIMIT, allow_blank=True, default="")
    need = serializers.CharField(
        max_length=NEED_LIMIT, allow_blank=True, default="", help_text="It becomes a case."
    )
    photos = serializers.ListField(
        child=serializers.FileField(),
        max_length=PHOTOS_MOST,
        default=list,
        help_text="JPEG, PNG or WebP; needs multipart/form-data.",
    )
    visit_key = Key(
        required=False, allow_null=True, default=None, help_text="The same key is one visit."
    )


class NeedIn(serializers.Serializer):
    """A need told after the visit was sent."""

    need = serializers.CharField(max_length=NEED_LIMIT)


class VisitOut(serializers.Serializer):
    """What became of a visit."""

    id = serializers.IntegerField()
    household = serializers.IntegerField()
    met = serializers.BooleanField()
    at = serializers.DateTimeField()
    distance = serializers.IntegerField(allow_null=True, help_text="Metres from the door.")
    case = serializers.CharField(help_text="Tracking code of the case a need became, or empty.")
    due_on = serializers.DateField(allow_null=True, help_text="The household's next visit.")


class RoundView(APIView):
    """Today's round of whoever goes from door to door."""

    permission_classes = (HasRole,)
    roles = VISITORS

    @extend_schema(responses=Round)
    def get(self, request: Request) -> Response:
        """Return the round, the longest overdue first."""
        return _round(request, None, None)

    @extend_schema(request=Here, responses=Round)
    def post(self, request: Request) -> Response:
        """Return the round, the nearest first; the position is in the body, which no log keeps."""
        here = checked(_HERE, request.data)
        return _round(request, here["lon"], here["lat"])


class VisitsView(APIView):
    """Visits taken in."""

    permission_classes = (HasRole,)
    roles = VISITORS
    parser_classes = (JSONParser, MultiPartParser, FormParser)

    @extend_schema(
        request={"multipart/form-data": VisitIn, "application/json": VisitIn},
        responses={201: VisitOut, 200: VisitOut},
        parameters=[key_parameter("visit_key")],
    )
    def post(self, request: Request) -> Response:
        """Store a visit; 201 for a new one, 200 with the first one's answer for the same key.

        404 the household is not one to be visited, 409 it has moved out or the key is another
        visit's.
        """
        data = checked(_VISIT, request.data)
        _found(request, data["household"])
        if data["photos"]:
            ratelimit.check("upload", f"u{request.user.pk}")
        accuracy = data["accuracy"]
        stored, new = record_visit(
            sent=SentVisit(
                household_id=data["household"],
                key=key_from(request, data["visit_key"]),
                met=data["met"],
                at=data["at"],
                latitude=data["lat"],
                longitude=data["lon"],
                coordinate_system=data["coordinate_system"],
                accuracy=None if accuracy is None else round(accuracy),
                diary=data["diary"],
                need=data["need"],
                photos=data["photos"],
            ),
            actor=request.user,
            ip=ratelimit.client_ip(request._request),
        )
        return Response(_told(stored), status=201 if new else 200)


class NeedView(APIView):
    """A need that shows itself after the visit."""

    permission_classes = (HasRole,)
    roles = LINE

    @extend_schema(request=NeedIn, responses=VisitOut)
    def post(self, request: Request, pk: int) -> Response:
        """Make a case of the need. 404 the visit is not one's line's, 409 it has its case."""
        visit = Visit.objects.select_related("household").filter(pk=pk).first()
        if visit is None or not ledger.looks_after(request._request.scope, visit.household, LINE):
            raise Http404
        data = checked(_NEED, request.data)
        ip = ratelimit.client_ip(request._request)
        done = report_need(visit=visit, need=data["need"], actor=request.user, ip=ip)
        return Response(_told(done))


class OverdueView(APIView):
    """Households whose visit is overdue."""

    permission_classes = (HasRole,)
    roles = READERS

    @extend_schema(
        parameters=[
            OpenApiParameter("area", int, description="Id of an area of one's own."),
            OpenApiParameter("cursor", str),
        ],
        responses=OverduePage,
    )
    def get(self, request: Request) -> Response:
        """Return a page of 50 in one's own areas, or in ``area``; outside of them it is 404."""
        today = timezone.localdate()
        areas = ledger.posted_areas(request._request.scope, READERS)
        asked = request.query_params.get("area")
        area = ledger.area_within(areas, asked) if asked else None
        if asked and area is None:
            raise Http404
        page = ledger.ledger_page(
            areas,
            ledger.Filters(area=area, show="overdue"),
            today=today,
            cursor=request.query_params.get("cursor") or None,
        )
        rows = [_row(row, today) for row in ledger.as_rows(page.items, today=today)]
        return Response({"results": rows, "next": page.next, "previous": page.previous})


# Built once: a serializer made for every request costs as much as a query.
_VISIT, _NEED, _HERE = VisitIn(), NeedIn(), Here()


def _found(request: Request, household_id: int) -> Household:
    mine = ledger.visible_households(request._request.scope, VISITORS)
    household = mine.filter(pk=household_id).first()
    if household is None:
        raise Http404
    return household


def _round(request: Request, lon: float | None, lat: float | None) -> Response:
    areas = ledger.posted_areas(request._request.scope, VISITORS)
    today = timezone.localdate()
    tally = visits.round_tally(areas, user_id=request.user.pk, today=today)
    found = visits.todays_round(areas, today=today, lon=lon, lat=lat)
    rows = [_round_row(row, today) for row in ledger.as_rows(found, today=today)]
    return Response(
        {"due": tally.due, "overdue": tally.overdue, "done": tally.done, "results": rows}
    )


def _row(row: ledger.Row, today: date) -> dict[str, Any]:
    one = row.household
    return {
        "id": one.pk,
        "address": one.address,
        "place": row.place,
        "contact": row.contact,
        "people": one.people,
        "tags": row.tags,
        "last_visited_on": one.last_visited_on,
        "due_on": _due(one),
        "overdue": one.next_due_on < today,
    }


def _round_row(row: ledger.Row, today: date) -> dict[str, Any]:
    place = row.household.location
    return _row(row, today) | {
        "lat": place.y if place else None,
        "lon": place.x if place else None,
        "away": getattr(row.household, "away", None),
    }


def _told(visit: Visit) -> dict[str, Any]:
    household = Household.objects.only("next_due_on").get(pk=visit.household_id)
    return {
        "id": visit.pk,
        "household": visit.household_id,
        "met": visit.met,
        "at": timezone.localtime(visit.at).isoformat(),
        "distance": visit.distance,
        "case": visit.case_code,
        "due_on": _due(household),
    }


def _due(household: Household) -> date | None:
    return None if household.next_due_on == NEVER else household.next_due_on
