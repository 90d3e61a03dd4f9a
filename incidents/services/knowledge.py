"""What the AI tier knows: articles kept searchable, and which trained model is in force.

What must not live here: using either on a case (answering.py, triage.py), and training,
which loads libraries a web process has no need of.
"""

from django.db import transaction

from core.services import audit
from core.text import bigrams
from grids.models import User
from incidents.models import Article, TriageModel


def article_words(article: Article) -> list[str]:
    """Return the search words of an article's title, keywords and body."""
    return bigrams(" ".join([article.title, *article.keywords, article.body]))


def save_article(*, article: Article, actor: User | None) -> Article:
    """Store an article together with the words it is found by."""
    article.bigrams = article_words(article)
    with transaction.atomic():
        article.save()
        audit.record(
            actor=actor, action="article.save", subject_type="article", subject_id=article.pk
        )
    return article


def activate_model(*, model: TriageModel, actor: User | None) -> None:
    """Put a trained model in force; workers notice with their next case."""
    with transaction.atomic():
        # All rows, so that two administrators cannot each leave one active.
        list(TriageModel.objects.select_for_update().order_by("pk").values_list("pk"))
        TriageModel.objects.filter(active=True).exclude(pk=model.pk).update(active=False)
        TriageModel.objects.filter(pk=model.pk).update(active=True)
        audit.record(
            actor=actor,
            action="triage_model.activate",
            subject_type="triage_model",
            subject_id=model.pk,
            data={"version": model.version},
        )
