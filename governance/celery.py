"""The Celery application. Beat only wakes polls; every fact lives in PostgreSQL."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "governance.settings")

app = Celery("geshi")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
