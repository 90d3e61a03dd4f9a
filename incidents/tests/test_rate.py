"""The rating page: one link, one answer, and the reporter reads what comes of it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from incidents.factories import actor
from incidents.models import CallBack, Incident, State
from incidents.services import verification

pytestmark = pytest.mark.django_db


def link(incident):
    return f"/rate/{CallBack.objects.get(incident=incident, round=incident.round).token}/"


def test_the_page_shows_what_was_reported_and_what_was_done(client, world):
    page = client.get(link(world.called_back())).content.decode()
    assert "村口垃圾" in page
    assert "已清运完毕" in page
    assert world.city_handler.display_name not in page


def test_a_good_rating_closes_the_case(client, world):
    incident = world.called_back()
    there = link(incident)
    answer = client.post(there, {"score": "satisfied", "solved": "yes", "comment": "很快"})
    assert answer.url == there
    assert "这件事已办结" in client.get(there).content.decode()
    assert Incident.objects.get().state == State.CLOSED


@pytest.mark.parametrize(
    ("score", "solved"), [("dissatisfied", "yes"), ("satisfied", "no"), ("dissatisfied", "no")]
)
def test_a_bad_rating_opens_the_case_one_level_up_and_says_so(client, world, score, solved):
    incident = world.called_back(world.grid, by=world.worker)
    there = link(incident)
    client.post(there, {"score": score, "solved": solved})
    assert "由村（社区）负责" in client.get(there).content.decode()
    assert Incident.objects.get().owner_area == world.village


def test_a_case_opened_again_at_the_grid_says_so(client, world):
    incident = world.called_back(world.grid, by=world.worker)
    Incident.objects.filter(pk=incident.pk).update(owner_area=world.places.unit)
    there = link(incident)
    client.post(there, {"score": "dissatisfied", "solved": "no"})
    assert "由网格负责" in client.get(there).content.decode()


def test_nobody_signed_in_rates_work_of_their_own(client, world):
    incident = world.called_back(world.grid, by=world.worker)
    client.force_login(world.worker)
    answer = client.post(link(incident), {"score": "satisfied", "solved": "yes"})
    assert answer.status_code == 403
    assert "/rate/" not in client.get(f"/track/?code={incident.tracking_code}").content.decode()
    assert CallBack.objects.get().answered_at is None
    client.force_login(world.leader)
    assert client.post(link(incident), {"score": "basic", "solved": "yes"}).status_code == 302


@pytest.mark.parametrize(
    "body",
    [{}, {"score": "satisfied"}, {"solved": "yes"}, {"score": "best", "solved": "yes"},
     {"score": "basic", "solved": "maybe"}],
)  # fmt: skip
def test_half_a_rating_is_asked_for_again_with_the_comment_kept(client, world, body):
    answer = client.post(link(world.called_back()), {**body, "comment": "还行吧"})
    assert answer.status_code == 400
    assert "还行吧" in answer.content.decode()
    assert CallBack.objects.get().answered_at is None


def test_only_the_first_rating_counts(client, world):
    incident = world.called_back()
    there = link(incident)
    client.post(there, {"score": "satisfied", "solved": "yes"})
    again = client.post(there, {"score": "dissatisfied", "solved": "no"})
    assert "感谢您的评价" in again.content.decode()
    assert CallBack.objects.get().score == "satisfied"


def test_a_link_ends_with_its_time_and_with_its_round(client, world):
    incident = world.called_back()
    there = link(incident)
    CallBack.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(there).status_code == 410
    assert client.post(there, {"score": "basic", "solved": "yes"}).status_code == 410
    assert Incident.objects.get().state == State.CALLBACK


def test_a_guessed_token_opens_nothing_and_guessing_is_limited(client, world, settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "rate": (2, 60)}
    world.called_back()
    answers = [client.get(f"/rate/guess-{n}/").status_code for n in range(3)]
    assert answers == [404, 404, 429]


def test_the_case_cannot_be_rated_by_its_code_or_number(client, world):
    incident = world.called_back()
    for guess in (incident.pk, incident.tracking_code, CallBack.objects.get().pk):
        assert client.get(f"/rate/{guess}/").status_code == 404


def test_what_staff_wrote_down_on_the_phone_stands(client, world):
    incident = world.called_back()
    there = link(incident)
    verification.record_callback(
        incident_id=incident.pk, actor=actor(world.command), score="basic", solved=True
    )
    assert "感谢您的评价" in client.get(there).content.decode()
