"""Signing in and out, and changing one's password.

What must not live here: who may do what afterwards (access.py).
"""

import json
from math import ceil
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_client_username, get_cool_off
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login as auth_login
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth import views as auth
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from core import ratelimit
from grids import hindrance
from grids.access import authenticated, open_before, public
from grids.forms import ChangePasswordForm, SignInForm
from grids.models import User
from grids.queries import demo_accounts
from grids.services import second_factor, sessions
from grids.services.sign_in import change_own_password, one_attempt_at_a_time


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

    def form_valid(self, form: BaseForm) -> HttpResponse:
        user = form.get_user()
        if not second_factor.has_one(user):
            return super().form_valid(form)
        wait_for_factor(self.request, user, self.get_success_url())
        return redirect("second_factor")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        accounts = demo_accounts() if settings.DEMO else []
        return super().get_context_data(
            demo_accounts=accounts, demo_password=settings.DEMO_PASSWORD, **kwargs
        )


@public
class SignOut(auth.LogoutView):
    """Ends the session (POST only)."""


# In the session between the password and the second factor, for so many seconds.
WAITING, WAITS = "sign_in", 300


def wait_for_factor(request: HttpRequest, user: User, after: str) -> None:
    """Keep in the session who has shown the password; nobody is signed in yet."""
    request.session.cycle_key()
    request.session[WAITING] = {
        "user": user.pk,
        "hash": user.get_session_auth_hash(),
        "until": timezone.now().timestamp() + WAITS,
        "next": after,
    }


def who_waits(request: HttpRequest) -> tuple[User, str] | None:
    """Return who has shown the password and where they want to go; None for nobody, or too late.

    Somebody signed in whose session has not shown the second factor shows it here too.
    """
    if request.user.is_authenticated:
        passed = request.session.get(hindrance.PASSED)
        return None if passed else (request.user, reverse("home"))
    waiting = request.session.get(WAITING) or {}
    if waiting.get("until", 0) < timezone.now().timestamp():
        return None
    user = User.objects.filter(pk=waiting["user"], is_active=True).first()
    if user is None or not constant_time_compare(waiting["hash"], user.get_session_auth_hash()):
        return None
    return user, waiting["next"]


@public
@sensitive_post_parameters("code", "passkey")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def show_second_factor(request: HttpRequest) -> HttpResponse:
    """The second step of signing in: a code of the app, a passkey, or a recovery code.

    Wrong ones count like wrong passwords, one after the other, and lock the account here.
    """
    found = who_waits(request)
    if found is None:
        return redirect("login")
    user, after = found
    error: Any = ""
    if request.method == "POST":
        ratelimit.check("second_factor", str(user.pk))
        ip = ratelimit.client_ip(request)
        credentials = {"username": user.get_username()}
        with one_attempt_at_a_time(username=user.get_username(), ip=ip):
            if not AxesProxyHandler.is_allowed(request, credentials):
                return locked_out(request, None, credentials)
            if _is_right(request, user):
                # Signing in anew keeps the key of whoever is signed in already.
                before = request.session.session_key
                request.session.cycle_key()
                auth_login(request, user, backend=BACKEND)
                sessions.end_key(before)
                request.session[hindrance.PASSED] = True
                request.session.pop(WAITING, None)
                return redirect(after)
            user_login_failed.send(sender=__name__, credentials=credentials, request=request)
        is_key = "passkey" in request.POST
        error = second_factor.PASSKEY_REFUSED if is_key else second_factor.NOT_RIGHT
    kinds = set(user.authenticators.values_list("kind", flat=True))
    context = {"error": error, "kinds": kinds, "waiting": user}
    return render(request, "grids/second_factor.html", context, status=422 if error else 200)


@public
@never_cache
@require_POST
def ask_passkey(request: HttpRequest) -> HttpResponse:
    """Return what the browser needs to use a passkey of whoever waits."""
    found = who_waits(request)
    asked = found and second_factor.ask_passkey(user=found[0], origin=origin(request))
    if not asked:
        return JsonResponse({"error": str(second_factor.PASSKEY_REFUSED)}, status=409)
    options, request.session[PASSKEY_STATE] = asked
    return JsonResponse(options)


BACKEND = "grids.backends.PostingBackend"
PASSKEY_STATE = "passkey"


def origin(request: HttpRequest) -> str:
    """Return scheme and host as the person sees them."""
    return f"{request.scheme}://{request.get_host()}"


def passkey_answer(request: HttpRequest) -> tuple[dict[str, Any], Any] | None:
    """Return the challenge and the browser's answer to it; None without either.

    A challenge is good for one answer.
    """
    state = request.session.pop(PASSKEY_STATE, None)
    try:
        answer = json.loads(request.POST.get("passkey", ""))
    except (ValueError, RecursionError):
        return None
    return (state, answer) if state else None


def _is_right(request: HttpRequest, user: User) -> bool:
    if "passkey" not in request.POST:
        return second_factor.check_code(user=user, code=request.POST.get("code", "")[:100])
    asked = passkey_answer(request)
    return asked is not None and second_factor.check_passkey(
        user=user, origin=origin(request), state=asked[0], answer=asked[1]
    )


@method_decorator(authenticated, name="dispatch")
@open_before("password_change")
class ChangePassword(auth.PasswordChangeView):
    """One's own password; the other sessions of the account end."""

    template_name = "grids/password_change.html"
    form_class = ChangePasswordForm
    success_url = reverse_lazy("home")

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        # Whoever found a session open must not guess the password it was begun with.
        ratelimit.check("password", str(request.user.pk))
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: BaseForm) -> HttpResponse:
        request, user = self.request, form.user
        password = form.cleaned_data["new_password1"]
        change_own_password(user=user, password=password, ip=ratelimit.client_ip(request))
        update_session_auth_hash(request, user)
        sessions.end(users=[user.pk], keep=request.session.session_key)
        sessions.began(request=request, user=user)
        messages.success(self.request, _("Your password has been changed."))
        return redirect(self.get_success_url())


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
    attempts = AccessAttempt.objects.filter(
        username=get_client_username(request, credentials),
        ip_address=ratelimit.client_ip(request) or None,
    )
    last = attempts.order_by("-attempt_time").first()
    until = (last.attempt_time if last else timezone.now()) + get_cool_off(request)
    seconds = max(1, ceil((until - timezone.now()).total_seconds()))
    context = {
        "minutes": ceil(seconds / 60),
        "until": until,
        "failures": settings.AXES_FAILURE_LIMIT,
    }
    page = render(request, "grids/locked_out.html", context, status=429)
    page.headers["Retry-After"] = str(seconds)
    return page
