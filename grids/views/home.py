"""The front door: residents see what they can do here, staff land at their desk."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from grids.access import public
from grids.desks import desks_for


@public
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Send staff to the first desk of their roles; show everybody else the landing page."""
    if not request.user.is_authenticated:
        return render(request, "grids/landing.html")
    desks = desks_for(request.scope.roles)  # type: ignore[attr-defined]
    if desks:
        return redirect(desks[0].url)
    if request.user.is_staff:
        return redirect(reverse("admin:index"))
    return render(request, "grids/landing.html", {"without_desk": True})
