"""Hot topics over days, warnings once a surge, and who reads and answers them."""

import threading
from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import Conflict
from core.models import AuditEntry
from core.services import outbox
from core.text import bigrams
from grids.factories import person
from grids.models import Role
from incidents import topics as grouping
from incidents.factories import World, actor, as_
from incidents.models import (
    EarlyWarning,
    FoundBy,
    HotTopic,
    Incident,
    Notice,
    ReportDay,
    Source,
    Trend,
)
from incidents.services import topics, twins
from incidents.services.intake import new_tracking_code

pytestmark = pytest.mark.django_db
# Tomorrow at noon: the posts of a test begin on the day it runs.
NOW = datetime.combine(datetime.now(UTC).date() + timedelta(days=1), time(4), UTC)


def said(n, text, *, hours=0):
    return grouping.Said(n, NOW - timedelta(hours=hours), frozenset(bigrams(text)))


class TestGrouping:
    def test_reports_of_one_item_are_grouped_by_the_words_they_share(self):
        lamps = [said(n, f"{n}组路灯不亮") for n in range(4)]
        poles = [said(10 + n, "电线杆歪了要倒") for n in range(3)]
        found = grouping.topics([*poles, *lamps], least=3)
        assert [len(topic.reports) for topic in found] == [4, 3]
        assert "路灯不亮" in found[0].words[0]

    def test_words_of_every_report_and_names_of_the_place_make_no_topic(self):
        reports = [
            said(n, f"大王庄{word}没人管") for n, word in enumerate(["积水", "噪声", "野狗"])
        ]
        found = grouping.topics(reports, least=3, dull=frozenset(bigrams("大王庄")))
        assert [topic.words for topic in found] == [()]

    def test_fewer_than_make_a_topic_make_none(self):
        assert grouping.topics([said(1, "路灯不亮"), said(2, "路灯不亮")], least=3) == []

    @given(st.lists(st.text(alphabet="路灯不亮水管漏", max_size=8), max_size=12))
    @settings(deadline=None, max_examples=50, suppress_health_check=list(HealthCheck))
    def test_every_report_is_in_one_topic_at_most(self, texts):
        found = grouping.topics([said(n, text) for n, text in enumerate(texts)], least=3)
        ids = [report.id for topic in found for report in topic.reports]
        assert len(ids) == len(set(ids))
        assert all(len(topic.reports) >= 3 for topic in found)


@pytest.fixture
def world(world, time_machine):
    time_machine.move_to(NOW, tick=False)
    return world


def reported(world, texts, *, days=0, category=None, grid=None, source=Source.RESIDENT):
    """Cases reported so many days ago, as they stand once triaged."""
    grid = grid or world.grid
    village = world.places.villages[0] if grid == world.grid else None
    rows = [
        Incident(
            tracking_code=new_tracking_code(),
            source=source,
            text=text,
            bigrams=bigrams(text),
            county=world.county,
            town=world.town,
            village=village or world.places.villages[1],
            grid=grid,
            area=grid,
            found_by=FoundBy.GIVEN,
            category=category or world.rubbish,
            reported_at=timezone.now() - timedelta(days=days),
        )
        for text in texts
    ]
    return Incident.objects.bulk_create(rows)


def quiet_past(world):
    """Two months in which now and then something is reported."""
    reported(world, ["垃圾"], days=80)
    for week in (1, 3, 6):
        reported(world, ["垃圾"], days=7 * week)


class TestTopics:
    def test_a_topic_has_heat_trend_days_and_a_sample(self, world):
        reported(world, ["河边垃圾成堆"], days=9)
        reported(world, ["河边垃圾没清", "河边垃圾发臭"], days=1)
        newest = reported(world, ["河边垃圾又多了"])[0]
        topics.refresh()
        topic = HotTopic.objects.get(village=world.village)
        assert "垃圾" in "".join(topic.words)
        assert (topic.trend, topic.days[-2:], sum(topic.days)) == (Trend.RISING, [2, 1], 4)
        assert topic.heat == pytest.approx(1 + 2 * 0.5 ** (1 / 3) + 0.5**3, abs=0.01)
        assert topic.sample[0] == newest.pk
        assert not HotTopic.objects.filter(village=None).exists(), "four are none in a town"

    def test_it_goes_on_as_the_same_one_and_ends_when_it_is_cold(self, world, time_machine):
        reported(world, ["河边垃圾成堆"] * 3)
        topics.refresh()
        first = HotTopic.objects.get(village=world.village)
        time_machine.shift(timedelta(days=2))
        reported(world, ["河边垃圾还在"] * 2)
        topics.refresh()
        again = HotTopic.objects.get(village=world.village)
        assert (again.pk, again.first_seen, sum(again.days)) == (first.pk, first.first_seen, 5)
        time_machine.shift(timedelta(days=8))
        topics.refresh()
        first.refresh_from_db()
        assert first.ended_on == timezone.localdate()

    def test_running_it_again_changes_nothing(self, world):
        quiet_past(world)
        reported(world, ["河边垃圾成堆"] * 9)
        topics.refresh(whole=True)
        before = [list(model.objects.order_by("id").values()) for model in (HotTopic, EarlyWarning)]
        counts = list(ReportDay.objects.order_by("day", "n").values_list("day", "n"))
        topics.refresh()
        topics.refresh(whole=True)
        after = [list(model.objects.order_by("id").values()) for model in (HotTopic, EarlyWarning)]
        assert after == before
        assert list(ReportDay.objects.order_by("day", "n").values_list("day", "n")) == counts

    def test_a_repeat_counts_with_the_case_it_was_merged_into(self, world):
        lead = reported(world, ["河边垃圾成堆"])[0]
        twin = world.report("河边垃圾")
        twins.merge(incident_id=twin.pk, actor=actor(world.command), into=lead)
        topics.count_days(now=timezone.now())
        assert ReportDay.objects.get().n == 2


class TestWarnings:
    def test_what_an_inspection_finds_on_one_day_is_no_surge_and_no_topic(self, world):
        quiet_past(world)
        reported(world, ["灭火器过期"] * 9, source=Source.INSPECTION)
        topics.refresh()
        assert not EarlyWarning.objects.exists()
        assert not HotTopic.objects.exists()

    def test_a_villages_surge_is_told_to_the_village_and_the_town_once(self, world, time_machine):
        quiet_past(world)
        reported(world, ["河边垃圾成堆"] * 8)
        for _again in range(3):
            topics.refresh()
            time_machine.shift(timedelta(hours=5))
        warning = EarlyWarning.objects.get()
        assert (warning.area, warning.category, warning.n) == (world.village, world.rubbish, 8)
        outbox.deliver_due()
        told = set(Notice.objects.values_list("kind", "role", "area"))
        assert told == {
            ("early_warning", Role.VILLAGE_OFFICE, world.village.pk),
            ("early_warning", Role.TOWN_ADMIN, world.town.pk),
        }

    def test_a_towns_surge_is_told_to_the_command_centre(self, world):
        quiet_past(world)
        reported(world, ["河边垃圾"] * 4)
        reported(world, ["河边垃圾"] * 4, grid=world.places.grids[2])
        topics.refresh()
        assert [w.area for w in EarlyWarning.objects.all()] == [world.town]
        outbox.deliver_due()
        assert Notice.objects.get().role == Role.COMMAND

    def test_without_a_past_nothing_is_said(self, world):
        reported(world, ["河边垃圾"] * 30)
        topics.refresh()
        assert not EarlyWarning.objects.exists()

    def test_a_surge_that_is_over_ends_and_the_next_is_another(self, world, time_machine):
        quiet_past(world)
        reported(world, ["河边垃圾"] * 8)
        topics.refresh()
        for _day in range(12):
            time_machine.shift(timedelta(days=1))
            topics.refresh()
        assert EarlyWarning.objects.get().ended_at is not None
        time_machine.shift(timedelta(days=90))
        reported(world, ["河边垃圾"] * 8)
        topics.refresh()
        assert EarlyWarning.objects.count() == 2

    @given(
        # At most three in a window, too few for a warning of their own.
        st.lists(st.integers(0, 1), min_size=70, max_size=70),
        st.integers(12, 40),
        st.integers(1, 6),
    )
    @settings(
        deadline=None,
        max_examples=6,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    def test_one_surge_is_one_warning_however_long_it_lasts(self, world, usual, more, lasting):
        EarlyWarning.objects.all().delete()
        ReportDay.objects.all().delete()
        Incident.objects.all().delete()
        start = timezone.localdate()
        reported(world, ["垃圾"], days=80)
        series = usual + [more] * lasting + usual[:12]
        place = {
            "county_id": world.county.pk,
            "town_id": world.town.pk,
            "village_id": world.village.pk,
            "category_id": world.rubbish.pk,
        }
        first = start - timedelta(days=70)
        for place_in_time, n in enumerate(series):
            day = first + timedelta(days=place_in_time)
            if n:
                ReportDay.objects.create(day=day, n=n, **place)
            if place_in_time >= 60:
                noon = timezone.make_aware(datetime.combine(day, datetime.min.time()))
                topics.warn(now=noon + timedelta(hours=12))
                topics.warn(now=noon + timedelta(hours=18))
        assert EarlyWarning.objects.filter(village=world.village).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_jobs_at_once_raise_one_warning(time_machine):
    world = World()
    quiet_past(world)
    reported(world, ["河边垃圾成堆"] * 8)
    gate = threading.Barrier(2)

    def run():
        gate.wait()
        try:
            topics.refresh()
        finally:
            connection.close()

    jobs = [threading.Thread(target=run) for _job in range(2)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    topics.refresh()
    assert EarlyWarning.objects.count() == 1
    outbox.deliver_due()
    assert Notice.objects.filter(kind="early_warning").count() == 2


class TestPage:
    @pytest.fixture
    def warning(self, world):
        quiet_past(world)
        reported(world, ["河边垃圾成堆"] * 8)
        topics.refresh()
        return EarlyWarning.objects.get()

    def test_each_reads_what_lies_in_their_own_place(
        self, world, warning, django_assert_max_num_queries
    ):
        for reader in (world.command, world.town_admin, world.office):
            page = as_(reader).get("/topics/").content.decode()
            assert "河边垃圾" in page
            assert f"warning-{warning.pk}" in page
        neighbour = as_(person(Role.TOWN_ADMIN, world.places.towns[1]))
        page = neighbour.get("/topics/").content.decode()
        assert "河边垃圾" not in page
        assert "warning-" not in page
        topic = HotTopic.objects.get(village=world.village)
        assert as_(world.office).get(f"/topics/{topic.pk}/").status_code == 200
        assert neighbour.get(f"/topics/{topic.pk}/").status_code == 404

    def test_the_cases_of_a_topic_are_those_that_share_its_words(self, world, warning):
        other = reported(world, ["路边野草"])[0]
        topic = HotTopic.objects.get(village=world.village)
        page = as_(world.town_admin).get(f"/topics/{topic.pk}/").content.decode()
        assert page.count('class="g-code"') == sum(topic.days) == 9
        assert other.tracking_code not in page

    def test_the_first_answer_stands_and_the_second_reads_it(self, world, warning):
        url = f"/topics/warnings/{warning.pk}/"
        office = as_(world.office)
        empty = office.post(url, {"word": " "})
        assert (empty.status_code, "请写明处置情况" in empty.content.decode()) == (400, True)
        assert office.post(url, {"word": "已安排清运，今晚完成"}).status_code == 302
        assert AuditEntry.objects.filter(action="early_warning.acknowledge").count() == 1
        said = as_(world.town_admin).post(url, {"word": "我来"}, follow=True).content.decode()
        assert "已回应" in said
        warning.refresh_from_db()
        assert warning.word == "已安排清运，今晚完成"

    def test_others_may_not_answer(self, world, warning):
        url = f"/topics/warnings/{warning.pk}/"
        neighbour = as_(person(Role.VILLAGE_OFFICE, world.places.villages[1]))
        assert neighbour.post(url, {"word": "我来"}).status_code == 404
        assert as_(world.leader).post(url, {"word": "我来"}).status_code == 403
        topics.acknowledge(warning_id=warning.pk, actor=actor(world.command), word="已派人")
        with pytest.raises(Conflict):
            topics.acknowledge(warning_id=warning.pk, actor=actor(world.town_admin), word="已派人")
