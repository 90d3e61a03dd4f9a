"""Rows of the system on many cases at once, written together.

What lives here: how a sweep writes what it found out about hundreds of cases. What must not:
steps that people take (step.py), and what a row means.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db.models import Field, Model

from core.family import insert_rows, update_rows
from core.services import outbox
from incidents.models import Incident
from incidents.services.step import Step, settle
from incidents.workflow import SYSTEM


class SystemRows:
    """Timeline rows on cases the caller has locked; ``write`` puts them all into the database.

    As with :func:`incidents.services.step.background_row` the version stays, so that a warning
    spoils no form half filled in. Photos are not taken: the system has none.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._cases: dict[int, Incident] = {}
        self._changed: set[Field[Any, Any]] = set()
        self._beside: dict[type[Model], list[Model]] = defaultdict(list)
        self._messages: list[outbox.Message] = []

    @contextmanager
    def row(self, incident: Incident, action: str) -> Iterator[Step]:
        """Note a row; the rows of one case are numbered in the order they are noted."""
        case = Step(incident, action, SYSTEM, self.now, from_state=incident.state)
        before = dict(incident.__dict__)
        yield case
        changed, rows = settle(case, before)
        self._cases[incident.pk] = incident
        self._changed.update(changed)
        for row in rows:
            self._beside[type(row)].append(row)
        self._messages += case.messages

    def write(self) -> None:
        """Write all rows: a query for the cases, one for each table beside them."""
        if not self._cases:
            return
        fields = Incident._meta.concrete_fields
        update_rows(
            list(self._cases.values()), tuple(field for field in fields if field in self._changed)
        )
        for rows in self._beside.values():
            insert_rows(rows)
        outbox.post(self._messages)
