"""Repeats: found by index, merged and taken apart, every reporter told and asked."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from core.errors import Conflict, GeshiError, Invalid, NotAllowed
from core.services import outbox
from core.services.timers import sweep
from grids.factories import person
from grids.models import Role
from incidents.factories import actor
from incidents.models import (
    CallBack,
    Event,
    FactKind,
    Figure,
    FigureDelta,
    Incident,
    Mark,
    Notice,
    Publication,
    ScoreFact,
    Source,
    StageClock,
    State,
)
from incidents.queries import twins as looking
from incidents.queries.published import published_items
from incidents.services import dispatching, figures, scores, twins, verification
from incidents.services.intake import Report

pytestmark = pytest.mark.django_db


def fresh(incident):
    return Incident.objects.get(pk=incident.pk)


def last(incident):
    return Event.objects.filter(incident=incident).latest("seq")


def merge(world, twin, into):
    return twins.merge(incident_id=twin.pk, actor=actor(world.command), into=fresh(into))


def unmerge(world, twin, **more):
    given = {"actor": actor(world.command), "reason": "是另一处"}
    return twins.unmerge(incident_id=twin.pk, **(given | more))


def asked(lead, twin=None):
    return CallBack.objects.get(incident=lead, round=fresh(lead).round, twin=twin)


def counted():
    """Every figure with its number."""
    sums = Counter()
    for rows in (Figure, FigureDelta):
        for metric, n in rows.objects.values_list("metric", "n"):
            sums[metric] += n
    return +sums


class TestFinding:
    def test_open_cases_at_the_place_are_found_by_one_statement(
        self, world, django_assert_num_queries
    ):
        first = world.report("村口垃圾堆了三天没人清", category=world.rubbish)
        world.report("自来水停水两天", category=world.road)
        asked = looking.matter_of(world.report("村口垃圾成堆"))
        with django_assert_num_queries(1):
            found = looking.twins(asked, but=None)
        assert first.pk in {twin.id for twin in found}

    def test_nothing_is_found_without_a_place(self, world, django_assert_num_queries):
        lost = world.report("垃圾没人清", latitude=None, longitude=None)
        with django_assert_num_queries(0):
            assert looking.twins(looking.matter_of(lost)) == []

    def test_across_the_border_of_a_village_a_near_one_is_found(self, world):
        here = world.report("村口垃圾堆了三天没人清", category=world.rubbish)
        there = looking.matter_of(here)
        Incident.objects.filter(pk=here.pk).update(village=world.places.villages[1])
        assert [twin.id for twin in looking.twins(there)] == [here.pk]

    def test_the_public_is_shown_what_is_public_and_no_word_of_it(
        self, world, django_assert_num_queries
    ):
        shown = world.pending()
        waiting = world.report("村口垃圾堆了三天没人清", category=world.rubbish)
        hidden = world.pending(category=world.road)
        world.rubbish.publication = Publication.PLACE
        world.rubbish.save()
        asked, items = looking.matter_of(waiting), published_items()
        with django_assert_num_queries(2):
            found = looking.public_twins(asked, items=items)
        assert [(twin.id, twin.head) for twin in found] == [(shown.pk, "")]
        assert found[0].place == f"{world.village} · {world.grid}"
        assert hidden.pk not in {twin.id for twin in found}

    def test_a_worker_is_shown_what_they_may_open(self, world):
        report = world.report("村口垃圾堆了三天没人清", category=world.rubbish)
        asked = looking.matter_of(report)
        here, neighbour = actor(world.worker), person(Role.GRID_WORKER, world.places.grids[4])
        found = looking.twins_in_sight(asked, user=here.user, scope=here.scope)
        assert [(twin.id, twin.head) for twin in found] == [(report.pk, report.text)]
        there = actor(neighbour)
        assert looking.twins_in_sight(asked, user=there.user, scope=there.scope) == []


class TestJoining:
    def send(self, lead, **more):
        sent = Report(text="村口垃圾堆得更高了", source=Source.RESIDENT, **more)
        return twins.take_in_same(sent, lead_id=lead.pk)

    def test_it_is_a_report_of_its_own_merged_at_once(self, world):
        lead = world.dispatched()
        twin, joined = self.send(lead, area=world.grid)
        assert joined
        assert (twin.state, fresh(twin).merged_into) == (State.DUPLICATE, lead)
        assert twin.tracking_code != lead.tracking_code
        assert [last(twin).action, last(lead).action] == ["join", "twin_joined"]
        assert fresh(lead).version == lead.version, "a form half filled in is not spoilt"

    def test_sent_twice_it_is_one(self, world):
        lead = world.dispatched()
        sent = Report(text="村口垃圾堆得更高了", source=Source.RESIDENT, area=world.grid)
        one = twins.take_in_same(sent, lead_id=lead.pk)
        assert twins.take_in_same(sent, lead_id=lead.pk) == one
        assert Incident.objects.count() == 2

    def test_it_goes_its_own_way_where_the_case_has_ended(self, world):
        lead = world.called_back()
        verification.rate(token=asked(lead).token, score="satisfied", solved=True)
        twin, joined = self.send(lead, area=world.grid)
        assert (joined, twin.state) == (False, State.REPORTED)

    def test_a_possible_emergency_is_looked_at_by_itself(self, world):
        sent = Report(text="垃圾堆着火了，有人被困", source=Source.RESIDENT, area=world.grid)
        twin, joined = twins.take_in_same(sent, lead_id=world.dispatched().pk)
        assert (joined, twin.state) == (False, State.REPORTED)

    def test_a_worker_joins_the_own_report_only(self, world):
        lead, worker = world.dispatched(), actor(world.worker)
        sent = Report(text="垃圾还在", source=Source.WORKER, area=world.grid)
        twin, joined = twins.take_in_same(sent, lead_id=lead.pk, actor=worker)
        assert joined
        assert (last(twin).actor, twin.reporter) == (world.worker, world.worker)


class TestTakingApart:
    def test_it_goes_back_to_where_it_stood_with_the_time_it_had_left(self, world, time_machine):
        time_machine.move_to(timezone.now(), tick=False)
        lead, twin = world.dispatched(), world.accepted()
        before = {c.stage: c.due_at for c in StageClock.objects.filter(incident=twin) if c.due_at}
        running = set(
            StageClock.objects.filter(incident=twin, finished_at=None).values_list(
                "stage", flat=True
            )
        )
        time_machine.shift(timedelta(hours=2))
        merge(world, twin, lead)
        assert not StageClock.objects.filter(incident=twin, finished_at=None, due_at__isnull=False)
        time_machine.shift(timedelta(days=9))
        sweep(now=timezone.now())
        unmerge(world, twin)
        now = fresh(twin)
        assert (now.state, now.owner_department, now.handler) == (
            State.ACCEPTED, world.city, world.city_handler,
        )  # fmt: skip
        assert (now.merged_into, now.ended_at, now.overdue_at) == (None, None, None)
        clocks = StageClock.objects.filter(incident=twin, finished_at=None)
        assert {c.stage for c in clocks} == running
        for clock in clocks:
            assert clock.due_at == before[clock.stage] + timedelta(days=9)
        assert now.due_at == min(c.due_at for c in clocks)
        assert [last(twin).action, last(lead).action] == ["unmerge", "twin_left"]

    def test_one_that_joined_untriaged_is_triaged_then(self, world):
        lead = world.dispatched()
        sent = Report(text="垃圾还在", source=Source.RESIDENT, area=world.grid)
        twin, _joined = twins.take_in_same(sent, lead_id=lead.pk)
        unmerge(world, twin)
        assert (fresh(twin).state, fresh(twin).triage_tried_at) == (State.REPORTED, None)

    def test_once_the_other_has_ended_it_is_brought_back_instead(self, world):
        lead, twin = world.called_back(), world.report("同一处")
        merge(world, twin, lead)
        with pytest.raises(NotAllowed):
            dispatching.recall(incident_id=twin.pk, actor=actor(world.command), reason="不是")
        verification.rate(token=asked(lead).token, score="satisfied", solved=True)
        with pytest.raises(NotAllowed):
            unmerge(world, twin)
        dispatching.recall(incident_id=twin.pk, actor=actor(world.command), reason="不是一回事")
        assert fresh(twin).state == State.REPORTED

    def test_a_reason_is_asked_for_and_a_town_beside_it_may_not(self, world):
        lead, twin = world.dispatched(), world.report("同一处")
        merge(world, twin, lead)
        with pytest.raises(Invalid):
            unmerge(world, twin, reason=" ")
        neighbour = actor(person(Role.TOWN_ADMIN, world.places.towns[1]))
        with pytest.raises(NotAllowed):
            unmerge(world, twin, actor=neighbour)

    def test_cases_merged_into_a_merged_one_stay_with_it(self, world):
        end, middle, first = world.dispatched(), world.pending(), world.report("同一处")
        merge(world, first, middle)
        merge(world, middle, end)
        assert looking.lead_of(first.pk) == (end.pk, True)
        unmerge(world, middle)
        assert looking.lead_of(first.pk) == (middle.pk, True)
        assert [pk for pk, _reporter in looking.merged_into(end.pk)] == []


class TestRating:
    """A case with two more reporters: a resident and a colleague."""

    @pytest.fixture
    def matter(self, world):
        lead = world.responded(world.grid, by=world.worker)
        resident = world.report("这边也有垃圾")
        sent = Report(text="垃圾没清", source=Source.WORKER, area=world.grid)
        office = actor(world.office)
        colleague, _joined = twins.take_in_same(sent, lead_id=lead.pk, actor=office)
        merge(world, resident, lead)
        verification.verify_pass(incident_id=lead.pk, actor=actor(world.town_admin))
        return lead, resident, colleague

    def test_every_reporter_is_asked_by_a_link_of_their_own(self, world, matter):
        lead, resident, colleague = matter
        links = {asked(lead), asked(lead, resident), asked(lead, colleague)}
        assert len({link.token for link in links}) == 3
        outbox.deliver_due()
        told = Notice.objects.get(kind="rate_please", user=world.office)
        assert told.data["token"] == asked(lead, colleague).token

    def test_one_who_joins_while_it_is_being_rated_is_asked_too(self, world, matter):
        lead, *_others = matter
        late = world.report("我也反映过")
        merge(world, late, lead)
        assert asked(lead, late).expires_at == asked(lead).expires_at

    def test_all_may_be_satisfied_and_it_counts_once(self, world, matter):
        lead, resident, colleague = matter
        for twin in (resident, None, colleague):
            verification.rate(token=asked(lead, twin).token, score="satisfied", solved=True)
        assert fresh(lead).state == State.CLOSED
        assert counted()["rated"] == counted()["closed"] == 1
        before = counted()
        figures.rebuild()
        assert counted() == before

    def test_one_who_is_not_satisfied_opens_it_for_all(self, world, matter):
        lead, resident, colleague = matter
        verification.rate(token=asked(lead).token, score="satisfied", solved=True)
        bad, later = asked(lead, resident), asked(lead, colleague)
        verification.rate(token=bad.token, score="dissatisfied", solved=False, comment="没清")
        now = fresh(lead)
        assert (now.state, now.round, now.owner_area) == (State.DISPATCHED, 2, world.village)
        with pytest.raises(Conflict, match="不满意"):
            verification.rate(token=later.token, score="satisfied", solved=True)
        assert last(lead).note == "", "its own reporter does not read the other's words"

    def test_the_score_of_the_case_is_the_worst_word_on_it(self, world, matter):
        lead, resident, _colleague = matter
        verification.rate(token=asked(lead).token, score="satisfied", solved=True)
        verification.rate(token=asked(lead, resident).token, score="basic", solved=False)
        while scores.fold():
            pass
        fact = lead_fact(lead)
        assert fact["rated"] == 1
        assert fact["solved"] == 0

    def test_what_was_taken_out_is_not_rated_any_more(self, world, matter):
        lead, resident, _colleague = matter
        link = asked(lead, resident)
        unmerge(world, resident)
        with pytest.raises(Conflict):
            verification.rate(token=link.token, score="dissatisfied", solved=False)
        assert fresh(lead).state == State.CALLBACK

    def test_the_page_of_a_repeat_leads_to_its_own_link_and_tells_nothing_of_the_other(
        self, world, matter, client
    ):
        lead, resident, _colleague = matter
        link = f"/rate/{asked(lead, resident).token}/"
        page = client.get(f"/track/?code={resident.tracking_code}").content.decode()
        assert link in page
        rating = client.get(link).content.decode()
        assert "这边也有垃圾" in rating
        for private in (lead.tracking_code, lead.text, "已清运完毕"):
            assert private not in page + rating


def lead_fact(lead):
    fact = ScoreFact.objects.get(incident=lead, kind=FactKind.CASE)
    return {
        "rated": int(bool(fact.marks & Mark.RATED)),
        "solved": int(bool(fact.marks & Mark.SOLVED)),
    }


def at_once(*acts):
    """Run the acts at the same time; return what came of each."""
    gate, results = threading.Barrier(len(acts)), [None] * len(acts)

    def run(n, act):
        gate.wait()
        try:
            results[n] = act()
        except GeshiError as error:
            results[n] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(n, act)) for n, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def refused(self, results):
        return [error for error in results if isinstance(error, GeshiError)]

    def test_two_merge_one_repeat_and_one_wins(self, world):
        one, other, twin = world.dispatched(), world.dispatched(), world.report("同一处")
        refused = self.refused(
            at_once(lambda: merge(world, twin, one), lambda: merge(world, twin, other))
        )
        assert len(refused) == 1
        assert str(refused[0])
        assert fresh(twin).merged_into in {one, other}

    def test_two_take_it_apart_and_one_wins(self, world):
        lead, twin = world.dispatched(), world.pending()
        merge(world, twin, lead)
        refused = self.refused(at_once(*[lambda: unmerge(world, twin)] * 2))
        assert len(refused) == 1
        assert fresh(twin).state == State.PENDING
        assert Event.objects.filter(incident=lead, action="twin_left").count() == 1

    def test_rating_while_it_is_taken_apart_ends_whole_either_way(self, world):
        lead, twin = world.responded(), world.report("同一处")
        merge(world, twin, lead)
        verification.verify_pass(incident_id=lead.pk, actor=actor(world.command))
        link = asked(lead, twin).token
        results = at_once(
            lambda: unmerge(world, twin),
            lambda: verification.rate(token=link, score="dissatisfied", solved=False),
        )
        lead, twin = fresh(lead), fresh(twin)
        opened = lead.round == 2
        apart = twin.merged_into is None
        assert opened or apart
        assert len(self.refused(results)) == 2 - opened - apart

    def test_two_reporters_rate_and_the_second_reads_what_happened(self, world):
        lead, twin = world.responded(), world.report("同一处")
        merge(world, twin, lead)
        verification.verify_pass(incident_id=lead.pk, actor=actor(world.command))
        links = [asked(lead).token, asked(lead, twin).token]
        results = at_once(
            *[
                lambda link=link: verification.rate(token=link, score="dissatisfied", solved=False)
                for link in links
            ]
        )
        refused = self.refused(results)
        assert len(refused) == 1
        assert "不满意" in str(refused[0])
        assert fresh(lead).round == 2
