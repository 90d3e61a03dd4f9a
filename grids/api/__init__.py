"""The API of territory, people and visits; the top floor puts ``router_entries`` and ``paths``
under /api/v1/.
"""

from django.urls import path

from grids.api.areas import AreaViewSet
from grids.api.me import MeView
from grids.api.visits import NeedView, OverdueView, RoundView, VisitsView

router_entries = [("areas", AreaViewSet)]
paths = [
    path("me/", MeView.as_view(), name="api_me"),
    path("visits/", VisitsView.as_view(), name="api_visits"),
    path("visits/round/", RoundView.as_view(), name="api_visits_round"),
    path("visits/<int:pk>/need/", NeedView.as_view(), name="api_visits_need"),
    path("households/overdue/", OverdueView.as_view(), name="api_households_overdue"),
]
