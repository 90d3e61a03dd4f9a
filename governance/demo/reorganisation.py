"""The demo county's one reorganisation: two villages to be merged, decided, its day to come.

What must not live here: what an act does (grids/services/reorganisation.py).
"""

from datetime import timedelta

from django.utils import timezone

from governance.demo.people import People
from grids.models import Area, Level, Role
from grids.models.reorganisation import StepKind
from grids.services import reorganisation as acts

# Far enough away to be looked at in peace.
DAYS_AHEAD = 40


def build_reorganisation(county: Area, people: People) -> None:
    """Let the town admin people sign in as draft a merger of two villages, and the centre agree."""
    today = timezone.localdate()
    towns = Area.objects.open().filter(path__startswith=county.path, level=Level.TOWN)
    admin, town = next(
        (user, town)
        for town in towns
        for user in people.at.get((Role.TOWN_ADMIN, town.pk), [])
        if user.is_demo
    )
    villages = Area.objects.open().filter(path__startswith=town.path, level=Level.VILLAGE)
    kept, gone = list(villages)[-2:]
    act = acts.draft(
        actor=admin,
        title=f"{gone.name}并入{kept.name}",
        document=f"和政〔{today.year}〕18号",
        reason="两村相邻，合用村部和集体林地，村民代表会议已表决同意。",
        effective_on=today + timedelta(days=DAYS_AHEAD),
        steps=[acts.NewStep(kind=StepKind.MERGE_VILLAGES, subject=gone, target=kept)],
    )
    act = acts.submit(act_id=act.pk, actor=admin, seen=act.version)
    centre = people.at[Role.COMMAND, county.pk][0]
    acts.decide(act_id=act.pk, actor=centre, seen=act.version, approve=True, note="同意。")
