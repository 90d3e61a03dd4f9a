"""The floor: the least a web answer of this kind can cost here, without the product.

Served by the same granian with the same options, asked by the same clients, over the same
database; each address is one statement through psycopg's pool and a short answer.
"""

import os
from collections.abc import Callable, Iterable
from random import randint
from typing import Any
from urllib.parse import parse_qs

from psycopg_pool import ConnectionPool

COLUMNS = (
    "tracking_code, state, urgency, source, tier, left(text, 120), town_id, village_id, grid_id,"
    " category_id, owner_department_id, reported_at, due_at, overdue_at"
)
STATEMENTS: dict[str, tuple[str, Callable[[int], tuple[int, ...]]]] = {
    "/insert": ("INSERT INTO bench.floor (body) VALUES ('a report')", lambda n: ()),
    "/update": (
        "UPDATE bench.floor SET n = n + 1 WHERE id = %s",
        lambda n: (randint(1, 10_000),),
    ),
    "/page": (
        f"SELECT {COLUMNS} FROM incidents_incident WHERE id <= %s ORDER BY id DESC LIMIT 51",
        lambda n: (n,),
    ),
    "/one": (f"SELECT {COLUMNS}, text FROM incidents_incident WHERE id = %s", lambda n: (n,)),
    "/figures": (
        "SELECT town_id, metric, sum(n) FROM incidents_figure"
        " WHERE county_id = (SELECT min(county_id) FROM bench.place)"
        " AND day >= current_date - 30 GROUP BY town_id, metric",
        lambda n: (),
    ),
}
pool = ConnectionPool(os.environ["BENCH_DSN"], min_size=1, max_size=8, open=True)


def application(environ: dict[str, Any], start_response: Callable) -> Iterable[bytes]:
    """Answer one of STATEMENTS; ``?n=`` is the id asked for."""
    if environ["PATH_INFO"] not in STATEMENTS:
        start_response("404 Not Found", [("Content-Length", "0")])
        return [b""]
    statement, values = STATEMENTS[environ["PATH_INFO"]]
    asked = parse_qs(environ.get("QUERY_STRING", "")).get("n", ["1"])
    with pool.connection() as connection:
        cursor = connection.execute(statement, values(int(asked[0])))
        rows = cursor.fetchall() if cursor.description else []
    body = repr(rows).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
