"""What the audit trail calls the acts of this floor, and the names of their subjects.

What must not live here: anything that changes a row.
"""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core.audit_words import name_actions, name_subject
from incidents.models import Incident, Inspection, System
from incidents.workflow import SYSTEM_ROWS, TRANSITIONS, action_label

ACTIONS = {
    "ai_call.forget_contact": _("Question to a model outside erased by rule"),
    "ai_switch.set": _("AI switched for an item"),
    "article.save": _("Article of the knowledge base saved"),
    "catalogue.deadlines": _("Deadlines changed"),
    "catalogue.ladder": _("Escalation ladder changed"),
    "catalogue.load": _("Catalogue loaded"),
    "catalogue.redate": _("Changed deadlines given to open cases"),
    "inspection.add": _("Inspection made"),
    "inspection.change": _("Inspection changed"),
    "inspection.clean": _("Place inspected, no hazard"),
    "inspection.close": _("Inspection closed"),
    "inspection.exported": _("Ledger of hazards exported"),
    "inspection.place_add": _("Place put on the list of an inspection"),
    "inspection.place_remove": _("Place taken off the list of an inspection"),
    "inspection.places_sheet": _("Places put on the list of an inspection by a sheet"),
    "inspection_places.sheet_saved": _("Places of inspections brought in by a sheet"),
    "early_warning.acknowledge": _("Early warning answered"),
    "reveal.reporter": _("Looked at who reported"),
    "routing_rules.draft": _("Draft of the routing rules changed"),
    "routing_rules.put_in_force": _("Routing rules put in force"),
    "routing_rules.throw_away": _("Draft of the routing rules thrown away"),
    "routing_rule.move": _("Routing rule moved"),
    "standing_order.put": _("Standing order written"),
    "system.add": _("System connected"),
    "system.change": _("Connected system changed"),
    "system.close": _("Connected system closed"),
    "system.key": _("New key for a connected system"),
    "system.open": _("Connected system opened again"),
    "webhook.go_on": _("Stopped webhook let go on"),
    "webhook.put": _("Webhook set up"),
    "webhook.replay": _("Webhook deliveries sent again"),
    "webhook.secret": _("New secret for a webhook"),
    "webhook.trial": _("Webhook tried"),
    "hotline.export": _("Results of hotline work orders handed out"),
    "hotline_orders.sheet_saved": _("Hotline work orders brought in by a sheet"),
    "triage_examples.import": _("Training examples imported"),
    "triage_model.activate": _("AI model put in force"),
    "triage_model.train": _("AI model trained"),
}


def connect() -> None:
    """Give the words to the trail. Called from AppConfig.ready."""
    name_actions(ACTIONS)
    steps = (*TRANSITIONS, *SYSTEM_ROWS)
    name_actions({f"incident.{action}": action_label(action) for action in steps})
    name_subject("incident", _("Case"), _cases)
    name_subject("ai_call", _("Question to a model outside"))
    name_subject("early_warning", _("Early warning"))
    name_subject("article", _("Article"))
    name_subject("category", _("Category"))
    name_subject("inspection", _("Inspection campaign"), _inspections)
    name_subject("routing_rule", _("Routing rule"))
    name_subject("routing_rules", _("Routing rules"))
    name_subject("standing_order", _("Standing order"))
    name_subject("system", _("Connected system"), _systems)
    name_subject("triage_model", _("AI model"))
    name_subject("triage_example", _("Training example"))
    name_subject("retentionrule", _("Retention rule"))


def _cases(ids: list[int]) -> dict[int, tuple[str, str]]:
    rows = Incident.objects.filter(pk__in=ids).values_list("pk", "tracking_code")
    return {pk: (code, reverse("incident", args=[code])) for pk, code in rows}


def _inspections(ids: list[int]) -> dict[int, tuple[str, str]]:
    rows = Inspection.objects.filter(pk__in=ids).values_list("pk", "name")
    return {pk: (name, reverse("inspection", args=[pk])) for pk, name in rows}


def _systems(ids: list[int]) -> dict[int, tuple[str, str]]:
    rows = System.objects.filter(pk__in=ids).values_list("pk", "name")
    return {pk: (name, reverse("system", args=[pk])) for pk, name in rows}
