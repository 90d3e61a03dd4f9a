"""Reads about incidents, a module for each thing one looks at. Nothing here changes a row."""

from incidents.queries.case import (
    acted_in_round,
    notices_for,
    open_party_ids,
    running_clocks,
    timeline,
    visible_incident,
)

__all__ = [
    "acted_in_round",
    "notices_for",
    "open_party_ids",
    "running_clocks",
    "timeline",
    "visible_incident",
]
