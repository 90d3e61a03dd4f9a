"""An answer comes only from articles in force, and "not solved" brings a person all of it."""

from datetime import date, timedelta
from threading import Barrier, Thread

import pytest
from django.db import close_old_connections, connection
from django.utils import timezone

from core.errors import Conflict
from incidents.factories import World, category
from incidents.models import Article, Event, Incident, State
from incidents.queries.knowledge import search
from incidents.services import answering
from incidents.services.knowledge import save_article
from incidents.services.triage import triage_new

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return World()


def question(world):
    return category(world.city, name="医保咨询", is_question=True, tier="ai")


def article(item, code="K1", **more):
    values = {
        "title": "住院费用怎么报销",
        "body": "出院时在医院直接结算。",
        "keywords": ["报销", "住院"],
        "source": "县医保服务窗口",
        "published_on": date(2026, 3, 1),
    }
    return save_article(article=Article(code=code, category=item, **(values | more)), actor=None)


def answered(world):
    item = question(world)
    article(item)
    incident = world.report("住院费用怎么报销", category=item)
    triage_new()
    return Incident.objects.get(pk=incident.pk)


@pytest.mark.parametrize(
    ("change", "found"),  # days are counted from the one the test runs on
    [
        ({}, True),
        ({"active": False}, False),
        ({"published_on": 1}, False),
        ({"published_on": 0}, True),
        ({"valid_until": -1}, False),
        ({"valid_until": 0}, True),
    ],
)
def test_only_what_is_published_and_holds_today_answers(world, change, found):
    today = timezone.localdate()
    dates = ("published_on", "valid_until")
    item = question(world)
    article(item, **{k: today + timedelta(days=v) if k in dates else v for k, v in change.items()})
    incident = world.report("住院费用怎么报销", category=item)
    triage_new()
    assert bool(search("报销")) == found
    assert (Incident.objects.get(pk=incident.pk).state == State.ANSWERED) == found


def test_an_article_that_has_lapsed_meanwhile_is_not_answered_with(world):
    item = question(world)
    old = article(item, valid_until=timezone.localdate() - timedelta(days=1))
    incident = world.report("住院费用怎么报销", category=item)
    with pytest.raises(Conflict):
        answering.answer(incident_id=incident.pk, actor=answering.SYSTEM, article=old)


def test_the_person_reads_question_answer_source_fit_and_what_was_missing(client, world):
    incident = answered(world)
    page = client.get(f"/track/?code={incident.tracking_code}").content.decode()
    assert 'name="note"' in page
    client.post(
        "/track/",
        {
            "code": incident.tracking_code,
            "answer": "not_solved",
            "note": "问的是异地住院，电话19900001234",
        },
    )
    client.force_login(world.command)
    page = client.get(f"/incidents/{incident.tracking_code}/").content.decode()
    exchange = page[page.index("c-exchange") :].split("</section>")[0]
    for words in (
        "住院费用怎么报销",
        "出院时在医院直接结算。",
        "县医保服务窗口",
        "2026-03-01",
        "%",
    ):
        assert words in exchange
    assert "问的是异地住院" in exchange
    assert "19900001234" not in page


def test_before_that_there_is_no_exchange_to_read(client, world):
    incident = answered(world)
    client.force_login(world.command)
    page = client.get(f"/incidents/{incident.tracking_code}/").content.decode()
    assert "c-exchange" not in page


@pytest.mark.django_db(transaction=True)
def test_pressed_twice_at_once_it_counts_once_and_the_other_press_is_told():
    incident = answered(World())
    start, found = Barrier(2), []

    def press():
        start.wait(10)
        try:
            answering.not_solved(tracking_code=incident.tracking_code, note="没说清楚")
            found.append("")
        except Conflict as told:
            found.append(str(told))
        close_old_connections()
        connection.close()

    threads = [Thread(target=press) for _n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(map(bool, found)) == [False, True]
    assert Event.objects.filter(incident=incident, action="not_solved").count() == 1


def test_two_characters_are_found_by_the_index_among_many_articles(world):
    """20,000 articles: the plan goes through the bigrams, and reads none of the others."""
    words = [f"词{chr(0x4E00 + n)}" for n in range(200)]
    many = (
        Article(
            code=f"M{n}",
            title="办事指南",
            body="略",
            source="县政务服务窗口",
            published_on=date(2026, 1, 5),
            bigrams=[words[n % 200], words[(7 * n) % 200], "指南"],
        )
        for n in range(20_000)
    )
    Article.objects.bulk_create(many, batch_size=2_000)
    article(question(world))
    with connection.cursor() as cursor:
        # Autovacuum does both in a county; what waits beside the index makes it look dear.
        cursor.execute("SELECT gin_clean_pending_list('article_bigrams')")
        cursor.execute("ANALYZE incidents_article")
    rows = Article.in_force(timezone.localdate()).filter(bigrams__overlap=["报销", "住院"])
    plan = rows.explain()
    assert "article_bigrams" in plan
    assert "Seq Scan" not in plan
    assert [found.article.code for found in search("报销")] == ["K1"]
