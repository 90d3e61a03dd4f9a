"""The row of search: a word of two characters over the texts of all cases, the first fifty.

What lives here: words from frequent to rare, asked for in this process as the command centre does,
against the bare statement of the same run. What must not: the page around it (rows.py, queue).
"""

from typing import TYPE_CHECKING

from django.db import connection

from benchmarks.territory import Lines, each, line
from grids.models import Posting, Role
from grids.queries import Scope
from incidents.queries.queue import queue_page, read_filters

if TYPE_CHECKING:
    from benchmarks.__main__ import Bench

WORDS, TARGET_MS = 100, 50

# Words of two Chinese characters, evenly from the most frequent to the rarest.
DRAWN = """
    SELECT word FROM (
        SELECT word, row_number() OVER (ORDER BY count(*) DESC, word) AS place,
               count(*) OVER () AS words
          FROM bench.text, unnest(words) AS word WHERE word ~ '^[一-龥]{2}$' GROUP BY word
    ) AS ranked WHERE place %% greatest(1, words / %s) = 1 ORDER BY place
"""
BARE = """
    SELECT id FROM incidents_incident WHERE bigrams @> ARRAY[%s]::varchar(40)[]
     ORDER BY id DESC LIMIT 51
"""


def measure_search(bench: "Bench") -> Lines:
    """Find the newest fifty cases with each word, open and past."""
    command = Posting.objects.current().filter(role=Role.COMMAND).order_by("id")[0].user
    scope = Scope.for_user(command)
    with connection.cursor() as cursor:
        words = [word for (word,) in cursor.execute(DRAWN, [WORDS]).fetchall()]
        floor = each(words, lambda word: cursor.execute(BARE, [word]).fetchall())
    filters = {word: read_filters({"text": word, "show": "all"}, scope=scope) for word in words}
    found = each(
        words, lambda word: queue_page(user=command, scope=scope, filters=filters[word]).items
    )
    bench.results["search"] = {"words": words, "ms": found, "floor_ms": floor}
    measured = f"{found['mean']:.1f} ms, p95 {found['p95']:.1f} ms"
    row = f"search, {len(words)} words of two characters, first 50"
    ok = found["p95"] <= TARGET_MS
    target = f"p95 ≤ {TARGET_MS} ms"
    return [line(row, measured, "", target, ok, floor["mean"] / 1000, found["mean"] / 1000)]
