"""When beat wakes the grids' tasks. Only names, so that settings can import it."""

BEAT_SCHEDULE = {
    "audit-coverage": {
        "task": "grids.tasks.audit_coverage",
        "schedule": 2.0,
        "options": {"expires": 3},
    },
    "apply-visit-rules": {
        "task": "grids.tasks.apply_visit_rules",
        "schedule": 20.0,
        "options": {"expires": 40},
    },
    "reorganise": {
        "task": "grids.tasks.reorganise",
        "schedule": 30.0,
        "options": {"expires": 60},
    },
}
