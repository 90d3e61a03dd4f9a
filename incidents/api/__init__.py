"""The API of incidents; the top floor puts ``router_entries`` and ``paths`` under /api/v1/."""

from django.urls import path

from incidents.api.catalogue import CategoryViewSet
from incidents.api.incidents import IncidentViewSet
from incidents.api.outside import (
    OutsideCasesView,
    OutsideCaseView,
    OutsideReportView,
    OutsideUpdateView,
)
from incidents.api.reports import PhotoView, ReportView

router_entries = [("incidents", IncidentViewSet), ("categories", CategoryViewSet)]
paths = [
    path("reports/", ReportView.as_view(), name="api_reports"),
    path("photos/", PhotoView.as_view(), name="api_photos"),
    path("outside/reports/", OutsideReportView.as_view(), name="api_outside_reports"),
    path("outside/cases/", OutsideCasesView.as_view(), name="api_outside_cases"),
    path("outside/cases/<int:case>/", OutsideCaseView.as_view(), name="api_outside_case"),
    path(
        "outside/cases/<int:case>/updates/",
        OutsideUpdateView.as_view(),
        name="api_outside_updates",
    ),
]
