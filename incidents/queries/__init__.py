"""Reads about incidents, a module for each thing one looks at. Nothing here changes a row."""

from incidents.queries.case import (
    accept_time_left,
    acted_in_round,
    forget_unread,
    incident_for_page,
    notice_branches,
    notices_for,
    open_party_ids,
    open_tasks,
    running_clocks,
    timeline,
    unread_count,
    visible_incident,
)

__all__ = [
    "accept_time_left",
    "acted_in_round",
    "forget_unread",
    "incident_for_page",
    "notice_branches",
    "notices_for",
    "open_party_ids",
    "open_tasks",
    "running_clocks",
    "timeline",
    "unread_count",
    "visible_incident",
]
