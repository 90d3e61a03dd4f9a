"""Who is signed in, and as what."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from grids.access import SIGNED_IN, HasRole
from grids.models import Role


class PostingRow(serializers.Serializer):
    """A post held today."""

    role = serializers.ChoiceField(choices=Role.choices)
    role_label = serializers.CharField(source="get_role_display")
    place = serializers.CharField()


class Me(serializers.Serializer):
    """The person signed in."""

    username = serializers.CharField()
    display_name = serializers.CharField()
    postings = PostingRow(many=True)


class MeView(APIView):
    """The person signed in and the posts of today."""

    permission_classes = (HasRole,)
    roles = SIGNED_IN

    @extend_schema(responses=Me)
    def get(self, request: Request) -> Response:
        """Return name and postings."""
        user = request.user
        body = {
            "username": user.username,
            "display_name": user.display_name,
            "postings": request._request.scope.postings,
        }
        return Response(Me(body).data)
