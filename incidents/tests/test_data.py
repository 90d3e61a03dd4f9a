"""The shipped catalogue, examples and knowledge base are complete and agree with each other."""

import json
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

DATA = Path(__file__).parents[1] / "data"
CATALOGUE = json.loads((DATA / "catalogue.json").read_text(encoding="utf-8"))
CATEGORIES = {row["code"]: row for row in CATALOGUE["categories"]}
EXAMPLES = json.loads((DATA / "examples.json").read_text(encoding="utf-8"))
KNOWLEDGE = json.loads((DATA / "knowledge.json").read_text(encoding="utf-8"))
UNITS = {"calendar_hours", "calendar_days", "working_days", "working_hours"}


def deadline(code, step):
    found = CATEGORIES[code]["deadlines"][step]
    return found["amount"], found["unit"]


def test_fourteen_departments_own_a_catalogue_of_two_levels():
    assert len(CATALOGUE["departments"]) == 14
    assert len(CATEGORIES) == len(CATALOGUE["categories"]) >= 60
    assert len({row["major"] for row in CATEGORIES.values()}) >= 10
    for row in CATEGORIES.values():
        assert row["code"].startswith(row["major_code"] + "-")


def test_names_and_codes_are_unique():
    for rows, key in [
        (CATALOGUE["departments"], "code"),
        (CATALOGUE["departments"], "name"),
        (CATALOGUE["categories"], "code"),
        (CATALOGUE["categories"], "name"),
        (CATALOGUE["categories"], "name_en"),
        (KNOWLEDGE, "code"),
        (KNOWLEDGE, "title"),
    ]:
        assert [value for value, n in Counter(row[key] for row in rows).items() if n > 1] == []


def test_every_category_has_a_known_owner_and_no_department_is_idle():
    departments = {row["code"] for row in CATALOGUE["departments"]}
    assert {row["owner"] for row in CATEGORIES.values()} == departments


@pytest.mark.parametrize("code", CATEGORIES)
def test_category_is_complete_in_both_languages(code):
    row = CATEGORIES[code]
    for key in ("name", "name_en", "major", "major_en", "description", "description_en"):
        assert row[key].strip()
    assert row["name_en"].isascii()
    assert row["description_en"].isascii()
    assert row["tier"] in {"ai", "local", "whistle"}
    assert row["tier"] != "ai" or row["ai_allowed"]
    assert not row["is_question"] or row["tier"] == "ai"
    assert len(row["keywords"]) >= 5
    assert len(set(row["keywords"])) == len(row["keywords"])


@pytest.mark.parametrize("code", CATEGORIES)
def test_category_has_all_five_deadlines(code):
    deadlines = CATEGORIES[code]["deadlines"]
    assert list(deadlines) == ["accept", "arrive", "respond", "resolve", "verify"]
    for limit in deadlines.values():
        assert limit["amount"] > 0
        assert limit["unit"] in UNITS


def test_all_four_units_are_in_use():
    used = {d["unit"] for row in CATEGORIES.values() for d in row["deadlines"].values()}
    assert used == UNITS


def test_published_deadlines_are_kept():
    assert deadline("HW-01", "resolve") == (1, "working_days")
    assert deadline("HW-02", "resolve") == (4, "working_days")
    assert deadline("HW-03", "resolve") == (5, "working_hours")
    assert deadline("GH-02", "resolve") == (15, "working_days")


def test_no_reply_takes_longer_than_five_working_days():
    for row in CATEGORIES.values():
        limit = row["deadlines"]["respond"]
        most = {"working_days": 5, "working_hours": 40, "calendar_hours": 120, "calendar_days": 5}
        assert limit["amount"] <= most[limit["unit"]]


def test_illegal_building_under_way_is_stopped_fined_and_pulled_down_in_stages():
    stages = {s["code"]: s["deadline"] for s in CATEGORIES["GH-01"]["sub_stages"]}
    assert stages == {
        "stop": {"amount": 4, "unit": "working_hours"},
        "penalty": {"amount": 7, "unit": "working_days"},
        "demolish": {"amount": 20, "unit": "working_days"},
    }


def test_matters_that_leave_the_normal_road_say_where_to_go():
    roads = {code: row["road"] for code, row in CATEGORIES.items() if row["road"]}
    assert set(roads.values()) == {"emergency", "statutory", "out_of_remit"}
    for code in roads:
        assert any(character.isdigit() for character in CATEGORIES[code]["road_text"]) or (
            "复查" in CATEGORIES[code]["road_text"]
        )
        assert CATEGORIES[code]["road_text_en"].isascii()
        assert not CATEGORIES[code]["village_allowed"]
    for row in CATEGORIES.values():
        assert bool(row["road"]) == bool(row["road_text"])


def test_every_category_has_at_least_eight_examples_and_none_is_labelled_twice():
    counts = Counter(row["category"] for row in EXAMPLES)
    assert set(counts) == set(CATEGORIES)
    assert min(counts.values()) >= 8
    assert len({row["text"] for row in EXAMPLES}) == len(EXAMPLES)
    assert (DATA / "examples.json").stat().st_size < 1_500_000


def test_every_policy_question_has_articles_to_answer_it():
    questions = {code for code, row in CATEGORIES.items() if row["is_question"]}
    assert {row["category"] for row in KNOWLEDGE} == questions
    assert len(KNOWLEDGE) >= 40


@pytest.mark.parametrize("article", KNOWLEDGE, ids=lambda row: row["code"])
def test_article_is_plain_sourced_and_sends_the_reader_on(article):
    sentences = article["body"].count("。")
    assert 3 <= sentences <= 8
    assert "12345" in article["body"]
    assert "《" in article["source"]
    assert date.fromisoformat(article["published_on"]).year >= 2024
    assert len(article["keywords"]) >= 3
    assert article["title_en"].isascii()
