"""When beat wakes the incidents' tasks. Only names, so that settings can import it."""

BEAT_SCHEDULE = {
    "triage-new": {
        "task": "incidents.tasks.triage_new",
        "schedule": 1.0,
        "options": {"expires": 3},
    },
    "fold-figures": {
        "task": "incidents.tasks.fold_figures",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
    "sweep-drafts": {
        "task": "incidents.tasks.sweep_drafts",
        "schedule": 3600.0,
        "options": {"expires": 600},
    },
}
