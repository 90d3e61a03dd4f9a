"""Signing in and out, and changing one's password.

What must not live here: who may do what afterwards (access.py).
"""

from math import ceil
from typing import Any

from axes.helpers import get_client_username, get_cool_off
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import views as auth
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _

from core import ratelimit
from grids.access import authenticated, public
from grids.forms import SignInForm
from grids.queries import demo_accounts
from grids.services.sign_in import one_attempt_at_a_time


@public
class SignIn(auth.LoginView):
    """The login page; in demonstration mode it shows the demonstration accounts."""

    template_name = "grids/login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # A check of a password costs 0.16 s of processor, so the count comes first.
        ip = ratelimit.client_ip(request)
        ratelimit.check("login", ip)
        with one_attempt_at_a_time(username=request.POST.get("username", ""), ip=ip):
            return super().post(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        accounts = demo_accounts() if settings.DEMO else []
        return super().get_context_data(
            demo_accounts=accounts, demo_password=settings.DEMO_PASSWORD, **kwargs
        )


@public
class SignOut(auth.LogoutView):
    """Ends the session (POST only)."""


@method_decorator(authenticated, name="dispatch")
class ChangePassword(auth.PasswordChangeView):
    """One's own password."""

    template_name = "grids/password_change.html"
    success_url = reverse_lazy("home")

    def form_valid(self, form: BaseForm) -> HttpResponse:
        messages.success(self.request, _("Your password has been changed."))
        return super().form_valid(form)


@public
def admin_login(request: HttpRequest) -> HttpResponse:
    """Stand in for the login page of the administration site, which knows no rate limit.

    Whoever has signed in and still lands here may not enter, hence 403.
    """
    if request.user.is_authenticated:
        raise PermissionDenied
    return redirect_to_login(request.GET.get("next") or reverse("admin:index"))


def locked_out(
    request: HttpRequest, response: HttpResponse | None, credentials: dict[str, Any] | None
) -> HttpResponse:
    """Tell that this account is locked for this address, and for how many minutes (429)."""
    cool_off = get_cool_off(request)
    username = get_client_username(request, credentials)
    last = (
        AccessAttempt.objects.filter(
            username=username, ip_address=ratelimit.client_ip(request) or None
        )
        .order_by("-attempt_time")
        .first()
    )
    until = (last.attempt_time if last else timezone.now()) + cool_off
    seconds = max(1, ceil((until - timezone.now()).total_seconds()))
    context = {
        "minutes": ceil(seconds / 60),
        "until": until,
        "failures": settings.AXES_FAILURE_LIMIT,
        "username": username,
    }
    page = render(request, "grids/locked_out.html", context, status=429)
    page.headers["Retry-After"] = str(seconds)
    return page
