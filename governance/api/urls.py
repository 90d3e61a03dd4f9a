"""Addresses under /api/v1/: what each floor offers, the schema and its page."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from governance.api.schema import SchemaView, docs
from governance.api.scores import ScoresView
from grids import api as grids
from incidents import api as incidents
from mediation import api as mediation

router = SimpleRouter()
for floor in (grids, incidents, mediation):
    for prefix, viewset in floor.router_entries:
        router.register(prefix, viewset, basename=f"api_{prefix}")

urlpatterns = [
    *grids.paths,
    *incidents.paths,
    path("scores/", ScoresView.as_view(), name="api_scores"),
    path("schema/", SchemaView.as_view(), name="api_schema"),
    path("docs/", docs, name="api_docs"),
    path("", include(router.urls)),
]
