"""Registers the incidents floor with Django and with the ground floor's queues."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IncidentsConfig(AppConfig):
    name = "incidents"
    verbose_name = _("Incidents")

    def ready(self) -> None:
        # Models are only importable once the registry is ready.
        from core.services import outbox, pruning, sheets, timers  # noqa: PLC0415
        from grids import closing, moves  # noqa: PLC0415
        from grids import needs as doors  # noqa: PLC0415
        from grids.services import duty, forget_visits, reveal  # noqa: PLC0415
        from incidents import audit_words, desks  # noqa: PLC0415
        from incidents.queries import timed  # noqa: PLC0415
        from incidents.services import (  # noqa: PLC0415
            answering,
            asking,
            contact,
            handling,
            hook_queue,
            hotline_sheet,
            inspection_sheet,
            lateness,
            moving,
            needs,
            notices,
            redating,
            retention,
            standing,
            systems,
            telling,
            verification,
        )

        for kind in lateness.CLOCK_TIMER_KINDS:
            timers.register(kind, lateness.on_clock_timers)
        timers.register(redating.KIND, redating.on_redate)
        timers.register(standing.UNANSWERED, standing.on_unanswered)
        timers.register("suspension_over", handling.on_suspension_over)
        timers.register("callback_over", verification.on_callback_over)
        timers.register("answer_over", answering.on_answer_over)
        pruning.register("clock", timed.clocks_of_open)
        pruning.register("incident", timed.open_incidents)
        pruning.register(standing.SUBJECT, timed.calls_of_open)
        outbox.register("notice", notices.deliver)
        outbox.register("reporter", telling.tell_reporters)
        sheets.register(hotline_sheet.SHEET)
        outbox.register(hook_queue.TOPIC, hook_queue.fan_out)
        telling.connect()
        retention.register("reporter_contact", retention.forget_reporters, subject_type="incident")
        retention.register(
            "household_contact", forget_visits.forget_contacts, subject_type="household"
        )
        retention.register("visit_point", forget_visits.thin_points, subject_type="visit")
        retention.register("visit_diary", forget_visits.forget_diaries, subject_type="visit")
        retention.register("duty_shift", duty.forget_shifts, subject_type="duty_shift")
        retention.register("ai_call", asking.forget_calls, subject_type="ai_call")
        doors.register(needs.open_case)
        moves.register(
            "incidents",
            labels=moving.LABELS,
            count=moving.count,
            follow=moving.follow,
            hold=moving.hold,
            rows=moving.rows,
            scatter=moving.scatter,
            tell=moving.tell,
            trail=moving.trail,
            waiting=moving.waiting,
        )
        moves.register(
            "standing_orders",
            labels=standing.FOLLOWED,
            count=standing.count_followers,
            follow=standing.follow_areas,
        )
        moves.register(
            "systems",
            labels=systems.FOLLOWED,
            count=systems.count_followers,
            follow=systems.follow_areas,
        )
        closing.register("incidents", moving.obstacles)
        reveal.register("incident", contact.REVEALABLE)
        inspection_sheet.connect()
        audit_words.connect()
        desks.connect()
