"""Fixtures of the grids floor."""

import pytest

from grids.factories import SmallCounty, small_county


@pytest.fixture
def county(db) -> SmallCounty:
    """The small county of the factories."""
    return small_county()
