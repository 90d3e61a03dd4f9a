"""What Prometheus reads: requests, latency, refused logins, and how much work waits.

What lives here: the counters, the middleware that feeds them, the text for /metrics. What must
not: any label with a person, a case or a raw address in it.
"""

import os
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.core import GaugeMetricFamily, Metric

from governance.queries import health, letter_ages, waiting_work

REQUESTS = Counter(
    "geshi_requests", "Requests by view, method and status", ["view", "method", "status"]
)
LATENCY = Histogram(
    "geshi_request_seconds",
    "Seconds to answer a request, by view",
    ["view"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
REJECTED_LOGINS = Counter("geshi_rejected_logins", "Logins refused", ["reason"])

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class MetricsMiddleware:
    """Counts and times every request under the name of its view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        # An address nobody knows has no view; its text is a stranger's and no label.
        view = (match.view_name or "unnamed") if match else "none"
        method = request.method if request.method in _METHODS else "other"
        REQUESTS.labels(view, method, str(response.status_code)).inc()
        LATENCY.labels(view).observe(perf_counter() - began)
        return response


class _Waiting:
    """Reads at the moment of asking how much work waits and how late it is."""

    def collect(self) -> Iterator[Metric]:
        now = timezone.now()
        found = health(now)
        up = GaugeMetricFamily("geshi_up", "1 when the part answers", labels=["part"])
        up.add_metric(["database"], float(found.database))
        up.add_metric(["redis"], float(found.redis))
        yield up
        ages = {
            "geshi_worker_heartbeat_age_seconds": found.worker_age,
            "geshi_beat_heartbeat_age_seconds": found.beat_age,
            "geshi_timer_lag_seconds": found.timer_lag or 0,
            "geshi_outbox_age_seconds": found.outbox_age or 0,
            "geshi_audit_seal_lag_seconds": found.seal_lag or 0,
        }
        for name, seconds in ages.items():
            if seconds is not None:
                yield GaugeMetricFamily(name, "Seconds", value=seconds)
        if not found.database:
            return
        depth = GaugeMetricFamily("geshi_queue_depth", "Rows that wait", labels=["queue"])
        for queue, n in waiting_work(now).items():
            depth.add_metric([queue], n)
        yield depth
        late = GaugeMetricFamily(
            "geshi_letters_age_seconds", "Oldest letter that is due", labels=["channel"]
        )
        for channel, seconds in letter_ages(now).items():
            late.add_metric([str(channel)], seconds)
        yield late


def exposition() -> bytes:
    """Return the text of /metrics; with PROMETHEUS_MULTIPROC_DIR, of all web processes together."""
    registry = CollectorRegistry()
    registry.register(_Waiting())
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        multiprocess.MultiProcessCollector(registry)
        return generate_latest(registry)
    return generate_latest(REGISTRY) + generate_latest(registry)


def connect() -> None:
    """Start counting refused logins."""
    user_login_failed.connect(_count_failed, dispatch_uid="metrics.login_failed")
    user_locked_out.connect(_count_locked_out, dispatch_uid="metrics.locked_out")


def _count_failed(**kwargs: Any) -> None:
    REJECTED_LOGINS.labels("credentials").inc()


def _count_locked_out(**kwargs: Any) -> None:
    REJECTED_LOGINS.labels("locked_out").inc()
