"""When beat wakes the grids' tasks. Only names, so that settings can import it."""

BEAT_SCHEDULE = {
    "audit-coverage": {
        "task": "grids.tasks.audit_coverage",
        "schedule": 2.0,
        "options": {"expires": 3},
    },
}
