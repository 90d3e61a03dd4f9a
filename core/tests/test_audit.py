"""The audit trail only grows."""

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, transaction
from django.db.models import ProtectedError

from core.models import AuditEntry
from core.services.audit import record

pytestmark = pytest.mark.django_db


def test_an_entry_cannot_be_changed_or_removed():
    entry = record(actor=None, action="case.open", subject_type="case", subject_id=1, ip="")
    entry.action = "something else"
    for change in (entry.save, entry.delete, AuditEntry.objects.all().delete):
        with (
            pytest.raises(DatabaseError, match="Cannot update or delete"),
            transaction.atomic(),
        ):
            change()
    assert AuditEntry.objects.get().action == "case.open"
    assert AuditEntry.objects.get().ip is None


def test_a_person_on_record_cannot_be_removed():
    user = get_user_model().objects.create(username="wang")
    record(actor=user, action="case.open", subject_type="case")
    with pytest.raises(ProtectedError):
        user.delete()
