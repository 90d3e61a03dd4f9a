"""How texts and queries are cut for search."""

import pytest

from core.text import bigrams, normalise, search_terms


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("路灯坏了", ["路灯", "灯坏", "坏了"]),
        ("路灯路灯", ["路灯", "灯路"]),
        ("3号楼 LED灯", ["3", "号楼", "led"]),
        ("ＡＢＣ１２３", ["abc123"]),
        ("灯", []),
        ("路，灯", []),
        ("", []),
        ("a_b", ["a", "b"]),
    ],
)
def test_words_of_a_text(text, words):
    assert bigrams(text) == words


@pytest.mark.parametrize("query", ["路灯", "灯坏了", "坏了 路灯", "led", "  LED  "])
def test_a_query_finds_the_text_it_is_part_of(query):
    terms = search_terms(query)
    assert terms
    assert set(terms) <= set(bigrams("门口路灯坏了，LED 的"))


def test_one_character_is_nothing_to_search():
    assert search_terms("灯") == []


def test_normalised_text_has_one_form():
    assert normalise("\u3000Ａ\n\tb ") == "a b"
