"""Addresses of the grids floor."""

from django.urls import path

from grids.views import coverage, households, visit_coverage, visits
from grids.views.home import home
from grids.views.login import ChangePassword, SignIn, SignOut, admin_login
from grids.views.reveal import show

urlpatterns = [
    path("", home, name="home"),
    path("login/", SignIn.as_view(), name="login"),
    path("logout/", SignOut.as_view(), name="logout"),
    path("admin/login/", admin_login),
    path("password/", ChangePassword.as_view(), name="password_change"),
    path("households/", households.households, name="households"),
    path("households/new/", households.household_new, name="household_new"),
    path("households/list.csv", visit_coverage.households_file, name="households_file"),
    path("households/<int:pk>/", households.household, name="household"),
    path("households/<int:pk>/do/<slug:action>/", households.household_do, name="household_do"),
    path("visits/", visits.visits_round, name="visits"),
    path("visits/near/", visits.visits_near, name="visits_near"),
    path("visits/points/", visits.visits_points, name="visits_points"),
    path("visits/mine/", visits.visits_mine, name="visits_mine"),
    path("visits/coverage/", visit_coverage.coverage, name="visits_coverage"),
    path("visits/coverage.csv", visit_coverage.coverage_file, name="visits_coverage_file"),
    path("visits/rules/", visit_coverage.rules, name="visits_rules"),
    path("visits/photo/<uuid:photo_id>/", visits.visit_photo, name="visit_photo"),
    path("visits/done/<int:pk>/", visits.visit_done, name="visit_done"),
    path("visits/<int:pk>/", visits.visit, name="visit"),
    path("reveal/<slug:kind>/<slug:key>/<slug:field>/", show, name="reveal"),
    path("territory/coverage/", coverage.coverage, name="coverage"),
    path("territory/coverage/start/", coverage.coverage_start, name="coverage_start"),
    path("territory/coverage/progress/", coverage.coverage_progress, name="coverage_progress"),
    path("territory/coverage/map.json", coverage.coverage_map, name="coverage_map"),
    path("territory/coverage/export/", coverage.coverage_export, name="coverage_export"),
]
