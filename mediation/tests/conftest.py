"""The small county and a mediator in it."""

import pytest

from grids.factories import small_county
from mediation.factories import mediator_in


@pytest.fixture
def county():
    return small_county()


@pytest.fixture
def worker(county):
    return mediator_in(county)
