"""Addresses of the grids floor."""

from django.urls import path

from grids.views import coverage
from grids.views.home import home
from grids.views.login import ChangePassword, SignIn, SignOut, admin_login
from grids.views.reveal import show

urlpatterns = [
    path("", home, name="home"),
    path("login/", SignIn.as_view(), name="login"),
    path("logout/", SignOut.as_view(), name="logout"),
    path("admin/login/", admin_login),
    path("password/", ChangePassword.as_view(), name="password_change"),
    path("reveal/<slug:kind>/<slug:key>/<slug:field>/", show, name="reveal"),
    path("territory/coverage/", coverage.coverage, name="coverage"),
    path("territory/coverage/start/", coverage.coverage_start, name="coverage_start"),
    path("territory/coverage/progress/", coverage.coverage_progress, name="coverage_progress"),
    path("territory/coverage/map.json", coverage.coverage_map, name="coverage_map"),
    path("territory/coverage/export/", coverage.coverage_export, name="coverage_export"),
]
