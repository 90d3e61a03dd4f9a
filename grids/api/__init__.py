"""The API of territory and people; the top floor puts ``router_entries`` and ``paths`` under
/api/v1/.
"""

from django.urls import path

from grids.api.areas import AreaViewSet
from grids.api.me import MeView

router_entries = [("areas", AreaViewSet)]
paths = [path("me/", MeView.as_view(), name="api_me")]
