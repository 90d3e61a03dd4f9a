"""The API keeps its word: schemathesis asks every operation of the schema what it may be asked, and
what it may not; every answer must be one the schema tells of.

The command centre is asked everything, others take turns beside it. What is asked is always the
same, so a run that passed passes again. The plugin for pytest stays off (pytest.ini): importing it
costs every test run a second, and with pytest 9.2 it cannot load a schema from a fixture.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.test import Client
from schemathesis.config import SchemathesisConfig
from schemathesis.generation.feedback import NO_FEEDBACK
from schemathesis.pytest._test_builder import build_operation_test

from governance.wsgi import application
from grids.factories import person
from grids.models import Role
from grids.services.households import HouseholdFields, add_household
from incidents.factories import World, actor
from incidents.models import System, SystemRight
from incidents.services.systems import MOST_CALLS, new_key
from mediation.factories import dispute_at, mediator_in

CONFIG = {
    "generation": {
        "max-examples": 4,
        "deterministic": True,
        "database": "none",
        # Who asks is said below.
        "with-security-parameters": False,
    },
    "checks": {
        # It cannot see that we sign in by a cookie of our own; test_matrix.py asks every route as
        # a stranger and as each role.
        "ignored_auth": {"enabled": False},
        # No schema can say that a cursor is ours, a filter names something, a place lies in the
        # county or a draft is one's own: such a refusal is 400, which every operation tells of.
        "positive_data_acceptance": {"expected-statuses": ["2xx", "400", "403", "404", "409"]},
    },
}
SCHEMA = schemathesis.openapi.from_wsgi(
    "/api/v1/schema/?format=json", application, config=SchemathesisConfig.from_dict(CONFIG)
)
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
OTHERS = (None, Role.GRID_WORKER, Role.SECURITY_ADMIN, Role.DEPARTMENT_HANDLER)
# Doors that a system's key opens are asked with one, and without.
OUTSIDE, SYSTEM = "/api/v1/outside/", "system"


@dataclass(frozen=True)
class Stage:
    """One of each thing an address may name, and the credentials of each person."""

    things: dict[str, Any]
    people: dict[str | None, dict[str, Any]]


@pytest.fixture(scope="module")
def whole_stage(django_db_setup: None, django_db_blocker: Any) -> Iterator[Stage]:
    """Build the county once for all operations."""
    with django_db_blocker.unblock(), transaction.atomic():
        world = World()
        home = add_household(
            area=world.places.unit, fields=HouseholdFields(address="1号院"), actor=world.town_admin
        )
        mediator = mediator_in(world.places)
        things = {
            "tracking_code": world.dispatched(to=world.grid).tracking_code,
            "code": world.grid.code,
            "number": dispute_at(world.grid, mediator=mediator).number,
            "id": home.pk,
        }
        people = {
            Role.COMMAND: world.command,
            Role.GRID_WORKER: world.worker,
            Role.SECURITY_ADMIN: person(Role.SECURITY_ADMIN, world.county),
            Role.DEPARTMENT_HANDLER: world.city_handler,
        }
        system = System.objects.create(
            name="市平台", scopes=SystemRight.values, daily_quota=MOST_CALLS, minute_quota=6000
        )
        keeper = actor(person(Role.SYSTEM_ADMIN, world.county))
        key = new_key(system_id=system.pk, actor=keeper)
        things["case"] = system.sent.create(incident=world.report()).pk
        sessions = {role: signed_in(user) for role, user in people.items()}
        by_key = {"headers": {"Authorization": f"Bearer {key}"}}
        yield Stage(things, {None: {}, SYSTEM: by_key} | sessions)
        transaction.set_rollback(True)


@pytest.fixture
def stage(whole_stage: Stage, db: None, settings: Any) -> Iterator[Stage]:
    settings.RATE_LIMITS = dict.fromkeys(settings.RATE_LIMITS, (1_000_000, 60))
    # As the test client of Django does: a request must not end the connection of its test.
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield whole_stage
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def signed_in(user: Any) -> dict[str, Any]:
    """Return the cookies and headers of somebody signed in."""
    client = Client()
    client.force_login(user, backend="grids.backends.PostingBackend")
    token = "a" * 32
    return {
        "cookies": {"sessionid": client.session.session_key, "csrftoken": token},
        "headers": {"X-CSRFToken": token},
    }


@pytest.mark.parametrize("operation", OPERATIONS, ids=[found.label for found in OPERATIONS])
def test_every_answer_is_one_the_schema_tells_of(stage, operation):
    others = cycle(OTHERS)

    def ask(case: Any) -> None:
        by_key = OUTSIDE in operation.label
        for who in (SYSTEM, None) if by_key else (Role.COMMAND, next(others)):
            with transaction.atomic():  # what one call did is taken back before the next
                case.call_and_validate(**stage.people[who])
                transaction.set_rollback(True)

    def ask_and_name(case: Any) -> None:
        ask(case)
        named = stage.things.keys() & (case.path_parameters or {}).keys()
        if named:
            case.path_parameters |= {name: stage.things[name] for name in named}
            ask(case)

    build_operation_test(
        config=SCHEMA.config,
        operation=operation,
        test_func=ask_and_name,
        given_kwargs={},
        feedback=NO_FEEDBACK,
    )()
