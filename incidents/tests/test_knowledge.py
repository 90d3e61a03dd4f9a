"""Finding an article by what people ask, in words of two characters."""

from datetime import date

import pytest

from core.kept import forget_remembered
from grids.factories import DepartmentFactory, small_county
from incidents.factories import category
from incidents.models import Article, TriageModel
from incidents.queries import knowledge
from incidents.queries.knowledge import search
from incidents.services.knowledge import activate_model, save_article

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def articles():
    small_county()
    asked = category(DepartmentFactory(), is_question=True)
    texts = [
        ("A1", "住院费用怎么报销", "带身份证到窗口办理，出院时直接结算。", ["报销", "住院"]),
        ("A2", "居民医保怎么缴费", "每年集中缴费期内缴费，可以请村里代办。", ["医保", "缴费"]),
        ("A3", "结婚登记要带什么", "双方带身份证和户口簿到窗口办理。", ["结婚"]),
    ]
    for code, title, body, keywords in texts:
        article = Article(
            code=code,
            title=title,
            body=body,
            keywords=keywords,
            source="县政务服务窗口",
            published_on=date(2026, 1, 5),
            category=asked,
        )
        save_article(article=article, actor=None)
    return asked


def codes(text, **more):
    return [found.article.code for found in search(text, **more)]


@pytest.mark.parametrize(
    ("question", "code"),
    [("报销", "A1"), ("结婚", "A3"), ("缴费", "A2"), ("请问住院的钱怎么报销啊", "A1")],
)
def test_two_characters_are_enough_to_find_an_article(question, code):
    assert codes(question)[0] == code


def test_the_best_article_scores_higher_than_a_passing_mention():
    first, second = search("结婚要带身份证吗")[:2]
    assert first.article.code == "A3"
    assert first.score > second.score


def test_words_no_article_holds_find_nothing():
    assert codes("路灯") == []
    assert codes("。") == []


def test_an_article_switched_off_is_not_found():
    Article.objects.filter(code="A3").update(active=False)
    assert "A3" not in codes("结婚登记")


def test_an_article_of_another_category_scores_lower(articles):
    other = category(articles.owner)
    same, foreign = search("结婚", category=articles)[0], search("结婚", category=other)[0]
    assert foreign.score < same.score


def test_a_changed_article_is_found_by_its_new_words():
    article = Article.objects.get(code="A3")
    article.title = "离婚登记要带什么"
    save_article(article=article, actor=None)
    assert codes("离婚") == ["A3"]


def test_only_one_model_is_in_force():
    rows = [
        TriageModel.objects.create(
            version=n, blob=b"", threshold=1, precision_asked=1, trained_at="2026-01-01T00:00Z"
        )
        for n in (1, 2)
    ]
    for row in (*rows, rows[0]):
        activate_model(model=row, actor=None)
        assert TriageModel.objects.get(active=True) == row


@pytest.fixture
def many(monkeypatch):
    """A knowledge base of 40 more articles, too many for every word to be looked for."""
    for n in range(40):
        article = Article(
            code=f"B{n:02}",
            title=f"办事指南第{n}篇",
            body=f"带身份证到窗口办理，第{n}项。{'提前预约。' if n % 4 else ''}",
            keywords=["提前预约"] if n == 5 else [],
            source="县政务服务窗口",
            published_on=date(2026, 1, 5),
        )
        save_article(article=article, actor=None)
    monkeypatch.setattr(knowledge, "FEW", 10)
    monkeypatch.setattr(knowledge, "MOST_FOUND", 8)
    forget_remembered()
    yield
    forget_remembered()


def test_among_many_the_rare_words_of_a_question_find_the_article_that_fits(many):
    asked = "带身份证到窗口办理结婚登记要提前预约吗"
    assert codes(asked)[0] == "A3"
    assert codes("住院费用怎么报销")[0] == "A1"


def test_among_many_an_article_scores_as_if_all_words_had_been_looked_for(many, monkeypatch):
    asked = "到窗口办理结婚登记要带什么"
    some = search(asked, limit=1)[0]
    for name in ("FEW", "MOST_FOUND"):
        monkeypatch.setattr(knowledge, name, 1000)
    whole = search(asked, limit=1)[0]
    assert (some.article, round(some.score, 2)) == (whole.article, round(whole.score, 2))


def test_among_many_a_keyword_of_the_question_brings_an_article_to_the_front(many, monkeypatch):
    monkeypatch.setattr(knowledge, "COMPARED", 1)
    assert codes("要提前预约吗") == ["B05"]


def test_among_many_a_word_most_articles_hold_still_finds_some(many):
    assert len(codes("办理")) == 3
    assert codes("路灯") == []


def test_how_common_words_are_is_asked_once_for_many_questions(many, django_assert_num_queries):
    codes("结婚")
    with django_assert_num_queries(4):
        codes("住院费用怎么报销")
