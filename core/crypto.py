"""Encryption of personal data at rest, and the blind index that finds it again.

What lives here: the functions and the keys they read from settings. What must not: models.
"""

import hashlib
import hmac
import unicodedata
from functools import lru_cache

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def encrypt(value: str) -> str:
    """Return ``value`` as a text token under the newest key."""
    return _box(tuple(settings.FIELD_KEYS)).encrypt(value.encode()).decode()


def decrypt(token: str) -> str:
    """Return the text of ``token``; raises ``cryptography.fernet.InvalidToken`` if no key fits."""
    return _box(tuple(settings.FIELD_KEYS)).decrypt(token.encode()).decode()


def encrypt_bytes(data: bytes) -> bytes:
    """Return ``data`` as a token under the newest key, a third longer; for whole files."""
    return _box(tuple(settings.FIELD_KEYS)).encrypt(data)


def decrypt_bytes(token: bytes) -> bytes:
    """Return the bytes of ``token``; raises ``InvalidToken`` if no key fits."""
    return _box(tuple(settings.FIELD_KEYS)).decrypt(token)


def blind_index(value: str) -> str:
    """Return 64 hex digits that are equal for equal values, for exact look-up; "" for no value.

    The value is NFKC-normalised and stripped first, so full-width digits find themselves.
    """
    plain = unicodedata.normalize("NFKC", value).strip()
    if not plain:
        return ""
    key = settings.BLIND_INDEX_KEY.encode()
    return hmac.new(key, plain.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])
