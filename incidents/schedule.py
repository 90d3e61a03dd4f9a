"""When beat wakes the incidents' tasks. Only names, so that settings can import it."""

from celery.schedules import crontab

BEAT_SCHEDULE = {
    # Sunday night; it looks first whether people have decided enough since the last time.
    "retrain-triage": {
        "task": "incidents.tasks.retrain_triage",
        "schedule": crontab(hour="2", minute="10", day_of_week="sun"),
        "options": {"expires": 3600},
    },
    "triage-new": {
        "task": "incidents.tasks.triage_new",
        "schedule": 1.0,
        "options": {"expires": 3},
    },
    "send-hooks": {
        "task": "incidents.tasks.send_hooks",
        "schedule": 1.0,
        "options": {"expires": 3},
    },
    "forget-hooks": {
        "task": "incidents.tasks.forget_hooks",
        "schedule": crontab(hour="3", minute="40"),
        "options": {"expires": 3600},
    },
    # At once over where no model outside is set up.
    "ask-outside": {
        "task": "incidents.tasks.ask_outside",
        "schedule": 3.0,
        "options": {"expires": 3},
    },
    "fold-figures": {
        "task": "incidents.tasks.fold_figures",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
    "fold-scores": {
        "task": "incidents.tasks.fold_scores",
        "schedule": 10.0,
        "options": {"expires": 20},
    },
    # Looks every night whether last month is written: a night that is missed is made good.
    "assess-month": {
        "task": "incidents.tasks.assess_month",
        "schedule": crontab(hour="4", minute="10"),
        "options": {"expires": 3600},
    },
    # In the morning, when somebody is there to act; once a week it is told.
    "warn-of-calendar": {
        "task": "incidents.tasks.warn_of_calendar",
        "schedule": crontab(hour="8", minute="20"),
        "options": {"expires": 3600},
    },
    "refresh-topics": {
        "task": "incidents.tasks.refresh_topics",
        "schedule": 600.0,
        "options": {"expires": 600},
    },
    "recount-topics": {
        "task": "incidents.tasks.recount_topics",
        "schedule": crontab(hour="4", minute="40"),
        "options": {"expires": 3600},
    },
    "sweep-drafts": {
        "task": "incidents.tasks.sweep_drafts",
        "schedule": 3600.0,
        "options": {"expires": 600},
    },
    # At night, when nobody waits for a row lock; a night that is missed is made good by the next.
    "forget-by-rule": {
        "task": "incidents.tasks.forget_by_rule",
        "schedule": crontab(hour="3", minute="20"),
        "options": {"expires": 3600},
    },
}
