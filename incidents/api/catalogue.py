"""The catalogue, for programmes that let people choose what they report."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, viewsets
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from incidents.models import Category


class CategoryRow(serializers.ModelSerializer):
    """One item of the catalogue."""

    class Meta:
        model = Category
        fields = ["code", "name", "name_en", "major", "major_en", "description"]


class CategoryViewSet(viewsets.ViewSet):
    """The active items of the catalogue."""

    roles = None
    authentication_classes = ()
    permission_classes = (AllowAny,)
    serializer_class = CategoryRow

    @extend_schema(responses=CategoryRow(many=True))
    def list(self, request: Request) -> Response:
        """Return every active item, in order of code."""
        return Response(CategoryRow(Category.objects.filter(active=True), many=True).data)
