"""The tree of areas, read a step at a time."""

import pytest

from grids.factories import person
from grids.models import Role


@pytest.fixture
def ask(client, county):
    client.force_login(person(Role.GRID_WORKER, county.grids[0]))
    return lambda **query: client.get("/api/v1/areas/", query)


def test_the_children_of_an_area_are_those_right_below_it(ask, county):
    answer = ask(parent=county.towns[1].code)
    assert [row["code"] for row in answer.json()] == [v.code for v in county.villages[2:]]


@pytest.mark.parametrize("parent", ["999999", "x", "41990100100100101999", "\x00", "４１９９０１"])
def test_a_parent_that_is_no_code_is_not_found(ask, parent):
    assert ask(parent=parent).status_code == 404
