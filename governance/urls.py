"""All addresses of the product; each app keeps its own below."""

from django.contrib import admin
from django.urls import include, path

from governance.views import health, map

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("map/areas/", map.areas, name="map_areas"),
    path("map/points/", map.points, name="map_points"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include("grids.urls")),  # before admin/, whose login page it replaces
    path("admin/", admin.site.urls),
    path("", include("incidents.urls")),
    path("", include("mediation.urls")),
]

handler400 = "core.views.errors.bad_request"
handler403 = "core.views.errors.forbidden"
handler404 = "core.views.errors.not_found"
handler500 = "core.views.errors.server_error"
