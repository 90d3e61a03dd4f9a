"""Addresses of the grids floor."""

from django.urls import path

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
]
