"""Names in both languages are told in the reader's."""

import pytest
from django.utils.translation import override

from core.language import told


@pytest.mark.parametrize(
    ("language", "english", "name"),
    [
        ("zh-hans", "City management", "城管局"),
        ("en", "City management", "City management"),
        ("en", "", "城管局"),
        (None, "City management", "City management"),
    ],
)
def test_a_name_is_told_in_the_reader_s_language(language, english, name):
    with override(language):
        assert told("城管局", english) == name
