"""Answers that may be a little old: remembered by a process, forgotten on time and on word."""

from core import kept


def test_a_process_asks_once_while_the_answer_is_fresh():
    answers = iter(["first", "second"])
    assert kept.remembered("names", lambda: next(answers), 60) == "first"
    assert kept.remembered("names", lambda: next(answers), 60) == "first"


def test_an_answer_past_its_time_is_asked_for_again():
    answers = iter(["first", "second"])
    assert kept.remembered("names", lambda: next(answers), 0) == "first"
    assert kept.remembered("names", lambda: next(answers), 0) == "second"


def test_what_is_remembered_can_be_forgotten():
    kept.remembered("names", lambda: "old", 60)
    kept.forget_remembered()
    assert kept.remembered("names", lambda: "new", 60) == "new"


def test_a_process_never_remembers_without_end():
    for number in range(kept.MOST + 5):
        kept.remembered(f"key {number}", lambda: None, 60)
    assert len(kept._here) <= kept.MOST
