"""All addresses of the product; each app keeps its own below."""

from django.contrib import admin
from django.urls import include, path

from governance.views import ai, command, health, map, scores, towns

urlpatterns = [
    path("healthz", health.healthz, name="healthz"),
    path("metrics", health.metrics, name="metrics"),
    path("command/", command.command, name="command"),
    path("command/queue/", command.queue, name="command_queue"),
    path("command/feed/", command.feed, name="command_feed"),
    path("command/figures/", command.figures, name="command_figures"),
    path("command/towns/", towns.town_figures, name="town_figures"),
    path("scores/", scores.scores_page, name="scores"),
    path("scores/file/", scores.scores_file, name="scores_file"),
    path("scores/cases/", scores.scores_cases, name="scores_cases"),
    path("scores/mine/", scores.scores_mine, name="scores_mine"),
    path("scores/people/<int:pk>/", scores.scores_person, name="scores_person"),
    path("ai/", ai.ai, name="ai"),
    path("ai/cases/", ai.ai_cases, name="ai_cases"),
    path("map/areas/", map.areas, name="map_areas"),
    path("map/points/", map.points, name="map_points"),
    path("api/v1/", include("governance.api.urls")),
    path("open311/v2/", include("incidents.open311.urls")),
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
