"""What the audit trail calls the acts of this floor, and the names of their subjects.

What must not live here: anything that changes a row.
"""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from core.audit_words import name_actions, name_subject
from grids.models import Area, Household, Posting, User

ACTIONS = {
    "account.factor_added": _("Second factor set up"),
    "account.factor_removed": _("Second factor removed"),
    "account.factor_reset": _("Second factors reset"),
    "account.locked": _("Account locked"),
    "account.password_changed": _("Own password changed"),
    "account.recovery_codes": _("New recovery codes"),
    "account.reset_at_server": _("Account reset at the server"),
    "account.sessions_ended": _("Sessions ended"),
    "account.unlocked": _("Account unlocked"),
    "administrator_created": _("Administrator appointed"),
    "alliance_changed": _("Alliance grid changed"),
    "alliance_ended": _("Alliance grid ended"),
    "alliance_founded": _("Alliance grid founded"),
    "area_added": _("Area added"),
    "area_closed": _("Area closed"),
    "area_described": _("Area described"),
    "area_drawn": _("Boundary drawn"),
    "area_reopened": _("Area reopened"),
    "areas_added": _("Areas imported"),
    "audit.exported": _("Audit trail exported"),
    "boundaries_set": _("Boundaries imported"),
    "cards.duty_phone_removed": _("Duty phone removed"),
    "cards.duty_phone_set": _("Duty phone set"),
    "cards.photo_removed": _("Photo removed"),
    "cards.photo_set": _("Photo set"),
    "cards.printed": _("Contact cards printed"),
    "coverage_audit_started": _("Coverage audit started"),
    "coverage_audited": _("Coverage audited"),
    "duty_ended": _("Duty for a theme ended"),
    "duty_given": _("Duty for a theme given"),
    "duty_shift.forget": _("Shifts on duty erased by rule"),
    "file.assessed": _("Month assessed"),
    "file.award_added": _("Award entered"),
    "file.award_withdrawn": _("Award withdrawn"),
    "file.negative_added": _("Negative entry made"),
    "file.negative_answered": _("Negative entry answered"),
    "file.negative_withdrawn": _("Negative entry withdrawn"),
    "file.reserve_added": _("Recommended as reserve cadre"),
    "file.reserve_decided": _("Recommendation decided"),
    "file.reserve_withdrawn": _("Recommendation withdrawn"),
    "file.attendance_withdrawn": _("Training withdrawn"),
    "file.selection_withdrawn": _("Selection withdrawn"),
    "file.selection_recorded": _("Selection recorded"),
    "file.training_recorded": _("Training recorded"),
    "grid.has_chief": _("Grid has a chief again"),
    "grid.without_chief": _("Grid marked as without a chief"),
    "grid_moved": _("Grid moved"),
    "grid_split": _("Grid split"),
    "grids_merged": _("Grids merged"),
    "household.add": _("Household added"),
    "household.change": _("Household changed"),
    "household.end_care": _("Care ended"),
    "household.forget_contact": _("Household's contact erased by rule"),
    "household.link": _("Household linked"),
    "household.move": _("Household moved"),
    "household.move_out": _("Household moved out"),
    "household.need": _("Need reported from a visit"),
    "household.review_care": _("Care reviewed"),
    "household.tag": _("Care begun"),
    "household.unlink": _("Household's link ended"),
    "household.visit": _("Household visited"),
    "households.exported": _("Households exported"),
    "households.sheet_saved": _("Households saved from a sheet"),
    "paper.fetched": _("Printed paper fetched"),
    "person.add": _("Person added"),
    "person.change": _("Person changed"),
    "person.first_password": _("First password given"),
    "posting.end": _("Posting ended"),
    "posting.leave": _("Leave entered"),
    "posting.leave_cut": _("Leave cut short"),
    "posting.open": _("Posting opened"),
    "reorganisation.approved": _("Reorganisation approved"),
    "reorganisation.carried_out": _("Reorganisation carried out"),
    "reorganisation.drafted": _("Reorganisation drafted"),
    "reorganisation.revised": _("Reorganisation revised"),
    "reorganisation.sent_back": _("Reorganisation sent back"),
    "reorganisation.submitted": _("Reorganisation submitted"),
    "reorganisation.tried_again": _("Reorganisation tried again"),
    "reorganisation.withdrawn": _("Reorganisation withdrawn"),
    "reveal.contact": _("Looked at a household's contact"),
    "reveal.id_number": _("Looked at an ID number"),
    "reveal.phone": _("Looked at a phone"),
    "reveal.roster": _("Exported the roster with full numbers"),
    "roster.exported": _("Roster exported"),
    "roster.sheet_saved": _("Roster saved from a sheet"),
    "theme_saved": _("Theme saved"),
    "units_made": _("Ten-household units made"),
    "visit.forget_diaries": _("Diaries erased by rule"),
    "visit.thin_points": _("Places of visits erased by rule"),
    "visit_rule.add": _("Visit rule added"),
}


def connect() -> None:
    """Give the words to the trail. Called from AppConfig.ready."""
    name_actions(ACTIONS)
    name_subject("user", _("Person"), _people)
    name_subject("area", pgettext_lazy("subject", "Area"), _areas)
    name_subject("household", _("Household"), _households)
    name_subject("posting", _("Posting"), _postings)
    name_subject("visit", _("Visit"))
    name_subject("duty_shift", _("Shift"))
    name_subject("visit_rule", _("Visit rule"))
    name_subject("theme", _("Theme"))
    name_subject("alliance", _("Alliance grid"))
    name_subject("reorganisation", _("Reorganisation"))
    name_subject("roster", _("Roster"))
    name_subject("sheet", _("Sheet"))
    name_subject("paper", _("Paper"))
    name_subject("audit", _("Audit trail"))
    name_subject("assessment", _("Monthly assessment"))
    name_subject("negativeitem", _("Negative list"))
    name_subject("department", _("Department"))


def _people(ids: list[int]) -> dict[int, tuple[str, str]]:
    rows = User.objects.filter(pk__in=ids).values_list("pk", "display_name", "username")
    return {pk: (f"{name} ({username})", "") for pk, name, username in rows}


def _postings(ids: list[int]) -> dict[int, tuple[str, str]]:
    rows = Posting.objects.filter(pk__in=ids).select_related("user", "area", "department")
    return {row.pk: (str(row), "") for row in rows}


def _areas(ids: list[int]) -> dict[int, tuple[str, str]]:
    rows = Area.objects.filter(pk__in=ids).values_list("pk", "name", "code")
    return {pk: (f"{name} ({code})", "") for pk, name, code in rows}


def _households(ids: list[int]) -> dict[int, tuple[str, str]]:
    found = Household.objects.filter(pk__in=ids).values_list("pk", flat=True)
    return {pk: (f"#{pk}", reverse("household", args=[pk])) for pk in found}
