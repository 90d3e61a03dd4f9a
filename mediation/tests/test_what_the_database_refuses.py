"""Rules that hold even against code that forgets them."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from grids.factories import person
from grids.models import Role
from mediation.factories import A_NAME, A_PHONE, FACTS, dispute_at
from mediation.models import (
    Agreement,
    Dispute,
    DisputeEvent,
    DisputeMediator,
    DisputeState,
    FileOpening,
    FollowUp,
    Kind,
    StepRecord,
)

pytestmark = pytest.mark.django_db

S = DisputeState


def refused(rows, **values):
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.update(**values)


@pytest.fixture
def dispute(county, worker):
    return dispute_at(county.grids[0], mediator=worker)


def test_red_without_a_leader(dispute, county):
    rows = Dispute.objects.filter(pk=dispute.pk)
    refused(rows, colour="red")
    rows.update(colour="red", leader=person(Role.TOWN_ADMIN, county.towns[0]))


def test_a_risk_that_was_not_reported_to_the_police(dispute):
    rows = Dispute.objects.filter(pk=dispute.pk)
    refused(rows, activation_risk=True)
    rows.update(activation_risk=True, reported_to_police_at=timezone.now())


def test_failure_without_telling_the_other_roads(dispute):
    rows = Dispute.objects.filter(pk=dispute.pk)
    refused(rows, state=S.FAILED, ended_at=timezone.now())
    rows.update(state=S.FAILED, ended_at=timezone.now(), roads_told=["court"])


@pytest.mark.parametrize(
    "values",
    [
        {"step": 2},
        {"state": S.PANEL},
        {"state": S.AGREED},
        {"state": S.CLOSED},
        {"state": S.WITHDRAWN},
        {"colour": "green"},
        {"kind": "quarrel"},
        {"source": "incident"},
    ],
)
def test_a_row_that_contradicts_itself(dispute, values):
    refused(Dispute.objects.filter(pk=dispute.pk), **values)


def test_an_agreement_against_the_law(county, worker):
    dispute_at(county.grids[0], mediator=worker, state=S.AGREED)
    rows, today = Agreement.objects.all(), timezone.localdate()
    refused(rows, party_a_signed=False)
    refused(rows, sealed=False)
    refused(rows, mediator_signature="")
    refused(rows, performance_due=today - timedelta(days=1))
    refused(rows, court_confirmation_asked_on=today + timedelta(days=31))
    refused(rows, court_confirmation_asked_on=today, kind=Kind.ADOPTION)
    rows.update(court_confirmation_asked_on=today + timedelta(days=30))


def test_the_same_mediator_named_twice(dispute, worker):
    with pytest.raises(IntegrityError), transaction.atomic():
        DisputeMediator.objects.create(dispute=dispute, user=worker)


@pytest.mark.parametrize("model", [DisputeEvent, StepRecord, FollowUp, FileOpening])
def test_what_happened_is_neither_changed_nor_deleted(county, worker, model):
    dispute = dispute_at(county.grids[0], mediator=worker, state=S.FOLLOWING_UP)
    FileOpening.objects.create(dispute=dispute, user=worker, what="file")
    assert model.objects.exists()
    for change in (lambda: model.objects.update(dispute=dispute), model.objects.all().delete):
        with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
            change()


def test_names_phones_and_facts_are_unreadable_in_the_database(county, worker):
    dispute_at(county.grids[0], mediator=worker, state=S.FOLLOWING_UP)
    tables = ["dispute", "party", "agreement", "steprecord", "followup", "disputeevent"]
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT t::text FROM mediation_{table} t")
            stored = "".join(row[0] for row in cursor.fetchall())
            assert stored
            for secret in (A_NAME, A_PHONE, FACTS[:6], "檐沟", "陈述"):
                assert secret not in stored, table
