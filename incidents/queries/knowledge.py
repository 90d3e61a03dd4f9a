"""Finding the knowledge-base article that answers a question.

What lives here: the score. What must not: deciding whether to answer with it
(services/triage.py).
"""

from dataclasses import dataclass
from math import log

from django.utils import timezone

from core.text import bigrams, normalise
from incidents.models import Article, Category

# A word in the title says more about an article than one in its body.
TITLE_WEIGHT = 2.0
# How much of the score a keyword of the article standing in the question makes up.
KEYWORD_SHARE = 0.4
OTHER_CATEGORY = 0.7


@dataclass(frozen=True)
class Found:
    """An article and how well it fits, 0–1."""

    article: Article
    score: float


def search(text: str, *, category: Category | None = None, limit: int = 3) -> list[Found]:
    """Return the articles in force that fit ``text`` best, best first (2 queries).

    Two-character words count by how rare they are in the knowledge base: a word every
    article holds says nothing. What no article holds (greetings, place names) is left out.
    An article of another category than ``category`` scores lower.
    """
    terms = bigrams(text)
    if not terms:
        return []
    in_force = Article.in_force(timezone.localdate())
    candidates = list(in_force.filter(bigrams__overlap=terms).select_related("category"))
    total = in_force.count()
    holding = {article.pk: set(article.bigrams) for article in candidates}
    weight = {}
    for term in terms:
        # Whoever holds the term overlaps, so the candidates are all that hold it.
        count = sum(term in words for words in holding.values())
        if count:
            weight[term] = log(1 + total / count)
    whole = sum(weight.values())
    flat = normalise(text)
    found = [
        Found(article, _score(article, holding[article.pk], weight, whole, flat, category))
        for article in candidates
    ]
    return sorted(found, key=lambda one: (-one.score, one.article.code))[:limit]


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
    keywords = sum(normalise(keyword) in text for keyword in article.keywords)
    score = (1 - KEYWORD_SHARE) * share + KEYWORD_SHARE * (1 - 0.5**keywords)
    if category is not None and article.category_id not in {None, category.pk}:
        score *= OTHER_CATEGORY
    return score
