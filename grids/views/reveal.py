"""Showing one personal value in full for a minute.

What must not live here: what may be shown, and to whom (services/reveal.py and its registry).
"""

from dataclasses import replace

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from core import ratelimit
from core.errors import Conflict, Invalid
from core.htmx import render, wants_partial
from core.web import own_address
from grids.access import authenticated
from grids.services import reveal


@authenticated
@never_cache
@require_POST
def show(request: HttpRequest, kind: str, key: str, field: str) -> HttpResponse:
    """Answer with the value, once; the page hides it again, with scripts or without."""
    user, scope = request.user, request.scope
    ratelimit.check("reveal", str(user.pk))
    status = 200
    try:
        box = reveal.reveal(
            kind=kind,
            key=key,
            field=field,
            actor=user,
            scope=scope,
            reason=request.POST.get("reason", ""),
            ip=ratelimit.client_ip(request),
        )
    except (Invalid, Conflict) as error:
        subject = reveal.find(kind, key, field, user=user, scope=scope)
        box = reveal.box(kind, key, field, subject, user=user, scope=scope)
        box, status = replace(box, error=error.message), 422
    back = own_address(request.POST.get("next", "")) or "/"
    context = {"box": box, "next": back}
    response = render(
        request, "grids/reveal.html", context, partial="parts/reveal.html", status=status
    )
    if box.clear and not wants_partial(request):
        response.headers["Refresh"] = f"{box.seconds};url={back}"
    return response
