"""What the AI tier reads and what it said."""

from datetime import date

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from grids.models import User
from incidents.models.catalogue import Category
from incidents.models.incident import Incident


class Article(models.Model):
    """One knowledge-base article, with where it comes from and since when it holds."""

    code = models.CharField(_("code"), max_length=20, unique=True)
    title = models.CharField(_("title"), max_length=100)
    title_en = models.CharField(_("English title"), max_length=200, blank=True)
    body = models.TextField(_("body"))
    source = models.CharField(_("source"), max_length=200)
    published_on = models.DateField(_("published on"))
    keywords = ArrayField(
        models.CharField(max_length=20), verbose_name=_("keywords"), default=list, blank=True
    )
    category = models.ForeignKey(
        Category,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="articles",
        verbose_name=_("category"),
    )
    bigrams = ArrayField(models.CharField(max_length=40), default=list, editable=False)
    valid_until = models.DateField(
        _("holds until"), null=True, blank=True, help_text=_("The last day; empty: until changed.")
    )
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("knowledge-base article")
        verbose_name_plural = _("knowledge base")
        ordering = ["code"]
        indexes = [GinIndex(fields=["bigrams"], name="article_bigrams")]

    def __str__(self) -> str:
        return self.title

    @classmethod
    def in_force(cls, day: date) -> models.QuerySet["Article"]:
        """Return the articles that are published and hold on ``day``."""
        holds = models.Q(valid_until__isnull=True) | models.Q(valid_until__gte=day)
        return cls.objects.filter(holds, active=True, published_on__lte=day)


class TriageExample(models.Model):
    """One labelled text the county trains its triage on."""

    text = models.TextField(_("text"))
    category = models.ForeignKey(
        Category, models.CASCADE, related_name="examples", verbose_name=_("category")
    )
    source = models.CharField(_("source"), max_length=20, blank=True)

    class Meta:
        verbose_name = _("triage example")
        verbose_name_plural = _("triage examples")

    def __str__(self) -> str:
        return self.text[:40]


class TriageModel(models.Model):
    """One trained model: the version every prediction names.

    ``threshold`` is the confidence from which ``precision_asked`` of unseen texts were right.
    ``report`` holds the figures measured while training, ``comparison`` those of this model and
    of the one then in force on the same texts neither had learnt from. ``learnt`` are the keys of
    the texts it learnt from, eight bytes each, so that a later comparison can leave them out.
    """

    version = models.PositiveIntegerField(_("version"), unique=True)
    blob = models.BinaryField(editable=False)
    learnt = models.BinaryField(default=b"", editable=False)
    threshold = models.FloatField(_("acts alone from this confidence"))
    precision_asked = models.FloatField(_("precision asked for"))
    report = models.JSONField(default=dict, editable=False)
    comparison = models.JSONField(default=dict, editable=False)
    trained_at = models.DateTimeField(_("trained at"))
    active = models.BooleanField(_("active"), default=False)
    activated_at = models.DateTimeField(_("put in force at"), null=True, editable=False)
    activated_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+"
    )

    class Meta:
        verbose_name = _("triage model")
        verbose_name_plural = _("triage models")
        constraints = [
            models.UniqueConstraint(
                fields=["active"],
                condition=models.Q(active=True),
                name="triage_model_one_active",
            ),
        ]

    def __str__(self) -> str:
        return f"v{self.version}"


class Suggestion(models.Model):
    """What the AI thought of one case, kept whether or not it acted on it.

    ``fit`` is how well the article fits, 0–1. ``draft`` is an answer a model outside worded from
    the article, for a person to read; ``drafted_by`` names the model, ``asked_at`` when it was
    asked.
    """

    class Outcome(models.TextChoices):
        SUGGESTED = "suggested", _("Only suggested")
        ACTED = "acted", _("Acted alone")
        ANSWERED = "answered", _("Answered")
        CONFIRMED = "confirmed", _("Confirmed by a person")
        OVERRULED = "overruled", _("Overruled by a person")

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="suggestions")
    model_version = models.PositiveIntegerField(null=True, blank=True)
    category = models.ForeignKey(Category, models.PROTECT, null=True, related_name="+")
    confidence = models.FloatField(default=0)
    words = models.JSONField(default=list)
    alternatives = models.JSONField(default=list)
    article = models.ForeignKey(Article, models.PROTECT, null=True, blank=True, related_name="+")
    fit = models.FloatField(null=True)
    draft = models.TextField(blank=True, default="")
    drafted_by = models.CharField(max_length=100, blank=True, default="")
    asked_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.SUGGESTED)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("AI suggestion")
        verbose_name_plural = _("AI suggestions")
        indexes = [
            # What a model outside may still be asked about: the little that waits for a person.
            models.Index(
                fields=["created_at"],
                name="suggestion_to_ask",
                condition=models.Q(
                    outcome="suggested", asked_at__isnull=True, article__isnull=False
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.category} {self.confidence:.0%}"
