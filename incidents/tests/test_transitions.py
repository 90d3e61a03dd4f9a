"""Each step of the table: allowed from where and for whom, and refused everywhere else."""

import pytest

from core.errors import Conflict, NotAllowed
from grids.factories import DepartmentFactory, person
from grids.models import Role
from incidents import workflow
from incidents.factories import actor
from incidents.models import ENDED, Incident, State
from incidents.services.step import step
from incidents.workflow import AI, RESIDENT, SYSTEM, TRANSITIONS

# action → (states it starts from, who may take it on a case of the first grid
# owned by city management). Written out again, so that the table cannot be
# changed by accident.
ANY_EXIT = "reported pending dispatched objected accepted arrived supervised"
EXPECTED = {
    "triage": ("reported pending", "command town_admin system ai"),
    "answer": ("reported", "command town_admin system ai"),
    "not_solved": ("answered", "resident"),
    "answer_kept": ("answered", "resident system ai"),
    "exit_emergency": (ANY_EXIT, "command town_admin"),
    "exit_statutory": (ANY_EXIT, "command town_admin"),
    "exit_out_of_remit": (ANY_EXIT, "command town_admin"),
    "merge": (ANY_EXIT, "command town_admin"),
    "join": ("reported", "resident"),
    "unmerge": ("duplicate", "command town_admin"),
    "hand_over": (ANY_EXIT, "command town_admin"),
    "recall": ("emergency statutory duplicate out_of_remit", "command town_admin"),
    "dispatch": ("pending supervised dispatched", "command town_admin system ai"),
    "take_up": ("dispatched accepted arrived", "system ai"),
    "object": ("dispatched", "city_handler"),
    "uphold_objection": ("objected", "command"),
    "reject_objection": ("objected", "command"),
    "accept": ("dispatched", "city_handler"),
    "arrive": ("accepted", "city_handler"),
    "respond": ("accepted arrived", "city_handler"),
    "handle_on_spot": ("reported pending dispatched", "worker chief"),
    # Only whoever found it at an inspection, which a resident's report is not.
    "fix_on_spot": ("reported", ""),
    "split": ("dispatched accepted arrived", "command town_admin city_handler"),
    "drop_task": (
        "reported pending dispatched objected accepted arrived whistled ruling responded "
        "callback answered suspended supervised",
        "",
    ),
    "request_extension": ("accepted arrived", "city_handler"),
    "approve_extension": ("accepted arrived", "command town_admin"),
    "refuse_extension": ("accepted arrived", "command town_admin"),
    "suspend": ("accepted arrived dispatched pending", "command town_admin"),
    "resume": ("suspended", "command town_admin city_handler system ai"),
    "blow_whistle": ("accepted arrived pending supervised dispatched", "command town_admin"),
    "party_accept": ("whistled", "city_handler water_handler"),
    "party_arrive": ("whistled", "city_handler water_handler"),
    "party_answer": ("whistled", "city_handler water_handler"),
    "party_sign": ("whistled", "city_handler water_handler"),
    "party_dissent": ("whistled", "city_handler water_handler"),
    "rule": ("ruling", "command"),
    "verify_pass": ("responded", "command town_admin"),
    "verify_fail": ("responded", "command town_admin"),
    "rate": ("callback closed", "resident"),
    "record_callback": ("callback", "command town_admin office"),
    "callback_unanswered": ("callback", "system ai"),
    "conclude": ("supervised", "command"),
    "supervise": (
        "dispatched objected accepted arrived whistled ruling responded supervised",
        "command leader",
    ),
    "reply_supervision": (
        "reported pending dispatched objected accepted arrived whistled ruling responded "
        "callback answered suspended supervised",
        "city_handler command",
    ),
    "remark": (
        " ".join(State.values),
        "command leader town_admin office worker chief city_handler",
    ),
}
PEOPLE = (
    "command", "leader", "town_admin", "office", "worker", "chief", "city_handler",
    "water_handler", "resident", "system", "ai", "other_town_admin", "other_handler", "nobody",
)  # fmt: skip


@pytest.fixture
def actors(world):
    found = {name: actor(getattr(world, name)) for name in PEOPLE if hasattr(world, name)}
    return found | {
        "resident": RESIDENT,
        "system": SYSTEM,
        "ai": AI,
        "other_town_admin": actor(person(Role.TOWN_ADMIN, world.places.towns[1])),
        "other_handler": actor(person(Role.DEPARTMENT_HANDLER, DepartmentFactory())),
        "nobody": actor(person(Role.AUDIT_ADMIN, world.county)),
    }


def in_state(world, state, *, whistle):
    """Return an unsaved-state copy of a case: only the look-up of rights is under test here."""
    incident = world.whistled() if whistle else world.dispatched()
    incident = Incident.objects.select_related("category", "owner_area").get(pk=incident.pk)
    incident.state = state
    return incident


def test_the_table_is_the_one_written_here():
    assert set(TRANSITIONS) == set(EXPECTED)
    for action, (sources, _who) in EXPECTED.items():
        assert TRANSITIONS[action].sources == set(sources.split()), action


@pytest.mark.parametrize("action", sorted(EXPECTED))
def test_a_step_is_open_to_those_named_and_refused_to_everybody_else(world, actors, action):
    sources, allowed = EXPECTED[action]
    incident = in_state(world, sources.split()[0], whistle=action.startswith("party_"))
    may = {name for name, who in actors.items() if workflow.refusal(who, incident, action) is None}
    if action == "reply_supervision":
        may -= {"water_handler"}
    assert may == set(allowed.split())


@pytest.mark.parametrize("action", sorted(EXPECTED))
def test_a_step_is_refused_from_every_other_state(action):
    wrong = set(State.values) - set(EXPECTED[action][0].split())
    for state in wrong:
        assert not workflow.state_allows(Incident(state=state), action)


def test_a_step_from_the_wrong_state_tells_what_happened_instead(world):
    incident = world.responded()
    with (
        pytest.raises(Conflict, match=r"已|moved|案"),
        step(incident_id=incident.pk, action="accept", actor=actor(world.city_handler)),
    ):
        pass


def test_a_step_of_somebody_else_is_refused_before_the_state_is_told(world):
    incident = world.responded()
    with (
        pytest.raises(NotAllowed),
        step(incident_id=incident.pk, action="accept", actor=actor(world.water_handler)),
    ):
        pass


def test_every_state_but_the_ended_ones_has_a_way_on():
    for state in set(State.values) - ENDED:
        ways = [t for t in TRANSITIONS.values() if state in t.sources and t.action != "remark"]
        assert any(t.target != state for t in ways), state


def test_what_is_offered_is_what_is_allowed(world, actors):
    incident = world.accepted()
    incident = Incident.objects.select_related("category", "owner_area").get(pk=incident.pk)
    for who in actors.values():
        offered = {line.action for line in workflow.available(who, incident)}
        allowed = {
            action
            for action in TRANSITIONS
            if workflow.state_allows(incident, action)
            and workflow.refusal(who, incident, action) is None
        }
        assert offered == allowed
