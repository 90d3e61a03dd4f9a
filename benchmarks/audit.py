"""The rows of the audit trail: sealing many entries, and turning the pages of a long trail.

What lives here: entries written by SQL, and what is measured over them, in this process; all is
rolled back afterwards. What must not: the chain (core/chain.py) and what the page reads.
"""

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.utils import timezone

from benchmarks.asked import Person
from benchmarks.territory import Lines, each, line, timed
from core.chain import ENTRY
from core.models import AuditEntry
from core.services.sealing import seal
from grids.models import Area, Level, Role

if TYPE_CHECKING:
    from benchmarks.__main__ import Bench

ENTRIES, TURNS = 200_000, 20
ACTIONS = ("posting.open", "posting.end", "household.visit", "household.change", "reveal.phone")

FILL = """
    INSERT INTO core_auditentry (at, actor_id, action, subject_type, subject_id, data, town_id)
    SELECT now() - make_interval(secs => (%(n)s - n) * 60), people[1 + n %% cardinality(people)],
           (%(actions)s::text[])[1 + n %% cardinality(%(actions)s::text[])], 'household', n,
           '{"fields": ["contact", "phone"]}', towns[1 + n %% cardinality(towns)]
      FROM generate_series(1, %(n)s) AS n,
           (SELECT array_agg(id) AS people FROM grids_user) AS p,
           (SELECT array_agg(id) AS towns FROM grids_area WHERE level = 'town') AS t
"""
# The least sealing must do: read every entry as it is sealed.
BARE_READ = f"SELECT count({ENTRY}) FROM core_auditentry e"
BARE_PAGE = "SELECT * FROM core_auditentry ORDER BY id DESC LIMIT 51"


def measure_audit(bench: "Bench") -> Lines:
    """Seal a long trail once, and turn its pages as the auditor does."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(FILL, {"n": ENTRIES, "actions": list(ACTIONS)})
            cursor.execute("ANALYZE core_auditentry")
            floor, _work = timed(lambda: cursor.execute(BARE_READ))
        sealed = 0

        def act() -> None:
            nonlocal sealed
            sealed = seal(at_most=10 * ENTRIES, patience=0)

        took, work = timed(act)
        bench.results["audit sealing"] = {"entries": sealed, "seconds": took, "floor": floor}
        measured = f"{took:.1f} s, {sealed / took:,.0f}/s"
        row = f"sealing {sealed:,} audit entries"
        lines = [line(row, measured, f"{work:.1f} s", "", None, floor, took)]
        lines.append(_pages(bench))
        transaction.set_rollback(True)
    return lines


def _pages(bench: "Bench") -> list[str]:
    auditor = Person.holding(Role.AUDIT_ADMIN)
    town = Area.objects.filter(level=Level.TOWN).earliest("path")
    actor = AuditEntry.objects.filter(actor__isnull=False).latest("pk").actor
    day = timezone.localdate()
    long_ago = day - timedelta(minutes=ENTRIES // 2)
    asked = ["", "action=reveal.phone", f"town={town.pk}", f"since={day}", f"until={long_ago}"]
    asked += [f"actor={actor.username}"] if actor else []
    paths = [f"/audit/?{query}" for query in asked]
    most = max(auditor.look(path)[1] for path in paths)
    with connection.cursor() as cursor:
        floor = each([BARE_PAGE] * 200, lambda one: cursor.execute(one).fetchall())
    found = each(paths * TURNS, auditor.client.get)
    bench.results["audit pages"] = {"ms": found, "floor_ms": floor, "statements": most}
    measured = f"{found['mean']:.1f} ms, p95 {found['p95']:.1f} ms, ≤ {most} SQL"
    row = f"page of the audit trail ({len(paths)} addresses, {ENTRIES:,} entries more)"
    return line(row, measured, "", "", None, floor["mean"] / 1000, found["mean"] / 1000)
