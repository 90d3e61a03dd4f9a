"""Whether the house is well: one address for people and load balancers, one for Prometheus."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from governance.queries import health
from grids.access import public


@public
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """JSON of what lives and how late the oldest work is, in seconds; 503 names what is wrong."""
    found = health(timezone.now())
    body = {
        "status": "unwell" if found.wrong else "ok",
        "wrong": found.wrong,
        "database": found.database,
        "redis": found.redis,
        "worker_heartbeat_age": found.worker_age,
        "beat_heartbeat_age": found.beat_age,
        "oldest_due_timer_age": found.timer_lag,
        "oldest_due_message_age": found.outbox_age,
    }
    return JsonResponse(body, status=503 if found.wrong else 200)
