"""How far the AI may go with an item is set by its keepers, dated, and honoured by the triage."""

from datetime import date, timedelta
from threading import Barrier, Thread

import pytest
from django.db import DatabaseError, close_old_connections, connection, transaction
from django.utils import timezone

from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry
from grids.factories import person
from grids.models import Role
from incidents.factories import World, category
from incidents.models import (
    AiSwitch,
    Article,
    Event,
    Incident,
    State,
    Suggestion,
    TriageExample,
    TriageModel,
)
from incidents.queries.ai_switches import modes_on
from incidents.services import training
from incidents.services.ai_switches import set_switch
from incidents.services.knowledge import save_article
from incidents.services.triage import triage_new

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return World()


def switch(world, item, mode, **more):
    seen = AiSwitch.objects.filter(category=item).count()
    values = {"reason": "试行", "actor": world.command, "seen": seen}
    return set_switch(category=item, mode=mode, **(values | more))


def question(world, **more):
    item = category(world.city, name="医保咨询", is_question=True, tier="ai", **more)
    article = Article(
        code="K1",
        title="住院费用怎么报销",
        body="出院时在医院直接结算。",
        keywords=["报销", "住院"],
        source="县医保服务窗口",
        published_on=date(2026, 3, 1),
        category=item,
    )
    save_article(article=article, actor=None)
    return item


def path(incident):
    triage_new()
    return Event.objects.get(incident=incident, action="suggest").data["path"]


def asked(world, item):
    return world.report("住院费用怎么报销", category=item)


@pytest.mark.parametrize(
    ("mode", "expected", "state"),
    [
        (None, "answer", State.ANSWERED),
        ("alone", "answer", State.ANSWERED),
        ("suggest", "only_suggests", State.REPORTED),
        ("off", "off", State.REPORTED),
    ],
)
def test_a_question_is_answered_alone_only_where_that_is_allowed(world, mode, expected, state):
    item = question(world)
    if mode:
        switch(world, item, mode)
    incident = asked(world, item)
    assert path(incident) == expected
    assert Incident.objects.get(pk=incident.pk).state == state


def test_where_it_only_suggests_a_person_sees_the_article(world):
    item = question(world)
    switch(world, item, "suggest")
    incident = asked(world, item)
    triage_new()
    shown = Suggestion.objects.get(incident=incident)
    assert (shown.article.code, shown.outcome) == ("K1", "suggested")
    assert shown.fit > 0.55


@pytest.mark.parametrize(
    ("shipped", "mode", "expected"),
    [
        (True, None, "dispatch"),
        (False, None, "not_allowed"),
        (False, "alone", "dispatch"),
        (True, "suggest", "not_allowed"),
        (True, "off", "off"),
    ],
)
def test_the_switch_goes_before_what_was_shipped(world, shipped, mode, expected):
    item = category(world.city, ai_allowed=shipped)
    if mode:
        switch(world, item, mode)
    assert path(world.report("说不清楚", category=item)) == expected


def test_of_an_item_switched_off_nothing_is_said_even_when_the_model_reads_it(world):
    for item, texts in (
        (
            world.rubbish,
            ["垃圾没人清", "路边一堆垃圾", "垃圾桶满了", "满地垃圾袋", "垃圾发臭", "垃圾堆成山"],
        ),
        (
            world.road,
            ["路面坑洼", "道路塌陷", "马路有个大坑", "路面破损", "水泥路裂了", "路上坑太深"],
        ),
    ):
        TriageExample.objects.bulk_create(TriageExample(text=t, category=item) for t in texts)
    training.train()
    TriageModel.objects.update(threshold=0.5)
    switch(world, world.rubbish, "off")
    incident = world.report("村口一堆垃圾没人清")
    assert path(incident) == "off"
    row = Event.objects.get(incident=incident, action="suggest").data
    assert row["category"] is None
    assert "suggested" not in row
    assert not Suggestion.objects.filter(incident=incident).exists()


def test_alone_does_not_open_a_road_of_its_own(world):
    item = category(world.city, road="statutory", ai_allowed=True)
    switch(world, item, "alone")
    assert path(world.report("说不清楚", category=item)) == "road"


def test_it_holds_from_its_day_and_the_newest_version_holds(world):
    today = timezone.localdate()
    switch(world, world.rubbish, "off", valid_from=today + timedelta(days=3))
    assert modes_on(today) == {}
    assert modes_on(today + timedelta(days=3)) == {world.rubbish.pk: "off"}
    switch(world, world.rubbish, "suggest")
    assert modes_on(today) == {world.rubbish.pk: "suggest"}
    assert modes_on(today + timedelta(days=3)) == {world.rubbish.pk: "suggest"}


def test_who_set_it_and_why_is_on_record_and_stays(world):
    made = switch(world, world.rubbish, "off", reason="误派太多")
    assert (made.made_by, made.reason, made.version) == (world.command, "误派太多", 1)
    entry = AuditEntry.objects.get(action="ai_switch.set")
    assert entry.data == {"version": 1, "mode": "off", "from": f"{timezone.localdate()}"}
    for statement in (
        "UPDATE incidents_aiswitch SET mode = 'alone'",
        "DELETE FROM incidents_aiswitch",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_only_the_keepers_of_the_rules_set_it(world):
    for outsider in (world.town_admin, world.leader, world.worker):
        with pytest.raises(NotAllowed):
            switch(world, world.rubbish, "off", actor=outsider)
    switch(world, world.rubbish, "off", actor=person(Role.SYSTEM_ADMIN, world.county))


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "always"},
        {"reason": "  "},
        {"valid_from": date(2020, 1, 1)},
    ],
)
def test_what_makes_no_sense_is_refused(world, wrong):
    values = {"mode": "off"} | wrong
    with pytest.raises(Invalid):
        switch(world, world.rubbish, **values)


@pytest.mark.django_db(transaction=True)
def test_of_two_keepers_at_once_the_second_reads_what_the_first_set():
    world = World()
    start, found = Barrier(2), []

    def press(mode):
        start.wait(10)
        try:
            found.append(switch(world, world.rubbish, mode, seen=0).mode)
        except Conflict as told:
            found.append(str(told))
        close_old_connections()
        connection.close()

    threads = [Thread(target=press, args=(mode,)) for mode in ("off", "suggest")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    row = AiSwitch.objects.get()
    assert sorted(found, key=len)[0] == row.mode
    assert row.get_mode_display() in max(found, key=len)


# The page.


def test_the_page_sets_a_version_and_shows_it(client, world):
    client.force_login(world.command)
    form = {"mode": "off", "valid_from": f"{timezone.localdate()}", "reason": "误派太多", "seen": 0}
    address = f"/ai/items/{world.rubbish.code}/"
    assert client.post(address, form).status_code == 302
    assert "误派太多" in client.get(address).content.decode()


def test_what_was_typed_stays_when_somebody_was_quicker(client, world):
    switch(world, world.rubbish, "off")
    client.force_login(world.command)
    form = {"mode": "alone", "valid_from": f"{timezone.localdate()}", "reason": "恢复", "seen": 0}
    answer = client.post(f"/ai/items/{world.rubbish.code}/", form)
    assert answer.status_code == 409
    text = answer.content.decode()
    assert 'value="恢复"' in text
    assert 'name="seen" value="1"' in text
    assert AiSwitch.objects.count() == 1
