"""The row of articles: finding what answers a question in a large knowledge base.

What lives here: articles written by SQL from the texts of the cases and rolled back afterwards, and
asking for them in this process as the AI tier does, against the bare statement of the same run.
What must not: what makes an article fit (incidents/queries/knowledge.py).
"""

import time
from typing import TYPE_CHECKING

from django.db import connection, transaction

from benchmarks.search import DRAWN
from benchmarks.territory import Lines, each, line
from core.kept import forget_remembered
from core.text import bigrams
from incidents.models import Article
from incidents.queries.knowledge import search
from incidents.services.outside_model import ARTICLES_SENT

if TYPE_CHECKING:
    from benchmarks.__main__ import Bench

ARTICLES, WORDS, SENTENCES, TARGET_MS = 50_000, 100, 100, 50

INDEX = "article_bigrams"
# Each of three texts of cases, the first of them its title too; two of its words are keywords.
FILL = """
    INSERT INTO incidents_article (code, title, title_en, body, source, published_on, keywords,
           category_id, bigrams, active)
    SELECT 'B-' || i, left(one.body, 20), '', one.body || two.body || three.body, '', current_date,
           one.words[5:6], kind.category_id,
           ARRAY(SELECT DISTINCT unnest(one.words || two.words || three.words)), true
      FROM generate_series(1, %(articles)s::bigint) AS article (i)
      JOIN bench.text one ON one.n = floor(bench.u(i, 1) * %(texts)s)
      JOIN bench.text two ON two.n = floor(bench.u(i, 2) * %(texts)s)
      JOIN bench.text three ON three.n = floor(bench.u(i, 3) * %(texts)s)
      JOIN bench.kind kind ON kind.n = floor(bench.u(i, 4) * %(kinds)s)
"""
# What residents wrote, spread over all categories.
SAID = "SELECT body FROM bench.text WHERE n %% greatest(1, %(texts)s / %(sentences)s) = 0"
BARE_WORD = "SELECT id FROM incidents_article WHERE bigrams @> ARRAY[%s]::varchar(40)[] LIMIT 51"
BARE_SENTENCE = "SELECT id FROM incidents_article WHERE bigrams && %s::varchar(40)[] LIMIT 51"


def measure_articles(bench: "Bench") -> Lines:
    """Find the articles that fit best with single words, and with whole sentences."""
    with transaction.atomic():
        began = time.monotonic()
        words, sentences = _fill()
        forget_remembered()
        seconds = time.monotonic() - began
        bench.results["articles filled"] = {"seconds": seconds, "articles": Article.objects.count()}
        lines = [
            _line(bench, f"{len(words)} words of two characters", words, BARE_WORD, [*words]),
            _line(
                bench,
                f"{len(sentences)} sentences of residents",
                sentences,
                BARE_SENTENCE,
                [bigrams(said) for said in sentences],
            ),
        ]
        transaction.set_rollback(True)
    forget_remembered()
    return lines


def _fill() -> tuple[list[str], list[str]]:
    """Write the articles; return words from frequent to rare, and sentences."""
    with connection.cursor() as cursor:
        texts, kinds = (
            cursor.execute(f"SELECT count(*) FROM bench.{table}").fetchone()[0]
            for table in ("text", "kind")
        )
        values = {"articles": ARTICLES, "texts": texts, "kinds": kinds, "sentences": SENTENCES}
        # Made anew behind the rows, which is as good and takes a tenth of the time.
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [INDEX])
        made = cursor.fetchone()[0]
        cursor.execute(f"DROP INDEX {INDEX}")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(FILL, values)
        cursor.execute(made)
        cursor.execute("ANALYZE incidents_article")
        words = [word for (word,) in cursor.execute(DRAWN, [WORDS]).fetchall()]
        return words, [said for (said,) in cursor.execute(SAID, values).fetchall()]


def _line(bench: "Bench", what: str, asked: list[str], bare: str, given: list[object]) -> list[str]:
    with connection.cursor() as cursor:
        floor = each(given, lambda one: cursor.execute(bare, [one]).fetchall())
    found = each(asked, lambda text: search(text, limit=ARTICLES_SENT))
    bench.results[f"articles, {what}"] = {"ms": found, "floor_ms": floor}
    measured = f"{found['mean']:.1f} ms, p95 {found['p95']:.1f} ms"
    row = f"articles that fit {what}, of {Article.objects.count():,}"
    ok = found["p95"] <= TARGET_MS
    target = f"p95 ≤ {TARGET_MS} ms"
    return line(row, measured, "", target, ok, floor["mean"] / 1000, found["mean"] / 1000)
