"""How long the phones of the parties outlive the mediation."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from core.models import AuditEntry
from incidents.models import RetentionRule
from incidents.services.retention import apply_rules
from mediation.factories import A_NAME, dispute_at
from mediation.models import DisputeState

pytestmark = pytest.mark.django_db

DAYS = 365


@pytest.fixture(autouse=True)
def rule():
    return RetentionRule.objects.create(
        what="party_phone", days=DAYS, valid_from=date(2020, 1, 1), reason="结案后不再联系"
    )


def phones(dispute):
    return [(party.phone, party.phone_index) for party in dispute.parties.all()]


def later(days):
    return apply_rules(now=timezone.now() + timedelta(days=days))["party_phone"]


def test_phones_go_when_their_days_are_over_and_the_names_stay_in_the_file(county, worker):
    dispute = dispute_at(county.grids[0], mediator=worker, state=DisputeState.CLOSED)
    assert later(DAYS - 1) == 0
    assert later(DAYS + 1) == 1
    assert phones(dispute) == [("", ""), ("", "")]
    assert dispute.parties.first().name == A_NAME
    row = dispute.events.latest("seq")
    assert (row.action, row.actor, row.to_state) == ("forget_contact", None, "closed")
    assert AuditEntry.objects.filter(action="dispute.forget_contact").count() == 1
    assert later(DAYS + 2) == 0


@pytest.mark.parametrize("state", [DisputeState.PANEL, DisputeState.FOLLOWING_UP])
def test_phones_are_kept_while_something_is_left_to_do(county, worker, state):
    dispute = dispute_at(county.grids[0], mediator=worker, state=state)
    assert later(10 * DAYS) == 0
    assert all(phone for phone, _index in phones(dispute))
