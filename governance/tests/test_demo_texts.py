"""The demo county's texts and names: same seed, same words; every category has its own."""

import json
import re
from pathlib import Path
from random import Random

import pytest

from governance.demo import names, texts
from incidents import classifier
from mediation.models import choices

ROOT = Path(__file__).parents[2]
CATALOGUE = json.loads((ROOT / "incidents/data/catalogue.json").read_text(encoding="utf-8"))
CODES = [row["code"] for row in CATALOGUE["categories"]]
TWO = {"HW-01", "RS-01"}
PHONE = re.compile(r"1\d{10}")


def test_every_category_has_at_least_four_matters_and_an_action():
    assert set(texts.CORES) == set(CODES) == set(texts.PHRASES["actions"])
    assert min(len(cores) for cores in texts.CORES.values()) >= 4


@pytest.mark.parametrize("code", CODES)
def test_category_speaks_in_many_ways_and_leaves_no_slot_open(code):
    rng = Random(1)
    found = [texts.incident_text(rng, code, "柳沟镇石桥村") for _ in range(60)]
    assert len({text for _, text in found}) >= 40
    assert len(set(texts._frames(code))) >= 12
    for title, text in found:
        assert "{" not in title + text
        assert len(title) <= 24
        assert 8 <= len(text) <= 200
        assert not PHONE.search(text)
    answers = {texts.response_text(rng, code) for _ in range(60)}
    assert len(answers) >= 8
    assert not any("{" in answer for answer in answers)


def test_same_seed_gives_the_same_county():
    def everything(rng):
        return [
            texts.incident_text(rng, "HW-01", "石桥村"),
            texts.response_text(rng, "HW-01"),
            texts.rating_comment(rng, 1),
            texts.objection_reason(rng),
            texts.extension_reason(rng),
            texts.suspension_reason(rng),
            texts.verify_note(rng, True),
            texts.verify_note(rng, False),
            texts.co_opinion(rng),
            texts.dispute(rng),
            texts.labelled_examples(rng, 1),
            names.village_names(rng),
            names.person_name(rng),
        ]

    assert everything(Random(9)) == everything(Random(9))
    assert everything(Random(9)) != everything(Random(10))


def test_country_matters_stay_out_of_estates_and_lifts_out_of_hamlets():
    assert not texts.suits("NY-01", "community")
    assert not texts.suits("FW-03", "rural")
    assert texts.suits("HW-01", "rural")
    assert texts.suits("HW-01", "dedicated")
    assert set(CODES) >= texts.RURAL_ONLY | texts.URBAN_ONLY | texts.OUTDOOR | texts.INDOOR


def test_whistle_names_the_departments_and_the_place_once():
    ask = texts.whistle_ask(Random(2), "石桥村", "石桥村河水发黑", "环保局", ["城管局", "农水局"])
    assert "环保局" in ask
    assert "城管局、农水局" in ask
    assert ask.count("石桥村") <= 1


@pytest.mark.parametrize("kind", texts.DISPUTES)
def test_dispute_names_its_parties_and_has_four_steps(kind):
    assert kind in choices.Kind.values
    for seed in range(20):
        found = texts.dispute(Random(seed), kind)
        a, b = found["parties"]
        assert a != b
        assert a in found["facts"] or b in found["facts"] or a in found["title"]
        assert len(found["step_notes"]) == 4
        assert found["colour"] in choices.Colour.values
        assert set(found["agreement"]) == {"issues", "content", "manner", "term_days"}
        assert "{" not in json.dumps([found["title"], found["facts"], found["step_notes"]])


def test_brothers_and_sisters_share_a_surname_and_strangers_do_not():
    family = texts.dispute(Random(1), "family")["parties"]
    strangers = texts.dispute(Random(1), "neighbour")["parties"]
    assert family[0][0] == family[1][0]
    assert strangers[0][0] != strangers[1][0]


def test_generated_examples_teach_the_classifier():
    learn, test = (
        [
            row
            for row in texts.labelled_examples(Random(seed), n)
            if row["category"] in "HW-01 RS-01"
        ]
        for seed, n in ((1, 20), (2, 5))
    )
    trained, _report = classifier.learn([r["text"] for r in learn], [r["category"] for r in learn])
    found = trained.predict([r["text"] for r in test])
    assert [p.label for p in found] == [r["category"] for r in test]


def test_county_has_22_towns_and_531_villages_of_which_some_share_a_name():
    assert len(set(names.town_names())) == 22
    villages = names.village_names(Random(1))
    assert len(villages) == 531
    assert 440 <= len(set(villages)) < 531


def test_phone_numbers_are_from_the_unassigned_range():
    assert all(re.fullmatch(r"1990000\d{4}", names.phone_number(Random(n))) for n in range(50))


def test_organisations_of_each_kind_have_names():
    for kind in names.ORGANISATIONS:
        assert len({names.organisation_name(Random(n), kind) for n in range(40)}) >= 10
