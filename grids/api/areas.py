"""The tree of areas, read a step at a time."""

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from grids.access import SIGNED_IN, HasRole
from grids.models import SHAPES, Area, Level


class AreaRow(serializers.ModelSerializer):
    """One area; ``id`` is what filters take."""

    class Meta:
        model = Area
        fields = ["id", "code", "name", "level", "grid_kind", "organisation"]


class AreaViewSet(viewsets.ViewSet):
    """Areas by code."""

    permission_classes = (HasRole,)
    roles = SIGNED_IN
    serializer_class = AreaRow
    lookup_field = "code"
    lookup_value_regex = "[0-9]{2,17}"

    @extend_schema(
        parameters=[OpenApiParameter("parent", str, description="Code of the area above.")],
        responses=AreaRow(many=True),
    )
    def list(self, request: Request) -> Response:
        """Return the areas right below ``parent``; without it, the counties."""
        parent = request.query_params.get("parent", "")
        rows = Area.objects.open().filter(level=Level.COUNTY)
        if parent:
            if not (parent.isascii() and parent.isdigit()):
                raise Http404
            above = get_object_or_404(Area.objects.defer(*SHAPES), code=parent)
            rows = Area.objects.open().filter(path__startswith=above.path, depth=above.depth + 1)
        return Response(AreaRow(rows.defer(*SHAPES), many=True).data)

    @extend_schema(
        parameters=[OpenApiParameter("code", str, OpenApiParameter.PATH)], responses=AreaRow
    )
    def retrieve(self, request: Request, code: str) -> Response:
        """Return one area."""
        return Response(AreaRow(get_object_or_404(Area.objects.defer(*SHAPES), code=code)).data)
