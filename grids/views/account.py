"""One's own account: second factors, sessions; and, for the security administrator, others'.

What must not live here: what may be done to whom (services/accounts.py), and the reading of who
looked at one's data (views/looks.py).
"""

from typing import Any

import segno
from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from core.crypto import decrypt, encrypt
from core.errors import Conflict, Invalid
from core.htmx import render
from core.paging import keyset_page
from core.ratelimit import client_ip
from core.web import page_urls
from grids import hindrance
from grids.access import authenticated, open_before, roles
from grids.models import Authenticator, Posting, Role, User
from grids.services import accounts, second_factor, sessions
from grids.services.people import give_first_password
from grids.views.login import PASSKEY_STATE, origin, passkey_answer

# In the session while an app is being set up; encrypted, because sessions lie in the cache.
NEW_APP = "new_app"
PEOPLE_ORDER = ("display_name", "id")


@open_before("account")
@authenticated
@never_cache
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Show one's second factors and where one is signed in (5 queries beside the frame's)."""
    return _page(request)


def _page(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    user = request.user
    factors = list(user.authenticators.order_by("pk"))
    has_app = any(factor.kind == Authenticator.Kind.TOTP for factor in factors)
    context = {
        "factors": factors,
        "codes_left": user.recovery_codes.filter(used_at__isnull=True).count() if factors else 0,
        "may_add_app": not has_app,
        "needed": second_factor.needed(request.scope) and not request.session.get(hindrance.PASSED),
        "sessions": [_session(row, request) for row in user.sessions.order_by("-seen_at")],
    } | more
    return render(request, "grids/account.html", context, status=status)


def _session(row: Any, request: HttpRequest) -> dict[str, Any]:
    return {
        "row": row,
        "device": device_words(row.device),
        "here": row.session_key == request.session.session_key,
        # The key itself signs in; what stands in a page names the row and nothing else.
        "name": sessions.public_name(row.session_key),
    }


_SYSTEMS = (
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)
_BROWSERS = (
    ("MicroMessenger", "WeChat"),
    ("Edg/", "Edge"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)


def device_words(agent: str) -> str:
    """Return a browser's own long line as people say it.

    >>> device_words("Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit Chrome/140.0 Safari/537.36")
    'Chrome · Windows'
    """
    found = [
        next((name for mark, name in table if mark in agent), "") for table in (_BROWSERS, _SYSTEMS)
    ]
    return " · ".join(filter(None, found)) or agent[:40]


@open_before("account")
@authenticated
@never_cache
@sensitive_post_parameters("code")
def app(request: HttpRequest) -> HttpResponse:
    """Set up an authenticator app: show its QR code, then take the first code it counts."""
    user, error = request.user, ""
    kept = request.session.get(NEW_APP)
    secret = decrypt(kept) if kept else second_factor.new_secret()
    if request.method == "POST" and kept:
        try:
            codes = second_factor.add_app(
                user=user,
                secret=secret,
                code=request.POST.get("code", "")[:20],
                name="",
                ip=client_ip(request),
            )
        except Invalid as refused:
            error = refused.errors["code"][0]
        else:
            del request.session[NEW_APP]
            return _added(request, codes)
    request.session[NEW_APP] = encrypt(secret)
    address = second_factor.app_address(user, secret)
    context = {
        "qr": segno.make(address, error="m").svg_data_uri(scale=5, border=2),
        "secret": " ".join(secret[i : i + 4] for i in range(0, len(secret), 4)),
        "error": error,
    }
    return render(request, "grids/app.html", context, status=422 if error else 200)


@open_before("account")
@authenticated
@never_cache
@require_POST
def passkey_begin(request: HttpRequest) -> HttpResponse:
    """Return what the browser needs to make a passkey."""
    try:
        options, state = second_factor.begin_passkey(user=request.user, origin=origin(request))
    except Invalid as error:
        return JsonResponse({"error": str(error)}, status=409)
    request.session[PASSKEY_STATE] = state
    return JsonResponse(options)


@open_before("account")
@authenticated
@never_cache
@sensitive_post_parameters("passkey")
@require_POST
def passkey_add(request: HttpRequest) -> HttpResponse:
    """Keep the passkey that the browser made."""
    asked = passkey_answer(request)
    try:
        if asked is None:
            raise Invalid(second_factor.PASSKEY_REFUSED)
        codes = second_factor.add_passkey(
            user=request.user,
            origin=origin(request),
            state=asked[0],
            answer=asked[1],
            name=request.POST.get("name", ""),
            ip=client_ip(request),
        )
    except Invalid as error:
        return _page(request, status=422, error=error.message)
    return _added(request, codes)


def _added(request: HttpRequest, codes: list[str]) -> HttpResponse:
    request.session[hindrance.PASSED] = True
    messages.success(request, _("Your second factor is set up."))
    return _page(request, codes=codes) if codes else redirect("account")


@open_before("account")
@authenticated
@never_cache
@require_POST
def factor_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Take away one of one's own second factors."""
    if not second_factor.remove(user=request.user, authenticator_id=pk, ip=client_ip(request)):
        raise Http404
    if not second_factor.has_one(request.user):
        request.session.pop(hindrance.PASSED, None)
    messages.success(request, _("The second factor was removed."))
    return redirect("account")


@authenticated
@never_cache
@require_POST
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """Make new recovery codes and show them this once."""
    if not second_factor.has_one(request.user):
        raise Conflict(_("Set up a second factor first."))
    codes = second_factor.new_recovery_codes(user=request.user, ip=client_ip(request))
    return _page(request, codes=codes)


@open_before("account")
@authenticated
@require_POST
def session_end(request: HttpRequest) -> HttpResponse:
    """End one of one's own sessions, or all others."""
    here, name = request.session.session_key or "", request.POST.get("session", "")
    if name:
        ended = sessions.end_named(name=name, user=request.user)
    else:
        ended = sessions.end(users=[request.user.pk], keep=here)  # type: ignore[list-item]
    messages.success(request, _("Signed out in %(n)s places.") % {"n": ended})
    return redirect("account")


# ---------- others' accounts


@roles(Role.SECURITY_ADMIN)
@require_safe
def accounts_list(request: HttpRequest) -> HttpResponse:
    """Find an account by name or user name (2 queries beside the frame's)."""
    wanted = request.GET.get("q", "").replace("\x00", "").strip()
    found = User.objects.all()
    if wanted:
        found = found.filter(Q(username=wanted) | Q(display_name__startswith=wanted))
    page = keyset_page(found, order=PEOPLE_ORDER, cursor=request.GET.get("cursor"))
    context = {"page": page, "q": wanted, **page_urls(request, page)}
    return render(request, "grids/accounts.html", context)


@roles(Role.SECURITY_ADMIN)
@never_cache
@require_safe
def account_of(request: HttpRequest, pk: int) -> HttpResponse:
    """Show somebody's account and what may be done to it."""
    return _of(request, get_object_or_404(User, pk=pk))


def _of(request: HttpRequest, person: User, **more: Any) -> HttpResponse:
    context = {
        "person": person,
        "postings": Posting.objects.current().filter(user=person).select_related("area"),
        "factors": person.authenticators.count(),
        "barred": accounts.is_barred(person),
        "sessions": [_session(row, request) for row in person.sessions.order_by("-seen_at")],
        "may": accounts.may(request.user, request.scope, person),
    } | more
    return render(request, "grids/account_of.html", context)


@roles(Role.SECURITY_ADMIN)
@never_cache
@require_POST
def account_do(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Lock, unlock, reset or sign out somebody; a new first password is shown this once."""
    person = get_object_or_404(User, pk=pk)
    by = {"actor": request.user, "scope": request.scope, "ip": client_ip(request)}
    if act == "password":
        password = give_first_password(person_id=pk, actor=request.user)
        return _of(request, get_object_or_404(User, pk=pk), password=password)
    if act in {"lock", "unlock"}:
        accounts.set_lock(person=person, locked=act == "lock", **by)
    elif act == "factor":
        accounts.reset_factor(person=person, **by)
    elif act == "sessions":
        accounts.end_sessions(person=person, **by)
    else:
        raise Http404
    messages.success(request, _("Done."))
    return redirect(reverse("account_of", args=[pk]))
