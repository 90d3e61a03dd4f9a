"""Everything the page of one case shows, read with as few queries as the case has stories."""

from collections.abc import Collection
from dataclasses import dataclass, field

from django.db.models import F

from core.rows import Table, read
from grids.models import SHAPES
from incidents.models import (
    Article,
    CallBack,
    Category,
    EmergencyCall,
    Event,
    Extension,
    Incident,
    PartyState,
    StageClock,
    Suggestion,
    SupervisionNotice,
    Whistle,
    WhistleParty,
)
from incidents.queries.case import running_clocks, timeline
from incidents.queries.standing import calls_of


@dataclass
class CasePage:
    """A case with its stories; a list is empty when the timeline knows of no such story."""

    incident: Incident
    events: list[Event]
    clocks: list[StageClock]
    whistle: Whistle | None = None
    parties: list[WhistleParty] = field(default_factory=list)
    extensions: list[Extension] = field(default_factory=list)
    notices: list[SupervisionNotice] = field(default_factory=list)
    callbacks: list[CallBack] = field(default_factory=list)
    suggestion: Suggestion | None = None
    merged: list[Incident] = field(default_factory=list)
    tasks: list[Incident] = field(default_factory=list)
    calls: list[EmergencyCall] = field(default_factory=list)

    @property
    def extension_waits(self) -> bool:
        """Whether a request for more time waits for its decision."""
        return any(row.decision == Extension.Decision.PENDING for row in self.extensions)

    def notice_waits(self, own_stages: Collection[str], *, commands: bool, owns: bool) -> bool:
        """Whether a supervision notice waits for an answer of this side.

        ``own_stages`` are those the command centre answers for itself.
        """
        return any(
            commands if row.clock is not None and row.clock.stage in own_stages else owns
            for row in self.notices
            if row.replied_at is None
        )


_SUGGESTED = (
    Table(Suggestion, "s"),
    Table(Category, "k"),
    Table(Article, "a", without=("body", "bigrams")),
)
_NEWEST_SUGGESTION = f"""
    SELECT {", ".join(table.columns for table in _SUGGESTED)}
      FROM incidents_suggestion s
      LEFT JOIN incidents_category k ON k.id = s.category_id
      LEFT JOIN incidents_article a ON a.id = s.article_id
     WHERE s.incident_id = %s ORDER BY s.id DESC LIMIT 1
"""  # noqa: S608  only names of columns


def _suggestion(incident: Incident) -> Suggestion | None:
    for suggestion, category, article in read(_NEWEST_SUGGESTION, [incident.pk], *_SUGGESTED):
        suggestion.category, suggestion.article = category, article
        return suggestion
    return None


_OF_A_REPEAT = ("id", "tracking_code", "text", "reported_at")
_REPEAT = Table(
    Incident,
    "i",
    without=[f.name for f in Incident._meta.concrete_fields if f.name not in _OF_A_REPEAT],
)
_MERGED = f"""
    SELECT {_REPEAT.columns} FROM incidents_incident i WHERE i.merged_into_id = %s ORDER BY i.id
"""  # noqa: S608  only names of columns


def case_page(incident: Incident) -> CasePage:
    """Read what the page of ``incident`` shows (5 queries, and one for each further story)."""
    events = timeline(incident)
    told = {event.action for event in events}
    page = CasePage(incident, events, running_clocks(incident))
    page.suggestion = _suggestion(incident)
    page.merged = [other for (other,) in read(_MERGED, [incident.pk], _REPEAT)]
    if told & {"call", "call_unanswered"}:
        page.calls = calls_of(incident)
    if incident.task_count:
        page.tasks = list(
            incident.tasks.select_related("owner_department", "owner_area")
            .defer("bigrams", *(f"owner_area__{shape}" for shape in SHAPES))
            .order_by("id")
        )
    if "blow_whistle" in told:
        page.parties = list(
            WhistleParty.objects.filter(
                whistle__incident=incident, whistle__round=incident.round
            ).select_related("whistle", "department", "handler")
        )
        page.whistle = page.parties[0].whistle if page.parties else None
    if "request_extension" in told:
        page.extensions = list(
            incident.extensions.select_related("requested_by", "decided_by").order_by("-id")
        )
    if told & {"escalate", "supervise", "rate", "record_callback"}:
        page.notices = list(
            incident.supervision_notices.select_related("issued_by", "replied_by", "clock")
        )
    if "verify_pass" in told:
        page.callbacks = list(
            incident.callbacks.select_related("twin")
            .only(*(f.name for f in CallBack._meta.concrete_fields), "twin__tracking_code")
            .order_by("-round", "id")
        )
    return page


def my_parties(incident: Incident, department_ids: Collection[int]) -> list[WhistleParty]:
    """Return the parties of these departments in the open whistle, lead first (1 query)."""
    return list(
        WhistleParty.objects.filter(
            whistle__incident=incident,
            whistle__closed_at__isnull=True,
            department_id__in=department_ids,
        )
        .select_related("department")
        .order_by(F("is_lead").desc(), "id")
    )


def open_party_actions(
    parties: Collection[WhistleParty], department_ids: Collection[int]
) -> frozenset[str]:
    """Return the steps these departments may take next in the whistle."""
    answered = any(p.is_lead and p.state == PartyState.ANSWERED for p in parties)
    found: set[str] = set()
    for party in parties:
        if party.department_id not in department_ids:
            continue
        if party.state == PartyState.CALLED:
            found.add("party_accept")
        elif party.state == PartyState.ACCEPTED:
            found.add("party_arrive")
        elif party.state == PartyState.ARRIVED:
            found.add("party_answer")
        elif party.state == PartyState.ANSWERED and not party.is_lead and answered:
            found |= {"party_sign", "party_dissent"}
    return frozenset(found)
