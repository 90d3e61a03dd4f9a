"""Papers drawn in the background: once, for their owner alone, and gone when their time is over."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.files.storage import default_storage
from django.http import Http404
from django.utils import timezone

from core.errors import Conflict, TooMany
from core.models import AuditEntry, Paper
from core.services import papers
from core.services.papers import PaperKind

pytestmark = pytest.mark.django_db
TEXT = b"%PDF-1.7 199 0000 1234"


class Press:
    """A kind of paper for tests; ``open`` is the right to it."""

    open = True
    drawn = 0
    broken: Exception | None = None

    def draw(self, order, *, actor, progress):
        progress(1, 2)
        if self.broken:
            raise self.broken
        self.drawn += 1
        return lambda: TEXT + str(order["n"]).encode()


@pytest.fixture
def press(monkeypatch):
    press = Press()
    monkeypatch.setattr(papers, "_kinds", {})
    papers.register(
        PaperKind("test", press.draw, lambda _order, _actor: press.open, timedelta(hours=1), "home")
    )
    return press


@pytest.fixture
def owner():
    return get_user_model().objects.create(username="owner", display_name="王")


def ordered(owner) -> Paper:
    return papers.order(kind="test", title="卡", order={"n": 7}, actor=owner)


def test_a_paper_is_drawn_once_and_fetched_by_its_owner_on_record(press, owner):
    paper = ordered(owner)
    with pytest.raises(Conflict):
        papers.fetch(paper_id=paper.pk, actor=owner)
    assert papers.work_due()
    assert not papers.work_due()
    found, data = papers.fetch(paper_id=paper.pk, actor=owner, ip="10.0.0.1")
    assert (data, found.state, press.drawn) == (TEXT + b"7", "ready", 1)
    entry = AuditEntry.objects.get(action="paper.fetched")
    assert (entry.actor_id, entry.ip) == (owner.pk, "10.0.0.1")


def test_nothing_lies_in_clear(press, owner):
    paper = ordered(owner)
    papers.work_due()
    paper.refresh_from_db()
    with paper.file.open("rb") as file:
        assert b"199" not in file.read()
    assert str(paper.pk) not in paper.file.name


def test_nobody_else_opens_it_and_neither_does_who_lost_the_right(press, owner):
    paper = ordered(owner)
    papers.work_due()
    other = get_user_model().objects.create(username="other")
    with pytest.raises(Http404):
        papers.fetch(paper_id=paper.pk, actor=other)
    press.open = False
    with pytest.raises(Http404):
        papers.fetch(paper_id=paper.pk, actor=owner)


def test_who_lost_the_right_before_it_was_drawn_gets_none(press, owner):
    paper = ordered(owner)
    press.open = False
    papers.work_due()
    paper.refresh_from_db()
    assert (paper.state, press.drawn, bool(paper.problem)) == ("failed", 0, True)


def test_it_is_gone_when_its_time_is_over(press, owner):
    paper = ordered(owner)
    papers.work_due()
    paper.refresh_from_db()
    name = paper.file.name
    Paper.objects.update(expires_at=timezone.now())
    with pytest.raises(Http404):
        papers.fetch(paper_id=paper.pk, actor=owner)
    assert papers.latest_of(kind="test", actor=owner) == []
    assert papers.forget_old() == 1
    assert not default_storage.exists(name)
    assert not Paper.objects.exists()


def test_a_paper_nobody_could_draw_is_forgotten_after_a_day(press, owner):
    ordered(owner)
    assert papers.forget_old() == 0
    assert papers.forget_old(now=timezone.now() + timedelta(hours=25)) == 1


def test_a_refusal_is_told_in_its_words(press, owner):
    press.broken = Conflict("没有人在岗")
    paper = ordered(owner)
    papers.work_due()
    paper.refresh_from_db()
    assert (paper.state, paper.problem) == ("failed", "没有人在岗")


def test_a_drawer_that_died_is_replaced_and_gives_up_after_three_times(press, owner):
    press.broken = RuntimeError("killed")
    paper = ordered(owner)
    now = timezone.now()
    for attempt in range(1, 4):
        papers.work_due(now=now + attempt * timedelta(minutes=5))
        assert not papers.work_due(now=timezone.now())
        paper.refresh_from_db()
        assert (paper.state, paper.attempts) == ("drawing", attempt)
    papers.work_due(now=now + timedelta(hours=1))
    paper.refresh_from_db()
    assert paper.state == "failed"


def test_one_paper_is_drawn_at_a_time(press, owner):
    first, second = ordered(owner), ordered(owner)
    Paper.objects.filter(pk=first.pk).update(state="drawing", claimed_at=timezone.now())
    assert not papers.work_due()
    second.refresh_from_db()
    assert second.state == "waiting"


def test_a_few_papers_may_wait_at_once(press, owner):
    for _one in range(papers.MOST_WAITING):
        ordered(owner)
    with pytest.raises(TooMany):
        ordered(owner)
