"""Addresses of the incidents floor."""

from django.urls import URLPattern, path

from incidents.views import files, report

urlpatterns: list[URLPattern] = [
    path("photos/", files.upload, name="photos"),
    path("files/<uuid:photo_id>/", files.file, name="file"),
    path("report/", report.report, name="report"),
    path("report/done/<slug:code>/", report.done, name="report_done"),
]
