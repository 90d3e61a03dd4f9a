"""What a resident's browser remembers without an account, in one signed cookie.

It holds the key of photos not yet sent and the tracking codes this browser has shown to know.
What must not live here: anything about a case itself.
"""

import secrets
from dataclasses import dataclass, field

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

COOKIE = "geshi_keepsake"
SALT = "incidents.keepsake"
# As long as a form half filled in is kept on the device.
SECONDS = 7 * 24 * 3600
MOST_CODES = 20


@dataclass
class Keepsake:
    """``draft_key`` proves who uploaded a photo; ``codes`` are tracking codes, newest first."""

    draft_key: str = ""
    codes: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, request: HttpRequest) -> "Keepsake":
        """Return what the browser holds; a forged or old cookie is nothing."""
        try:
            held = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=SECONDS)
            return cls(str(held["draft"]), [str(code) for code in held["codes"]])
        except (signing.BadSignature, KeyError, TypeError):
            return cls()

    def with_draft_key(self) -> "Keepsake":
        """Return the same with a draft key, new if there was none."""
        return Keepsake(self.draft_key or secrets.token_urlsafe(24), self.codes)

    def with_code(self, code: str) -> "Keepsake":
        """Return the same that also knows ``code``."""
        others = [known for known in self.codes if known != code]
        return Keepsake(self.draft_key, [code, *others][:MOST_CODES])

    def write(self, response: HttpResponse) -> HttpResponse:
        """Put it on the answer."""
        value = signing.dumps({"draft": self.draft_key, "codes": self.codes}, salt=SALT)
        response.set_cookie(
            COOKIE,
            value,
            max_age=SECONDS,
            httponly=True,
            samesite="Lax",
            secure=settings.HTTPS,
        )
        return response
