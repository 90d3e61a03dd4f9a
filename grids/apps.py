"""Registers the grids floor with Django."""

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class GridsConfig(AppConfig):
    name = "grids"
    verbose_name = _("Territory and people")

    def ready(self) -> None:
        # Models can be imported only once the registry of apps is ready.
        from core.services import audit  # noqa: PLC0415
        from grids import (  # noqa: PLC0415
            audit_words,
            filing,
            messaging,
            network,
            rostering,
            signing,
            visiting,
        )
        from grids.services import colleagues, reveal  # noqa: PLC0415

        audit.placed_by("user", colleagues.place_of_person)
        audit.placed_by("posting", colleagues.place_of_posting)
        reveal.register("user", colleagues.REVEALABLE)
        visiting.connect()
        network.connect()
        rostering.connect()
        filing.connect()
        signing.connect()
        messaging.connect()
        audit_words.connect()
        # The library's own name says nothing to an administrator.
        apps.get_app_config("axes").verbose_name = _("Login protection")
