"""Model fields of the house."""

from typing import Any

from django.db import models

from core.crypto import decrypt, encrypt


class EncryptedTextField(models.TextField):
    """Text that is encrypted in the database and plain in Python.

    It cannot be filtered or ordered by; keep a ``blind_index`` beside it for exact look-up.
    Empty text stays empty, so that "not given" needs no key.
    """

    def from_db_value(self, value: str | None, *args: Any) -> str | None:
        return decrypt(value) if value else value

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        prepared = super().get_db_prep_save(value, connection)
        return encrypt(prepared) if isinstance(prepared, str) and prepared else prepared

    def get_lookup(self, lookup_name: str) -> Any:
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None
