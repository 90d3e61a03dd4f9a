"""A new triage model takes over only when it does better on texts neither model has learnt from."""

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from core.errors import Conflict
from core.models import AuditEntry
from grids.factories import person
from grids.models import Role
from incidents.factories import World, actor, as_, category
from incidents.models import Incident, Suggestion, TriageExample, TriageModel
from incidents.services import dispatching, training, triage, verification
from incidents.services.knowledge import activate_model
from incidents.tests.labelled import ENDINGS, labelled

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    world = World()
    for code in ("lamp", "wages", "rubbish"):
        category(world.city, code=code, name=code, name_en=code)
    return world


def learn_from(*endings, source="own"):
    """Keep labelled texts as examples."""
    texts, labels = labelled(list(endings))
    rows = list(zip(texts, labels, strict=True))
    training.add_examples(rows=rows, source=source, actor=None)
    return texts


@pytest.fixture
def first(world):
    """The first version, put in force for want of another."""
    learn_from(ENDINGS[0], source="first")
    return training.train()


def keys_of(model):
    return np.frombuffer(bytes(TriageModel.objects.get(pk=model.pk).learnt), dtype=np.uint64)


# What teaches.


def closed(world, **more) -> Incident:
    incident = world.called_back(**more)
    return verification.record_callback(
        incident_id=incident.pk, actor=actor(world.command), score="satisfied", solved=True
    )


def test_a_closed_case_whose_category_a_person_chose_teaches(world):
    incident = closed(world)
    texts, labels = training.training_set()
    assert dict(zip(texts, labels, strict=True)) == {incident.text: world.rubbish.code}


def test_a_case_on_its_way_teaches_nothing_yet(world):
    world.called_back()
    assert training.training_set() == ([], [])


def test_what_the_machine_decided_alone_teaches_nothing(world, first):
    before = len(training.training_set()[0])
    world.rubbish.ai_allowed = True
    world.rubbish.save()
    incident = world.report("桥洞底下一大堆垃圾", category=world.rubbish)
    triage.triage_new()
    incident.refresh_from_db()
    assert incident.triaged_at
    assert incident.text not in training.taught_cases().values_list("text", flat=True)
    assert len(training.training_set()[0]) == before


def test_a_category_a_person_changed_teaches_the_new_one(world, first):
    incident = world.report("北头路灯不亮")
    triage.triage_new()
    dispatching.triage(
        incident_id=incident.pk, actor=actor(world.command), category=world.rubbish, send=False
    )
    assert Suggestion.objects.get(incident=incident).outcome == "overruled"
    Incident.objects.filter(pk=incident.pk).update(state="closed", ended_at=incident.reported_at)
    texts, labels = training.training_set()
    assert dict(zip(texts, labels, strict=True))["北头路灯不亮"] == world.rubbish.code


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("我叫张小明，电话19900001234，车牌豫A12345", "我叫某，电话*，车牌某"),
        ("联系人：李四 ，微信 wx_19900001234", "联系人：某 ，微信 *"),
        ("邮箱 someone@example.com，卡号6222020000000000000", "邮箱 *，卡号*"),
        ("身份证419901199001010000", "身份证*"),
        ("3号楼2单元301，2026年5月", "3号楼2单元301，2026年5月"),
        ("本人是低保户，本人家在村东", "本人是低保户，本人家在村东"),
    ],
)
def test_personal_data_is_masked_before_a_text_is_kept(world, text, kept):
    assert training.kept_text(text) == kept
    training.add_examples(rows=[(text, "lamp")], source="own", actor=None)
    assert TriageExample.objects.get(source="own").text == kept


# Comparing.


def test_the_first_version_is_put_in_force(first):
    assert (first.version, first.active, first.comparison) == (1, True, {})
    assert first.report["examples"] == 120
    assert TriageModel.objects.get(active=True).activated_at


def test_the_better_one_takes_over_and_both_figures_are_kept(world, first):
    new = learn_from(*ENDINGS[1:])
    second = training.train()
    found = second.comparison
    assert (second.version, second.active) == (2, True)
    assert found["against"] == 1
    assert found["texts"] == len(new) // 2
    assert found["better"] is True
    assert found["candidate"]["macro_f1"] >= found["present"]["macro_f1"]
    assert TriageModel.objects.get(active=True).pk == second.pk


def test_neither_has_learnt_from_what_they_are_compared_on(world, first):
    new = learn_from(*ENDINGS[1:])
    second = training.train()
    keys = training._keys([training.kept_text(text) for text in new])
    unseen = ~np.isin(keys, keys_of(first)) & ~np.isin(keys, keys_of(second))
    assert unseen.sum() == second.comparison["texts"]


def test_a_worse_one_is_kept_on_record_and_not_put_in_force(world, first, monkeypatch):
    learn_from(*ENDINGS[1:])
    turned = {"lamp": "wages", "wages": "rubbish", "rubbish": "lamp"}
    real = training.classifier.learn

    def badly(texts, labels, **more):
        return real(texts, [turned[label] for label in labels], **more)

    monkeypatch.setattr(training.classifier, "learn", badly)
    second = training.train()
    assert (second.version, second.active) == (2, False)
    assert second.comparison["better"] is False
    assert second.comparison["candidate"]["macro_f1"] < second.comparison["present"]["macro_f1"]
    assert TriageModel.objects.get(active=True).pk == first.pk
    assert AuditEntry.objects.filter(action="triage_model.train").count() == 2


def test_with_nothing_new_to_compare_on_the_old_one_stays(first):
    second = training.train()
    assert (second.active, second.comparison["texts"]) == (False, 0)
    forced = training.train(activate=True)
    assert forced.active


def test_whoever_put_another_version_in_force_meanwhile_is_not_overruled(world, first, monkeypatch):
    other = training.train()
    learn_from(*ENDINGS[1:])
    real = training.classifier.learn

    def meanwhile(*args, **kwargs):
        activate_model(model=other, actor=None)
        return real(*args, **kwargs)

    monkeypatch.setattr(training.classifier, "learn", meanwhile)
    third = training.train()
    assert third.comparison["better"]
    assert not third.active
    assert TriageModel.objects.get(active=True).pk == other.pk


def test_a_model_that_cannot_be_read_any_more_is_replaced(world, first):
    TriageModel.objects.filter(pk=first.pk).update(blob=b"of an older house")
    assert training.train().active


# On a schedule.


def test_without_news_nothing_is_trained(world, first):
    assert training.retrain() is None
    assert TriageModel.objects.count() == 1


def test_without_a_first_model_the_schedule_leaves_training_to_people(world):
    assert training.retrain() is None


def test_enough_decided_cases_train_a_version_on_the_schedule(world, first, monkeypatch):
    monkeypatch.setattr(training, "ENOUGH_NEW_CASES", 1)
    closed(world)
    second = training.retrain()
    assert second.version == 2
    # The same cases are no news to the next one.
    assert training.retrain() is None


# The way back.


def test_going_back_is_one_act_on_record_and_the_next_report_is_judged_by_it(world, first):
    training.train(activate=True)
    activate_model(model=first, actor=world.command)
    assert TriageModel.objects.get(active=True).activated_by == world.command
    entry = AuditEntry.objects.filter(action="triage_model.activate").latest("pk")
    assert (entry.actor, entry.data) == (world.command, {"version": 1})
    incident = world.report("北头路灯不亮")
    triage.triage_new()
    assert Suggestion.objects.get(incident=incident).model_version == 1


def test_what_is_in_force_cannot_be_put_in_force_again(first):
    with pytest.raises(Conflict):
        activate_model(model=first, actor=None)


def test_the_command_goes_back(world, first, capsys):
    training.train(activate=True)
    call_command("train_triage", back_to=1)
    assert TriageModel.objects.get(active=True).version == 1
    with pytest.raises(CommandError):
        call_command("train_triage", back_to=9)


# The page.


def test_the_page_shows_every_version_and_goes_back(world, first):
    training.train(activate=True)
    client = as_(world.command)
    page = client.get("/triage/models/").content.decode()
    assert "v1" in page
    assert "v2" in page
    assert client.post("/triage/models/1/activate/").status_code == 302
    assert TriageModel.objects.get(active=True).version == 1
    said = client.post("/triage/models/1/activate/", follow=True).content.decode()
    assert "这一版已经在用" in said


def test_one_version_is_shown_with_its_categories_and_its_reliability(world, first):
    page = as_(person(Role.SYSTEM_ADMIN, world.county)).get("/triage/models/1/").content.decode()
    assert "lamp" in page
    assert "实际正确" in page
    assert as_(world.command).get("/triage/models/7/").status_code == 404


def test_an_empty_page_says_what_to_do(world):
    assert "train_triage" in as_(world.command).get("/triage/models/").content.decode()


def test_the_list_costs_the_same_however_many_versions_there_are(
    world, first, django_assert_max_num_queries
):
    client = as_(world.command)
    client.get("/triage/models/")
    with django_assert_max_num_queries(9):
        client.get("/triage/models/")


@pytest.mark.parametrize("role", [Role.TOWN_ADMIN, Role.SECURITY_ADMIN, Role.DEPARTMENT_HANDLER])
def test_others_neither_see_nor_change_the_model(world, first, role):
    place = {Role.TOWN_ADMIN: world.town, Role.DEPARTMENT_HANDLER: world.city}.get(
        role, world.county
    )
    client = as_(person(role, place))
    assert client.get("/triage/models/").status_code == 403
    assert client.post("/triage/models/1/activate/").status_code in {403, 404}
