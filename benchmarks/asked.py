"""The requests of each row, drawn from the county that stands.

What lives here: which addresses, whose session, how many statements a page takes. What must
not: sending them under load (load.py).
"""

import json
import uuid
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from random import Random
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth import get_user_model
from django.core import mail
from django.db import connection
from django.db.models import Count
from django.middleware.csrf import CSRF_SECRET_LENGTH
from django.test import Client
from django.test.utils import CaptureQueriesContext, setup_test_environment
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import get_random_string

from grids.models import Area, Level, Posting, Role
from incidents.models import Category, Incident
from incidents.queries.desks import DEPARTMENT_TABS, PLACE_TABS

BACKEND = "grids.backends.PostingBackend"
HOST = "127.0.0.1"
# Pages turned before the deeper page of a list is measured.
DEEP = 5
REPORTS = 30_000


@dataclass
class Page:
    """One address as one person opens it, and how many statements it took."""

    label: str
    path: str
    cookie: str
    statements: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def request(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "path": self.path,
            "headers": {"Cookie": self.cookie, "Accept-Encoding": "gzip", **self.headers},
        }


class Person:
    """Somebody signed in: a test client for counting, a cookie for the wire."""

    def __init__(self, user: Any) -> None:
        self.user = user
        self.client = Client(SERVER_NAME=HOST)
        self.client.force_login(user, backend=BACKEND)
        self.token = get_random_string(CSRF_SECRET_LENGTH)
        session = self.client.cookies["sessionid"].value
        self.cookie = f"sessionid={session}; csrftoken={self.token}"

    @classmethod
    def holding(cls, role: str, **place: int) -> "Person":
        """Return the first who holds ``role`` (at the place)."""
        posting = Posting.objects.current().filter(role=role, **place).order_by("id").first()
        if posting is None:
            raise LookupError(f"nobody is {role} at {place}")
        return cls(posting.user)

    def look(self, path: str, **headers: str) -> tuple[Any, int]:
        """Open a page twice here; return the second answer and its number of statements."""
        self.client.get(path, headers=headers)
        with CaptureQueriesContext(connection) as seen:
            response = self.client.get(path, headers=headers)
        if response.status_code != 200:
            raise LookupError(f"{path} answers {response.status_code}")
        return response, len(seen)

    def deep(self, path: str) -> str | None:
        """Return the address DEEP pages on, or of the last page; None when there is but one."""
        found = None
        if not hasattr(mail, "outbox"):
            setup_test_environment()  # answers then tell the context they were drawn from
        for _n in range(DEEP):
            response = self.client.get(path)
            path = response.context["next_url"]
            if not path:
                break
            found = path
        return found


def reports(rng: Random) -> list[dict[str, Any]]:
    """Return reports with new keys, from points inside grids, with the texts of the county."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT lon, lat FROM bench.place ORDER BY n")
        points = cursor.fetchall()
        cursor.execute("SELECT body FROM bench.text ORDER BY n")
        told = [body for (body,) in cursor.fetchall()]
    found = []
    for _n in range(REPORTS):
        lon, lat = rng.choice(points)
        body = {
            "text": rng.choice(told),
            "lat": lat,
            "lon": lon,
            "name": "测试",
            "phone": f"1990000{rng.randrange(10_000):04}",
            "report_key": str(uuid.uuid4()),
        }
        found.append(
            {
                "label": "report",
                "method": "POST",
                "path": reverse("api_reports"),
                "headers": {"Content-Type": "application/json"},
                "body": json.dumps(body, ensure_ascii=False),
                "expect": [201],
            }
        )
    return found


def queue_pages() -> list[Page]:
    """Return the lists of command centre, town, village and departments, first and deeper."""
    command = Person.holding(Role.COMMAND)
    address = reverse("command_queue")
    pages = []
    for label, params in filters().items():
        path = f"{address}?{urlencode(params)}" if params else address
        pages += _both(command, f"queue {label}", path)
    busiest, quietest = _ends("town_id", Area.objects.filter(level=Level.TOWN))
    for name, pk in (("busiest town", busiest), ("quietest town", quietest)):
        person = Person.holding(Role.TOWN_ADMIN, area_id=pk)
        for tab in PLACE_TABS[Level.TOWN]:
            pages += _both(person, f"{name} {tab.name}", f"{reverse('town')}?tab={tab.name}")
    village, _least = _ends("village_id", Area.objects.filter(level=Level.VILLAGE))
    person = Person.holding(Role.VILLAGE_OFFICE, area_id=village)
    for tab in PLACE_TABS[Level.VILLAGE]:
        pages += _both(person, f"village {tab.name}", f"{reverse('village')}?tab={tab.name}")
    department = (
        Incident.objects.open()
        .filter(owner_department__isnull=False)
        .values_list("owner_department")
        .annotate(n=Count("pk"))
        .order_by("-n")[0][0]
    )
    person = Person.holding(Role.DEPARTMENT_HANDLER, department_id=department)
    for tab in DEPARTMENT_TABS:
        pages += _both(person, f"department {tab.name}", f"{reverse('department')}?tab={tab.name}")
    return pages


def _both(person: Person, label: str, path: str) -> list[Page]:
    """Return the first page, and a deeper one where there is one."""
    pages = [Page(label, path, person.cookie, person.look(path)[1])]
    if further := person.deep(path):
        pages.append(Page(f"{label}, deeper", further, person.cookie, person.look(further)[1]))
    return pages


def _ends(column: str, areas: Any) -> tuple[int, int]:
    """Return the areas with the most and the fewest open cases."""
    counted = dict(Incident.objects.open().values_list(column).annotate(n=Count("pk")))
    order = sorted(areas.values_list("pk", flat=True), key=lambda pk: counted.get(pk, 0))
    return order[-1], order[0]


def filters() -> dict[str, dict[str, Any]]:
    """Return filters of the command centre's queue by name: common, rare, and combined."""
    category = dict(Incident.objects.open().values_list("category").annotate(n=Count("pk")))
    category.pop(None, None)
    common, rare = max(category, key=category.__getitem__), min(category, key=category.__getitem__)
    department = Category.objects.get(pk=rare).owner_id
    busy, quiet = _ends("town_id", Area.objects.filter(level=Level.TOWN))
    grid = Area.objects.filter(level=Level.GRID).order_by("-path").values_list("pk", flat=True)[0]
    frequent_word, rare_word = _words()
    year_ago = timezone.localdate() - timezone.timedelta(days=365)
    return {
        "all open": {},
        "all open, by deadline": {"order": "due"},
        "whole past": {"show": "all"},
        "closed": {"state": "closed"},
        "to verify": {"waiting": "verify"},
        "overdue, by deadline": {"waiting": "overdue", "order": "due"},
        "dissents (rare)": {"state": "ruling"},
        "supervised (rare)": {"waiting": "supervise"},
        "extensions (none)": {"waiting": "extension"},
        "merged (rare)": {"state": "duplicate"},
        "possible emergencies": {"urgency": "2"},
        "emergencies of the past": {"urgency": "2", "show": "all"},
        "common category": {"category": common},
        "common category, past": {"category": common, "show": "all"},
        "rare category": {"category": rare},
        "rare category, past": {"category": rare, "show": "all"},
        "major class, past": {"major": Category.objects.get(pk=rare).major, "show": "all"},
        "department and overdue": {"department": department, "overdue": "1"},
        "department, past": {"department": department, "show": "all"},
        "busy town": {"area": busy},
        "quiet town, past": {"area": quiet, "show": "all"},
        "grid, past": {"area": grid, "show": "all"},
        "tier whistle, past": {"tier": "whistle", "show": "all"},
        "source inspection, past": {"source": "inspection", "show": "all"},
        "a day a year ago": {"since": year_ago, "until": year_ago, "show": "all"},
        "before a year ago": {"until": year_ago, "show": "all"},
        "before a year ago, still open": {"until": year_ago},
        "town, category and closed": {"area": quiet, "category": rare, "state": "closed"},
        "department and source, past": {
            "department": department,
            "source": "inspection",
            "show": "all",
        },
        "frequent word": {"text": frequent_word},
        "frequent word, past": {"text": frequent_word, "show": "all"},
        "rare word, past": {"text": rare_word, "show": "all"},
        "rare word and state": {"text": rare_word, "state": "closed"},
        "word nobody wrote": {"text": "鲲鹏", "show": "all"},
    }


def _words() -> tuple[str, str]:
    """Return a word of very many texts and one of few."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT word, count(*) FROM bench.text, unnest(words) AS word"
            " WHERE word ~ '^[一-龥]{2}$' GROUP BY word ORDER BY count(*) DESC, word"
        )
        words = cursor.fetchall()
    return words[0][0], words[-1][0]


def case_pages(rng: Random, count: int = 1500) -> list[Page]:
    """Return pages of single cases, open and ended, as command centre and departments open them."""
    command = Person.holding(Role.COMMAND)
    handlers = handlers_by_department()
    found = []
    newest = Incident.objects.order_by("-pk").values_list("pk", flat=True)[0]
    ids = [rng.randint(1, newest) for _n in range(count)]
    opened = list(Incident.objects.open().order_by("?").values_list("pk", flat=True)[:count])
    rows = Incident.objects.filter(pk__in=[*ids, *opened]).values_list(
        "tracking_code", "owner_department_id", "ended_at"
    )
    for code, department, ended in rows:
        person = handlers[department] if department and rng.random() < 0.5 else command
        label = "open one case, ended" if ended else "open one case, open"
        found.append(Page(label, reverse("incident", args=[code]), person.cookie))
    for page in found[:40]:
        who = next(p for p in [command, *handlers.values()] if p.cookie == page.cookie)
        page.statements = who.look(page.path)[1]
    rng.shuffle(found)
    return found


def handlers_by_department() -> dict[int, Person]:
    """Return one handler of each department."""
    ids = Posting.objects.current().filter(role=Role.DEPARTMENT_HANDLER)
    return {
        pk: Person.holding(Role.DEPARTMENT_HANDLER, department_id=pk)
        for pk in ids.values_list("department_id", flat=True).distinct()
    }


def steps(count: int, *, api: bool) -> list[dict[str, Any]]:
    """Return ``count`` cases accepted and then arrived at: two steps for each case."""
    handlers = handlers_by_department()
    rows = Incident.objects.open().filter(
        state="dispatched", owner_department__in=handlers, overdue_at__isnull=True
    )
    cases = list(
        rows.order_by("?").values_list("tracking_code", "owner_department_id", "version")[:count]
    )
    found: list[dict[str, Any]] = []
    for some in zip_longest(*[iter(cases)] * 100):
        batch = [case for case in some if case]
        for action, more in (("accept", 0), ("arrive", 1)):
            found += [
                _step(handlers[owner], code, action, version + more, api=api)
                for code, owner, version in batch
            ]
    return found


def _step(person: Person, code: str, action: str, seen: int, *, api: bool) -> dict[str, Any]:
    headers = {"Cookie": person.cookie, "X-CSRFToken": person.token}
    if api:
        path = reverse("api_incidents-take", args=[code, action])
        body, kind, expect = json.dumps({"seen": seen}), "application/json", [200]
    else:
        path = reverse("incident_do", args=[code, action])
        body = urlencode({"seen": seen, "next": reverse("department")})
        kind, expect = "application/x-www-form-urlencoded", [302]
    return {
        "label": f"step {action}{' (API)' if api else ''}",
        "method": "POST",
        "path": path,
        "headers": {**headers, "Content-Type": kind},
        "body": body,
        "expect": expect,
    }


def dashboard_pages() -> list[Page]:
    """Return the board's figures as the board asks for them."""
    command = Person.holding(Role.COMMAND)
    path = reverse("command_figures")
    headers = {"HX-Request": "true"}
    _response, statements = command.look(path, **headers)
    return [Page("figures", path, command.cookie, statements, headers)]


def newest_ids(count: int = 500) -> list[int]:
    """Return ids spread over the whole table, for the floors."""
    newest = Incident.objects.order_by("-pk").values_list("pk", flat=True)[0]
    return list(islice(range(newest, 60, -max(1, newest // count)), count))


def accounts() -> int:
    """Return how many accounts there are."""
    return get_user_model().objects.count()
