"""Settings of a fault run: the real ones, with a clock that can be set and hours of a second.

What lives here: what makes a day fit into a minute. What must not: a switch that turns off or eases
what is under test.
"""

from django.utils import timezone

from benchmarks.faults import clock

# Before any model is read: fields keep the function as their default.
timezone.now = clock.now

from governance.settings import *  # noqa: E402, F403
from governance.settings import INSTALLED_APPS, STORAGES  # noqa: E402

INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks.faults.apps.ShortHours"]
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
