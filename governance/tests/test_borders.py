"""The border of a town: whoever is posted in another one reaches nothing of it, by no route.

The routes are read from the resolver. Each that names a thing is asked for one of the first town,
by everybody of the second; each that names none is read for words only the first town knows.
"""

import io
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from PIL import Image

from core.models import SheetUpload
from core.services import papers, sheets
from governance.tests.routes import Route, all_routes
from grids.factories import person
from grids.models import (
    Area,
    GridTheme,
    Posting,
    Role,
    User,
    VisitPhoto,
)
from grids.models.reorganisation import StepKind
from grids.services import boundary_import, cards, network, reorganisation, worker_file
from grids.services.households import HouseholdFields, add_household
from grids.services.visits import SentVisit, record_visit
from incidents.factories import World, draft_photo
from incidents.factories import actor as acting
from incidents.models import EarlyWarning, HookDelivery, HotTopic, Incident, System, Webhook
from incidents.services import hotline_sheet, inspections, standing
from mediation.factories import dispute_at, mediator_in
from mediation.models import DisputeState

pytestmark = pytest.mark.django_db

# A word that stands in names, texts and addresses of the first town alone.
MARK = "界外"
# Names and codes of places, which are public; the county's list of themes; everybody's own account.
# Channels and words of messages, deadlines and AI models are the county's, and of no town.
OPEN_TO_ALL = (
    "api/v1/areas/",
    "territory/themes/",
    "account/factor/",
    "account/file/",
    "messages/",
    "deadlines/",
    "standing-orders/",
    "rules/",
    "triage/models/",
    # Open to the key of a connected system, and to no person.
    "api/v1/outside/",
    "ai/items/",
)
SQUARE = [[115.201, 33.601], [115.205, 33.601], [115.205, 33.605], [115.201, 33.601]]


def picture() -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", (90, 120), "teal").save(out, "JPEG")
    out.seek(0)
    out.name = "portrait.jpg"
    return out


@dataclass
class Border:
    """A town with one of everything, and the people of the town beside it."""

    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        world, places = self.world, self.world.places
        for area in (*places.villages[:2], *places.grids[:4], places.unit):
            Area.objects.filter(pk=area.pk).update(name=f"{area.name}{MARK}")
            area.refresh_from_db()
        for user in (world.worker, world.chief, world.office, world.town_admin):
            user.display_name = f"{MARK}{user.pk}"
            user.save(update_fields=["display_name"])
        self.admin, self.worker = world.town_admin, world.worker
        self.things = self._things()
        town, village, grid = places.towns[1], places.villages[2], places.grids[4]
        self.neighbours = {
            Role.TOWN_ADMIN: person(Role.TOWN_ADMIN, town),
            Role.VILLAGE_OFFICE: person(Role.VILLAGE_OFFICE, village),
            Role.GRID_GUIDE: person(Role.GRID_GUIDE, village),
            Role.GRID_CHIEF: person(Role.GRID_CHIEF, grid),
            Role.GRID_WORKER: person(Role.GRID_WORKER, grid),
            Role.MEDIATOR: person(Role.MEDIATOR, town),
            Role.DEPARTMENT_HANDLER: world.water_handler,
        }

    def _things(self) -> dict[str, dict[str, Any]]:
        """Return {beginning of a route: {argument: one of the first town}}."""
        world, places, admin, worker = self.world, self.world.places, self.admin, self.worker
        case = world.dispatched()
        Incident.objects.filter(pk=case.pk).update(text=f"{MARK}村口垃圾")
        photo = draft_photo(admin, incident=case)
        standing.put_order(
            kind="other",
            area=places.towns[0],
            valid_from=timezone.localdate(),
            valid_to=None,
            steps=[standing.CallTerm(60, role=Role.GRID_WORKER)],
            actor=world.command,
        )
        (call, *_last) = standing.start(incident_id=case.pk, numbers=[], now=timezone.now())
        self.mediator = mediator_in(places)
        dispute = dispute_at(places.grids[0], mediator=self.mediator, state=DisputeState.AGREED)
        home = add_household(
            area=places.unit,
            fields=HouseholdFields(
                address=f"{MARK}1号院", contact=f"{MARK}周", phone="19900001234"
            ),
            actor=admin,
        )
        visit, _new = record_visit(
            sent=SentVisit(household_id=home.pk, diary=MARK, photos=[picture()]), actor=worker
        )
        grid = places.grids[0]
        theme = GridTheme.objects.first()
        duty = network.give_duty(grid_id=grid.pk, theme=theme, user=worker, actor=admin)
        alliance = network.found_alliance(
            fields=network.AllianceFields(
                name=f"{MARK}联村",
                lead_id=places.villages[0].pk,
                village_ids=[places.villages[0].pk, places.villages[1].pk],
                valid_from=timezone.localdate(),
            ),
            actor=admin,
        )
        entry = worker_file.recommend_for_reserve(
            actor=admin,
            person=worker,
            recommended_on=timezone.localdate() - timedelta(days=1),
            reason=MARK,
        )
        profile = cards.set_photo(actor=admin, person=worker, file=picture())
        roster, ledger = (
            sheets.take(kind=kind, data=MARK.encode("utf-8-sig"), file_name="x.csv", actor=admin)
            for kind in ("roster", "households")
        )
        # A saved one, so that what comes after saving is there too.
        SheetUpload.objects.filter(pk=roster.pk).update(state=SheetUpload.State.SAVED)
        paper = papers.order(
            kind=cards.KIND,
            title=f"{MARK}连心卡",
            order={"area": places.towns[0].pk, "address": "https://county.invalid", "ip": None},
            actor=admin,
        )
        shape = {
            "type": "Feature",
            "properties": {"code": grid.code},
            "geometry": {"type": "Polygon", "coordinates": [SQUARE]},
        }
        boundaries = boundary_import.take_in(
            file=io.BytesIO(
                json.dumps({"type": "FeatureCollection", "features": [shape]}).encode()
            ),
            filename="grids.json",
            system="wgs84",
            area=places.towns[0],
            actor=admin,
        )
        act = reorganisation.draft(
            actor=admin,
            title=f"{MARK}并村",
            effective_on=timezone.localdate() + timedelta(days=30),
            steps=[
                reorganisation.NewStep(
                    kind=StepKind.MERGE_VILLAGES,
                    subject=places.villages[1],
                    target=places.villages[0],
                )
            ],
        )
        campaign = inspections.make_inspection(
            fields=inspections.InspectionFields(
                name=f"{MARK}检查",
                kind="firm",
                area=places.towns[0],
                starts_on=timezone.localdate(),
                ends_on=timezone.localdate(),
                areas=[places.towns[0]],
                items=[inspections.ItemFields(f"{MARK}灭火器", world.rubbish, 7)],
            ),
            actor=acting(admin),
        )
        firm = inspections.add_place(
            inspection_id=campaign.pk,
            fields=inspections.PlaceFields(f"{MARK}面粉厂", f"{MARK}东街", grid),
            actor=acting(admin),
        )
        firms = sheets.take(
            kind="inspection_places",
            data=MARK.encode("utf-8-sig"),
            file_name="x.csv",
            actor=admin,
        )
        system = System.objects.create(name=f"{MARK}热线")
        hook = Webhook.objects.create(
            system=system, address="https://hotline.invalid", secret="whs_x", events=[]
        )
        told = HookDelivery.objects.create(webhook=hook, event_id=uuid4(), event="test")
        orders = hotline_sheet.take(
            system_id=system.pk,
            data=MARK.encode("utf-8-sig"),
            file_name="x.csv",
            actor=world.command,
        )
        return {
            "inspections/": {"pk": campaign.pk, "place_id": firm.pk},
            "inspections/sheet/": {"upload_id": firms.pk},
            "api/v1/areas/": {"code": grid.code},
            "api/v1/incidents/": {"tracking_code": case.tracking_code, "step": "accept"},
            "api/v1/disputes/": {"number": dispute.number},
            "api/v1/visits/": {"pk": visit.pk},
            "account/people/": {"pk": worker.pk, "act": "lock"},
            "households/": {"pk": home.pk, "action": "change"},
            "visits/photo/": {"photo_id": VisitPhoto.objects.get(visit=visit).pk},
            "visits/done/": {"pk": visit.pk},
            "visits/": {"pk": home.pk},
            "roster/import/": {"upload_id": roster.pk},
            "households/sheet/": {"upload_id": ledger.pk},
            "papers/": {"paper_id": paper.pk},
            "roster/": {
                "pk": worker.pk,
                "person_id": worker.pk,
                "action": "appoint",
                "kind": "reserve",
                "entry_id": entry.pk,
            },
            "cards/": {
                "area_id": places.villages[0].pk,
                "posting_id": Posting.objects.get(user=worker).pk,
                "key": profile.photo_key,
            },
            "reveal/": {"kind": "household", "key": home.pk, "field": "phone"},
            "territory/": {"pk": grid.pk},
            "territory/duties/": {"pk": duty.pk},
            "territory/alliances/": {"pk": alliance.pk},
            "territory/boundaries/": {"import_id": boundaries.pk},
            "territory/reorganise/": {"pk": act.pk, "action": "submit", "key": "incidents:open"},
            "scores/people/": {"pk": worker.pk},
            "topics/": {"pk": self._topic(case).pk},
            "topics/warnings/": {"pk": self._warning(case).pk},
            "incidents/": {"code": case.tracking_code, "action": "accept"},
            "hotline/import/": {"upload_id": orders.pk},
            "systems/": {"pk": hook.pk, "act": "close", "delivery": told.pk},
            "calls/": {"pk": call.pk},
            "worker/sent/": {"code": case.tracking_code},
            "files/": {"photo_id": photo.pk},
            "mediation/": {"number": dispute.number, "action": "step"},
        }

    def _where(self) -> dict[str, Any]:
        world = self.world
        return {
            "county": world.county,
            "town": world.town,
            "village": world.village,
            "category": world.rubbish,
        }

    def _topic(self, case: Incident) -> HotTopic:
        return HotTopic.objects.create(
            **self._where(),
            words=[MARK],
            heat=3,
            trend="steady",
            days=[0] * 13 + [3],
            sample=[case.pk],
            first_seen=case.reported_at,
            last_seen=case.reported_at,
            counted_on=timezone.localdate(),
        )

    def _warning(self, case: Incident) -> EarlyWarning:
        return EarlyWarning.objects.create(
            **self._where(),
            raised_at=case.reported_at,
            n=9,
            expected=1,
            chance=1e-6,
            last_over_on=timezone.localdate(),
        )

    def url(self, route: Route) -> str:
        """Return the route's address of the thing of the first town."""
        begins = [prefix for prefix in self.things if route.pattern.startswith(prefix)]
        assert begins, f"name something of the first town for {route.pattern}"
        values = self.things[max(begins, key=len)]
        missing = [name for name, _kind in route.arguments if name not in values]
        assert not missing, f"{route.pattern} also wants {missing}"
        return "/" + route.pattern % {name: values[name] for name, _kind in route.arguments}


@pytest.fixture
def border() -> Border:
    return Border()


OURS = [route for route in all_routes() if not route.admin and route.roles is not None]
NAMING = [route for route in OURS if route.arguments and not route.pattern.startswith(OPEN_TO_ALL)]
PLAIN = [route for route in OURS if not route.arguments]
NEIGHBOURS = [
    Role.TOWN_ADMIN,
    Role.VILLAGE_OFFICE,
    Role.GRID_GUIDE,
    Role.GRID_CHIEF,
    Role.GRID_WORKER,
    Role.MEDIATOR,
    Role.DEPARTMENT_HANDLER,
]


def client_of(user: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(user, backend="grids.backends.PostingBackend")
    return client


def body(response: Any) -> str:
    raw = b"".join(response.streaming_content) if response.streaming else response.content
    return raw.decode("utf-8", "replace")


@pytest.mark.parametrize("role", NEIGHBOURS)
def test_nothing_of_the_town_is_reached_from_the_next_by_naming_it(border, role):
    client = client_of(border.neighbours[role])
    reached = []
    for route in NAMING:
        url = border.url(route)
        for ask in (client.get, client.post):
            response = ask(url)
            if response.status_code not in {403, 404, 405}:
                reached.append((route.pattern, ask.__name__, response.status_code))
    assert reached == []


def test_the_things_asked_for_are_there_for_their_own_town(border):
    """The control: the same addresses answer somebody, or the test above proves nothing."""
    people = [border.admin, border.worker, border.world.office, border.world.city_handler]
    security = person(Role.SECURITY_ADMIN, border.world.county)
    system = person(Role.SYSTEM_ADMIN, border.world.county)
    people += [border.world.command, border.mediator, security, system]
    clients = [client_of(user) for user in people]
    lost = []
    for route in NAMING:
        url = border.url(route)
        answers = {client.get(url).status_code for client in clients}
        if answers <= {403, 404}:
            lost.append((route.pattern, sorted(answers)))
    assert lost == [], lost


@pytest.mark.parametrize("role", NEIGHBOURS)
def test_no_list_export_or_map_of_the_next_town_says_a_word_of_it(border, role):
    client = client_of(border.neighbours[role])
    town, village, grid = (
        border.world.places.towns[0],
        border.world.places.villages[0],
        border.world.places.grids[0],
    )
    box = "west=115&south=33&east=117&north=35&zoom=14&bbox=115,33,117,35&level=grid"
    asked = ["", f"?area={town.pk}", f"?area={village.pk}&village={village.pk}"]
    asked += [f"?area={grid.pk}&grid={grid.pk}&q={MARK[0]}&text={MARK[0]}", f"?{box}"]
    asked += [f"?area={town.pk}&format={kind}&level=grid" for kind in ("geojson", "kml", "csv")]
    told = []
    for route in PLAIN:
        for query in asked:
            response = client.get(f"/{route.pattern}{query}")
            if response.status_code == 500 or MARK in body(response):
                told.append((route.pattern, query, response.status_code))
    assert told == []
