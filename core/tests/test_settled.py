"""Words and addresses settled while a template is compiled: once for each language, never wrong."""

import pytest
from django.template import engines
from django.template.base import TextNode
from django.template.loader import get_template
from django.utils.translation import override

from core.loaders import PerLanguage


def compiled(source):
    return engines["django"].from_string(source).template


@pytest.mark.parametrize(
    "source",
    [
        '{% load i18n %}{% trans "Sign in" %}',
        "{% load static %}{% static 'geshi/app.css' %}",
        "{% url 'login' %}",
    ],
)
def test_what_hangs_on_nothing_but_the_language_is_text_already(source):
    assert isinstance(compiled(source).nodelist[-1], TextNode)


@pytest.mark.parametrize(
    "source",
    [
        "{% load i18n %}{% trans words %}",
        '{% load i18n %}{% trans "Sign in" as words %}',
        '{% load i18n %}{% trans "Sign in"|upper %}',
        "{% load static %}{% static path %}",
        "{% url name %}",
        "{% url 'incident' code %}",
        "{% url 'admin:index' %}",
        "{% url 'login' as there %}",
    ],
)
def test_what_hangs_on_the_page_waits_for_it(source):
    assert not isinstance(compiled(source).nodelist[-1], TextNode)


def test_an_address_nobody_answers_to_is_an_error_only_where_it_is_shown():
    page = engines["django"].from_string("{% if shown %}{% url 'nowhere' %}{% endif %}")
    assert page.render({"shown": False}) == ""


def test_each_reader_gets_the_page_in_their_own_language():
    pages = {}
    for language in ("zh-hans", "en", "zh-hans"):
        with override(language):
            pages.setdefault(language, []).append(get_template("core/404.html").render())
    assert pages["zh-hans"][0] == pages["zh-hans"][1]
    assert pages["zh-hans"][0] != pages["en"][0]


def test_the_loader_is_the_one_that_keeps_languages_apart():
    assert isinstance(engines["django"].engine.template_loaders[0], PerLanguage)


def test_text_is_escaped_as_django_would():
    with override("en"):
        page = engines["django"].from_string('{% load i18n %}{% trans "100% & more" %}{{ x }}')
        assert page.render({"x": "<"}) == "100% & more&lt;"
