"""Finding the knowledge-base article that answers a question.

What lives here: the score. What must not: deciding whether to answer with it
(services/triage.py).
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from heapq import nlargest
from math import log

from django.db import connection
from django.utils import timezone

from core.kept import remembered
from core.text import bigrams, normalise
from incidents.models import Article, Category

# A word in the title says more about an article than one in its body.
TITLE_WEIGHT = 2.0
# How much of the score a keyword of the article standing in the question makes up.
KEYWORD_SHARE = 0.4
OTHER_CATEGORY = 0.7
# Up to so many articles every word of the question is looked for; of more the rarest words are,
# until they have found so many. Words that most articles hold find half the knowledge base.
FEW, MOST_FOUND = 500, 5_000
# Of those found, best first: so many are looked at for keywords, so many compared word by word.
LOOKED_AT, COMPARED = 500, 60
# How common words are is known from so many articles, and asked anew after so many seconds.
SAMPLE, SAMPLE_KEPT = 2_000, 300


@dataclass(frozen=True)
class Found:
    """An article and how well it fits, 0–1."""

    article: Article
    score: float


@dataclass(frozen=True)
class Common:
    """How many articles are in force, and about how many hold each word that many hold."""

    total: int
    holding: Mapping[str, int]

    def of(self, word: str) -> int:
        """Return about how many hold the word, 0 for a rare one."""
        return self.holding.get(word, 0)


def search(text: str, *, category: Category | None = None, limit: int = 3) -> list[Found]:
    """Return the articles in force that fit ``text`` best, best first (4 queries).

    Two-character words count by how rare they are in the knowledge base: a word every
    article holds says nothing. What no article holds (greetings, place names) is left out.
    An article of another category than ``category`` scores lower.

    Of more than FEW articles only those are compared that hold some of the rarest words, and
    every five minutes two queries more look how common words are.
    """
    terms = bigrams(text)
    if not terms:
        return []
    today = timezone.localdate()
    common = _common(today)
    rarest = _rarest(terms, common)
    holders = _holders(rarest, today)
    weight = _weights(terms, rarest, holders, common)
    worth: dict[int, float] = defaultdict(float)
    for term, ids in holders.items():
        for pk, in_title in ids:
            worth[pk] += weight[term] * (TITLE_WEIGHT if in_title else 1)
    whole = sum(weight.values())
    flat = normalise(text)
    best = _best(worth, whole, flat)
    found = [
        Found(article, _score(article, set(article.bigrams), weight, whole, flat, category))
        for article in Article.objects.filter(pk__in=best).select_related("category")
    ]
    return sorted(found, key=lambda one: (-one.score, one.article.code))[:limit]


def _common(day: date) -> Common:
    few = Article.in_force(day)[: FEW + 1].count()
    if few <= FEW:
        return Common(few, {})
    return remembered("articles:common", partial(_sample, day), SAMPLE_KEPT)


# The same pages each time, so that a question gets the same answer twice.
_COMMON = """
    SELECT word, count(*) FROM incidents_article TABLESAMPLE SYSTEM (%s) REPEATABLE (1),
           unnest(bigrams) AS word
     GROUP BY word
"""


def _sample(day: date) -> Common:
    total = Article.in_force(day).count()
    share = min(1.0, SAMPLE / total)
    with connection.cursor() as cursor:
        cursor.execute(_COMMON, [100 * share])
        return Common(total, {word: round(n / share) for word, n in cursor.fetchall()})


def _rarest(terms: Sequence[str], common: Common) -> list[str]:
    """Return the rare words, and more of the others until they may find MOST_FOUND articles."""
    chosen, found = [], 0
    for term in sorted(terms, key=common.of):
        if found >= MOST_FOUND:
            break
        chosen.append(term)
        found += common.of(term)
    return chosen


_HOLDERS = """
    SELECT term.word, article.id, article.in_title
      FROM unnest(%(terms)s::varchar(40)[]) AS term (word)
     CROSS JOIN LATERAL (
        SELECT id, strpos(lower(title), term.word) > 0 AS in_title FROM incidents_article
         WHERE bigrams @> ARRAY[term.word] AND active AND published_on <= %(day)s
           AND (valid_until IS NULL OR valid_until >= %(day)s)
         LIMIT %(most)s) AS article
"""


def _holders(terms: list[str], day: date) -> dict[str, list[tuple[int, bool]]]:
    """Return (id, whether in the title) of articles in force by the word that they hold."""
    found: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_HOLDERS, {"terms": terms, "day": day, "most": MOST_FOUND})
        for word, pk, in_title in cursor.fetchall():
            found[word].append((pk, in_title))
    return found


def _weights(
    terms: Sequence[str],
    looked_for: Collection[str],
    holders: Mapping[str, Sequence[object]],
    common: Common,
) -> dict[str, float]:
    """Return what each word counts that some article holds."""
    weight = {}
    for term in terms:
        held = len(holders.get(term, ()))
        if term not in looked_for or held == MOST_FOUND:
            held = max(held, common.of(term))
        if held:
            weight[term] = log(1 + common.total / held)
    return weight


_KEYWORDS = "SELECT id, keywords FROM incidents_article WHERE id = ANY(%s::bigint[])"


def _best(worth: Mapping[int, float], whole: float, text: str) -> list[int]:
    """Return the ids worth comparing: by the words that found them, and their keywords."""
    likely = nlargest(LOOKED_AT, worth, key=lambda pk: (worth[pk], -pk))
    with connection.cursor() as cursor:
        cursor.execute(_KEYWORDS, [likely])
        rows = cursor.fetchall()
    score = {pk: _mix(worth[pk] / (whole * TITLE_WEIGHT), words, text) for pk, words in rows}
    return nlargest(COMPARED, score, key=lambda pk: (score[pk], -pk))


def _score(
    article: Article,
    words: set[str],
    weight: dict[str, float],
    whole: float,
    text: str,
    category: Category | None,
) -> float:
    title = set(bigrams(article.title))
    held = sum(
        w * (TITLE_WEIGHT if term in title else 1) for term, w in weight.items() if term in words
    )
    share = held / (whole * TITLE_WEIGHT)
    score = _mix(share, article.keywords, text)
    if category is not None and article.category_id not in {None, category.pk}:
        score *= OTHER_CATEGORY
    return score


def _mix(share: float, keywords: Sequence[str], text: str) -> float:
    standing = sum(normalise(keyword) in text for keyword in keywords)
    return (1 - KEYWORD_SHARE) * share + KEYWORD_SHARE * (1 - 0.5**standing)
