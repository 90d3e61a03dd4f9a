"""Registers the mediation floor with Django and with the floors below."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MediationConfig(AppConfig):
    name = "mediation"
    verbose_name = _("Mediation")

    def ready(self) -> None:
        # Models can be imported only once the registry of apps is ready.
        from mediation import hooks  # noqa: PLC0415

        hooks.connect()
