"""Refusals on a form; they are told the same way on every floor."""

from core.form_errors import put_errors

__all__ = ["put_errors"]
