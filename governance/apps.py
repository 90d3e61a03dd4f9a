"""Registers the governance floor with Django and its desks with the floor below."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GovernanceConfig(AppConfig):
    name = "governance"
    verbose_name = _("Governance")

    def ready(self) -> None:
        # Models can be imported only once the registry of apps is ready.
        from governance import hooks  # noqa: PLC0415

        hooks.connect()
