"""Registers the grids floor with Django."""

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class GridsConfig(AppConfig):
    name = "grids"
    verbose_name = _("Territory and people")

    def ready(self) -> None:
        # The library's own name says nothing to an administrator.
        apps.get_app_config("axes").verbose_name = _("Login protection")
