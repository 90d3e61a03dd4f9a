"""What every page knows about whoever reads it: their desks, their post, demonstration or not."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from grids.desks import desks_for
from grids.queries import Scope


def desks(request: HttpRequest) -> dict[str, Any]:
    """Give templates ``desks`` (url, label, icon, active), ``user_line`` and ``demo_mode``.

    Nothing is asked of the database until a template uses one of the first two.
    """
    scope: Scope = getattr(request, "scope", None) or Scope()
    return {
        "demo_mode": settings.DEMO,
        "desks": SimpleLazyObject(lambda: _desks(request.path, scope)),
        "user_line": SimpleLazyObject(lambda: _user_line(scope)),
    }


def _desks(path: str, scope: Scope) -> list[dict[str, Any]]:
    return [
        {
            "url": desk.url,
            "label": desk.label,
            "icon": desk.icon,
            "active": path.startswith(desk.url),
        }
        for desk in desks_for(scope.roles)
    ]


def _user_line(scope: Scope) -> str:
    if not scope.postings:
        return ""
    first, *others = scope.postings
    line = f"{first.get_role_display()} · {first.place}"
    if others:
        line += " " + _("and %(n)s more") % {"n": len(others)}
    return line
