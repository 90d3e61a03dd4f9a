"""Cases for staff: list, one case, and every step a person may take.

What lives here: turning JSON into the same forms and services the pages use. What must not:
who may do what (workflow), and personal data of reporters.
"""

from collections.abc import Mapping
from typing import Any

from django.http import Http404, QueryDict
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from core.api import DAY
from core.errors import Invalid
from core.ratelimit import client_ip
from grids.access import HasRole
from grids.models import Role
from grids.models.posting import KEEPERS
from incidents.api import shapes
from incidents.api.shapes import IncidentDetail, IncidentPage
from incidents.forms.actions import ACTION_FORMS
from incidents.models import Incident, Source, State, Tier
from incidents.queries import running_clocks, timeline, visible_incident
from incidents.queries.listing import give_names
from incidents.queries.queue import ORDERS, WAITING, queue_page, read_filters
from incidents.services.step import check
from incidents.workflow import Actor, available

STAFF = frozenset(Role.values) - KEEPERS
CODE = OpenApiParameter("tracking_code", str, OpenApiParameter.PATH)


class IncidentViewSet(viewsets.ViewSet):
    """The cases one's postings open, and the steps one may take. Outside of them: 404."""

    permission_classes = (HasRole,)
    roles = STAFF
    serializer_class = IncidentDetail
    lookup_field = "tracking_code"
    lookup_value_regex = "[0-9A-Z]{1,16}"

    @extend_schema(
        parameters=[
            OpenApiParameter("cursor", str),
            OpenApiParameter("show", enum=["open", "all"]),
            OpenApiParameter("order", enum=list(ORDERS)),
            OpenApiParameter("waiting", enum=list(WAITING)),
            OpenApiParameter("state", enum=State.values),
            OpenApiParameter("area", int),
            OpenApiParameter("category", int),
            OpenApiParameter("major", str),
            OpenApiParameter("department", int),
            OpenApiParameter("tier", enum=Tier.values),
            OpenApiParameter("source", enum=Source.values),
            OpenApiParameter("urgency", int, enum=[0, 1, 2]),
            OpenApiParameter("overdue", enum=["1"]),
            OpenApiParameter("since", DAY),
            OpenApiParameter("until", DAY),
            OpenApiParameter("text", str),
        ],
        responses=IncidentPage,
    )
    def list(self, request: Request) -> Response:
        """Return a page of 50; a filter that is not on the list is 400, never guessed at."""
        params = request.query_params.dict()
        cursor = params.pop("cursor", "") or None
        scope = request._request.scope
        page = queue_page(
            user=request.user,
            scope=scope,
            filters=read_filters(params, scope=scope),
            cursor=cursor,
        )
        give_names(page.items)
        rows = [shapes.row(incident) for incident in page.items]
        return Response({"results": rows, "next": page.next, "previous": page.previous})

    @extend_schema(parameters=[CODE], responses=IncidentDetail)
    def retrieve(self, request: Request, tracking_code: str) -> Response:
        """Return one case with its timeline and clocks; reporters' contacts are not in it."""
        incident = _found(request, tracking_code)
        return Response(_detail(incident, _actor(request)))

    @extend_schema(
        parameters=[
            CODE,
            OpenApiParameter("step", str, OpenApiParameter.PATH, enum=sorted(ACTION_FORMS)),
        ],
        request=OpenApiTypes.OBJECT,
        responses=IncidentDetail,
    )
    @action(detail=True, methods=["post"], url_path="(?P<step>[a-z_]{1,30})")
    def take(self, request: Request, tracking_code: str, step: str) -> Response:
        """Take a step; the body has the fields of the page's form for it, and `seen`.

        400 names what is wrong by field, 403 the step is somebody else's, 404 there is no such
        step or case, 409 the case has moved on.
        """
        act = ACTION_FORMS.get(step)
        if act is None:
            raise Http404
        incident, actor = _found(request, tracking_code), _actor(request)
        form = act.form(_as_typed(request.data), incident=incident, actor=actor)
        if not form.is_valid():
            check(incident, actor, step)
            raise Invalid(errors=form.errors)
        act.verb(incident_id=incident.pk, actor=actor, **act.fixed, **form.arguments())
        try:
            return Response(_detail(_found(request, tracking_code), actor))
        except Http404:
            # The step has moved the case out of the person's scope; it was taken all the same.
            return Response(status=204)


def _found(request: Request, code: str) -> Incident:
    return visible_incident(request.user, request._request.scope, code)


def _actor(request: Request) -> Actor:
    whole = request._request
    return Actor.for_user(request.user, scope=whole.scope, ip=client_ip(whole))


def _as_typed(body: Any) -> QueryDict:
    """Return a JSON object as a form would send it: texts, and lists of texts."""
    if not isinstance(body, Mapping):
        raise Invalid(_("Send an object with the fields of the step."))
    if isinstance(body, QueryDict):
        return body
    typed = QueryDict(mutable=True)
    for name, value in body.items():
        values = value if isinstance(value, list) else [value]
        if any(isinstance(item, dict | list) for item in values):
            raise Invalid(_("This value is not one of its choices."), field=str(name))
        typed.setlist(str(name), [str(item) for item in values if item is not None])
    return typed


def _detail(incident: Incident, actor: Actor) -> dict[str, Any]:
    give_names([incident])
    return shapes.detail(
        incident,
        events=timeline(incident),
        clocks=running_clocks(incident),
        steps=[line for line in available(actor, incident) if line.action in ACTION_FORMS],
    )
