"""Addresses below /open311/v2/."""

from django.urls import path, re_path

from incidents.open311 import views

FORMAT = r"\.(?P<format>xml|json)$"

urlpatterns = [
    path("", views.discovery, name="open311_root"),
    re_path(rf"^discovery{FORMAT}", views.discovery, name="open311_discovery"),
    re_path(rf"^services{FORMAT}", views.services, name="open311_services"),
    re_path(rf"^services/(?P<code>[^/]+){FORMAT}", views.service, name="open311_service"),
    re_path(rf"^requests{FORMAT}", views.requests, name="open311_requests"),
    re_path(rf"^requests/(?P<number>[^/]+){FORMAT}", views.request, name="open311_request"),
    re_path(rf"^tokens/(?P<token>[^/]+){FORMAT}", views.token, name="open311_token"),
    re_path(rf"^servicerequestupdates{FORMAT}", views.updates, name="open311_updates"),
    path("<path:rest>", views.nothing),
]
