"""Settings of the naive variant: those of a fault run, with the mistakes of naive.py put in."""

from benchmarks.faults.settings import *  # noqa: F403
from benchmarks.faults.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS[:-1], "benchmarks.faults.apps.Naive"]
