"""The Celery application. Beat only wakes polls; every fact lives in PostgreSQL."""

import os
from typing import Any

from celery import Celery, Task
from celery.signals import task_postrun, task_prerun
from django.db import close_old_connections

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "governance.settings")
# They were made when the database was migrated; a worker that has to start again is back sooner.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("geshi")
app.config_from_object("django.conf:settings", namespace="CELERY")
# By itself Celery closes the process's pool of connections before and after every task. A worker
# of polls would open a dozen connections a second; it keeps them as the web does instead.
app.conf["CELERY_DB_REUSE_MAX"] = 1_000_000
app.autodiscover_tasks()


@task_prerun.connect
@task_postrun.connect
def _put_connection_back(sender: Task, **_signal: Any) -> None:
    # A task that is called and not sent runs on its caller's connection.
    if not sender.request.is_eager:
        close_old_connections()
