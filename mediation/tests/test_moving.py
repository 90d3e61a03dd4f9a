"""Disputes go along when areas merge, and open ones stand against closing."""

from datetime import date

import pytest

from grids import closing, moves
from mediation.factories import dispute_at, mediator_in

pytestmark = pytest.mark.django_db


def test_disputes_lie_in_the_grid_that_took_theirs_in(county):
    dispute = dispute_at(county.grids[0], mediator=mediator_in(county))
    areas = {county.grids[0].pk: county.grids[2].pk}
    assert "mediation:open" in {tally.key for tally in moves.counts(areas) if tally.n == 1}
    moves.follow(areas, on=date(2026, 11, 1), actor=None)
    dispute.refresh_from_db()
    assert (dispute.area_id, dispute.grid_id) == (county.grids[2].pk, county.grids[2].pk)
    assert dispute.village_id == county.villages[1].pk


def test_an_open_dispute_stands_against_closing_its_grid(county):
    dispute_at(county.grids[0], mediator=mediator_in(county))
    assert "1 件未了结纠纷" in closing.obstacles(county.grids[0])
