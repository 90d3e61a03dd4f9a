"""Templates compiled once for each language.

What lives here: the loader. What is settled while compiling: core/templatetags/settled.py.
"""

from django.template.base import Origin
from django.template.loaders import cached
from django.utils.translation import get_language


class PerLanguage(cached.Loader):
    """Django's cached loader with a compiled template for each language.

    So a tag may write a text that depends on nothing but the language when it is compiled,
    instead of looking it up on every page.
    """

    def cache_key(self, template_name: str, skip: list[Origin] | None = None) -> str:
        return f"{get_language()} {super().cache_key(template_name, skip)}"
