"""When beat wakes the grids' tasks. Only names, so that settings can import it."""

BEAT_SCHEDULE = {
    "audit-coverage": {
        "task": "grids.tasks.audit_coverage",
        "schedule": 2.0,
        "options": {"expires": 3},
    },
    "import-boundaries": {
        "task": "grids.tasks.import_boundaries",
        "schedule": 2.0,
        "options": {"expires": 3},
    },
    "forget-boundary-files": {
        "task": "grids.tasks.forget_boundary_files",
        "schedule": 3600.0,
        "options": {"expires": 7200},
    },
    "apply-visit-rules": {
        "task": "grids.tasks.apply_visit_rules",
        "schedule": 20.0,
        "options": {"expires": 40},
    },
    "tidy-sessions": {
        "task": "grids.tasks.tidy_sessions",
        "schedule": 3600.0,
        "options": {"expires": 7200},
    },
    "reorganise": {
        "task": "grids.tasks.reorganise",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
    "follow-areas": {
        "task": "grids.tasks.follow_areas",
        "schedule": 5.0,
        "options": {"expires": 10},
    },
}
