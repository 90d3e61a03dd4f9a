"""Disputes as list rows over the API; nothing confidential ever passes here."""

from typing import Any

from django.http import Http404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_serializer
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from core.errors import Invalid
from grids.access import HasRole
from mediation.forms import FilterForm
from mediation.models import LIST_ROLES, Colour, Dispute, DisputeState, Kind
from mediation.queries import list_page


class DisputeRow(serializers.ModelSerializer):
    """Number, kind, colour, state, place and dates: what the list shows."""

    town = serializers.CharField(source="town.name", default=None)
    village = serializers.CharField(source="village.name", default=None)
    grid = serializers.CharField(source="grid.name", default=None)

    class Meta:
        model = Dispute
        fields = [
            "number",
            "kind",
            "colour",
            "state",
            "step",
            "town",
            "village",
            "grid",
            "registered_at",
            "due_at",
            "settled_at",
            "ended_at",
        ]


@extend_schema_serializer(many=False)
class DisputePage(serializers.Serializer):
    """A page of the list, with the cursors of its neighbours."""

    results = DisputeRow(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


# How a programme says yes or no; a page's box says it by being there.
YES_OR_NO = frozenset({"", "true", "false", "True", "False", "1", "0", "on"})


class DisputeViewSet(viewsets.ViewSet):
    """Read-only rows of the disputes one's postings open."""

    permission_classes = [HasRole]
    roles = LIST_ROLES
    serializer_class = DisputeRow
    lookup_field = "number"

    @extend_schema(
        parameters=[
            OpenApiParameter("state", enum=DisputeState.values),
            OpenApiParameter("step", enum=["1", "2", "3", "4"]),
            OpenApiParameter("colour", enum=Colour.values),
            OpenApiParameter("number", str),
            OpenApiParameter("overdue", bool),
            OpenApiParameter("mine", bool),
            OpenApiParameter("cursor", str),
        ],
        responses=DisputePage,
        description=f"Kinds: {', '.join(Kind.values)}.",
    )
    def list(self, request: Request) -> Response:
        """Return a page of 50; a filter that cannot be read is 400."""
        for name in ("overdue", "mine"):
            if request.query_params.get(name, "") not in YES_OR_NO:
                raise Invalid(_("Say true or false."), field=name)
        form = FilterForm(request.query_params)
        if not form.is_valid():
            raise Invalid(errors={k: [str(e) for e in v] for k, v in form.errors.items()})
        page = list_page(
            user=request.user,
            scope=request._request.scope,
            cursor=request.query_params.get("cursor") or None,
            **form.cleaned_data,
        )
        rows: Any = DisputeRow(page.items, many=True).data
        return Response({"results": rows, "next": page.next, "previous": page.previous})

    @extend_schema(
        parameters=[OpenApiParameter("number", str, OpenApiParameter.PATH)], responses=DisputeRow
    )
    def retrieve(self, request: Request, number: str) -> Response:
        """Return one row; 404 outside the scope."""
        page = list_page(user=request.user, scope=request._request.scope, number=number, size=1)
        if not page.items:
            raise Http404
        return Response(DisputeRow(page.items[0]).data)
