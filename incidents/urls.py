"""Addresses of the incidents floor."""

from django.urls import URLPattern, path

from incidents.views import (
    case,
    department,
    desk_report,
    files,
    notices,
    rate,
    report,
    systems,
    town,
    track,
    worker,
)

urlpatterns: list[URLPattern] = [
    path("incidents/<slug:code>/", case.incident, name="incident"),
    path("incidents/<slug:code>/do/<slug:action>/", case.incident_do, name="incident_do"),
    path("incidents/<slug:code>/places/", case.incident_places, name="incident_places"),
    path("incidents/<slug:code>/preview/", case.incident_preview, name="incident_preview"),
    path("incidents/<slug:code>/near/", case.incident_near, name="incident_near"),
    path("incidents/<slug:code>/place.json", case.incident_place, name="incident_place"),
    path("department/", department.department, name="department"),
    path("town/", town.town, name="town"),
    path("village/", town.village, name="village"),
    path("grid/", town.grid, name="grid"),
    path("desk/report/", desk_report.desk_report, name="desk_report"),
    path("worker/", worker.worker, name="worker"),
    path("worker/mine/", worker.mine, name="worker_mine"),
    path("worker/report/", worker.report, name="worker_report"),
    path("worker/sent/<slug:code>/", worker.sent, name="worker_sent"),
    path("systems/", systems.systems, name="systems"),
    path("systems/new/", systems.system_new, name="system_new"),
    path("systems/<int:pk>/", systems.system, name="system"),
    path("systems/<int:pk>/<slug:act>/", systems.system_do, name="system_do"),
    path("notices/", notices.notices, name="notices"),
    path("notices/read/", notices.read, name="notices_read"),
    path("photos/", files.upload, name="photos"),
    path("files/<uuid:photo_id>/", files.file, name="file"),
    path("report/", report.report, name="report"),
    path("report/done/<slug:code>/", report.done, name="report_done"),
    path("track/", track.track, name="track"),
    path("rate/<slug:token>/", rate.rate, name="rate"),
]
