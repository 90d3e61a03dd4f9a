"""What the AI tier knows: articles kept searchable, and which trained model is in force.

What must not live here: using either on a case (answering.py, triage.py), and training,
which loads libraries a web process has no need of.
"""

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Conflict
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
    """Put a trained model in force; workers notice with their next case.

    Raises Conflict when it already is. Forward to a new version and back to an old one alike.
    """
    with transaction.atomic():
        # All rows, so that two administrators cannot each leave one active.
        rows = TriageModel.objects.select_for_update().order_by("pk").values_list("pk", "active")
        before = [pk for pk, active in rows if active]
        if before == [model.pk]:
            raise Conflict(_("This version is in force already."))
        TriageModel.objects.filter(active=True).update(active=False)
        TriageModel.objects.filter(pk=model.pk).update(
            active=True, activated_at=timezone.now(), activated_by=actor
        )
        audit.record(
            actor=actor,
            action="triage_model.activate",
            subject_type="triage_model",
            subject_id=model.pk,
            data={"version": model.version},
        )
    model.active = True
