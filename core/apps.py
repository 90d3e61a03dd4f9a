"""Registers the core floor with Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from core import lookups  # noqa: F401  registers itself


class CoreConfig(AppConfig):
    name = "core"
    verbose_name = _("Core")
