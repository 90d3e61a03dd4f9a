"""What every staff page knows of the reader's notices."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from incidents.queries import unread_count


def notices(request: HttpRequest) -> dict[str, Any]:
    """Give templates ``notices_url`` and ``notices_unread``; counted only when a page shows it."""
    scope = getattr(request, "scope", None)
    user = request.user
    if scope is None or not user.is_authenticated:
        return {}
    return {
        "notices_url": reverse("notices"),
        "notices_unread": SimpleLazyObject(lambda: unread_count(user, scope)),
    }
