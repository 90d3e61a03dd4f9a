"""Open311 GeoReport v2 at /open311/v2/: what the standard says, turned into our queries and verbs.

What lives here: the protocol. What must not: what is public (queries/published.py), keys
(services/systems.py), and what a report means (services/sent_cases.py, intake.py).
"""
