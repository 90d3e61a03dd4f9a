"""When beat wakes what. Only names, so that settings can import it.

Every task is a poll that finds its own work, so a tick that comes late does no harm and one
that is lost is made good by the next. ``expires`` (seconds) lets a busy worker drop old ticks.
"""

from celery.schedules import crontab

BEAT_SCHEDULE = {
    # Twice a second, so that what is due is rarely a second late.
    "sweep-timers": {
        "task": "core.tasks.sweep_timers",
        "schedule": 0.5,
        "options": {"expires": 3},
    },
    "deliver-outbox": {
        "task": "core.tasks.deliver_outbox",
        "schedule": 1.0,
        "options": {"expires": 3},
    },
    "send-letters": {
        "task": "core.tasks.send_letters",
        "schedule": 1.0,
        "options": {"expires": 3},
    },
    "work-sheets": {
        "task": "core.tasks.work_sheets",
        "schedule": 1.0,
        "options": {"expires": 3},
    },
    "forget-sheets": {
        "task": "core.tasks.forget_sheets",
        "schedule": 3600.0,
        "options": {"expires": 7200},
    },
    "draw-papers": {
        "task": "core.tasks.draw_papers",
        "schedule": 2.0,
        "options": {"expires": 3},
    },
    # At night; one that is missed is made good by the next.
    "prune": {
        "task": "core.tasks.prune",
        "schedule": crontab(hour="2", minute="40"),
        "options": {"expires": 3600},
    },
    "seal-audit": {
        "task": "core.tasks.seal_audit",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
    "verify-audit": {
        "task": "core.tasks.verify_audit",
        "schedule": 86400.0,
        "options": {"expires": 90000},
    },
    "beat-tick": {
        "task": "core.tasks.beat_tick",
        "schedule": 5.0,
        "options": {"expires": 30},
    },
}
