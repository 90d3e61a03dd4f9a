"""What the tests of the incidents share."""

import pytest

from incidents.factories import World


@pytest.fixture
def world(db):
    """A small county with its people, departments and deadlines."""
    return World()
