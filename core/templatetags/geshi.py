"""Tags every floor's templates may load: {% load geshi %}."""

from collections.abc import Iterable
from functools import lru_cache
from html import escape
from typing import Any

from django import template
from django.template.loader import get_template
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


@register.simple_tag(takes_context=True)
def rows(
    context: template.Context, name: str, listed: Iterable[Any], **words: object
) -> SafeString:
    """Return templates/rows/``name`` drawn for each of ``listed``; ``words`` are its labels.

    These small templates are Jinja2's: fifty rows cost it a fifth of the time.
    """
    found = get_template(name, using="rows")
    drawn = found.render({"rows": listed, **words}, context.get("request"))
    return mark_safe(drawn)  # noqa: S308  Jinja2 has escaped what it was given


@register.simple_tag
def options(choices: Iterable[tuple[object, str]], chosen: object = "") -> SafeString:
    """Return the <option>s of (value, word) pairs, the one equal to ``chosen`` selected.

    One tag and no loop in the template: a page of filters has hundreds of them.
    """
    return mark_safe(  # noqa: S308  every part is escaped
        "".join([option(str(value), str(word), value == chosen) for value, word in choices])
    )


@lru_cache(4096)
def option(value: str, word: str, selected: bool) -> str:
    """Return one <option>."""
    mark = " selected" if selected else ""
    return f'<option value="{escape(value)}"{mark}>{escape(word)}</option>'
