"""Whether the house is well: one address for people and load balancers, one for Prometheus."""

import hmac
from ipaddress import ip_address

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from governance.metrics import exposition
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
        "oldest_unsealed_audit_age": found.seal_lag,
    }
    return JsonResponse(body, status=503 if found.wrong else 200)


@public
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Metrics as Prometheus reads them: for this machine itself, or with the bearer token."""
    if not (_from_here(request) or _has_token(request)):
        raise PermissionDenied
    return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)


def _from_here(request: HttpRequest) -> bool:
    # A proxy on this machine speaks for somebody else, and says so.
    if "HTTP_X_FORWARDED_FOR" in request.META or "HTTP_FORWARDED" in request.META:
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _has_token(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "").encode()
    return bool(settings.METRICS_TOKEN) and hmac.compare_digest(
        given, f"Bearer {settings.METRICS_TOKEN}".encode()
    )
