"""The audit trail is sealed behind its writers, and every later change of it shows."""

import threading
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from core.chain import BEGINNING, ENTRY, link
from core.errors import Invalid
from core.models import AuditChain, AuditEntry, AuditSeal, AuditVerification
from core.queries import seal_lag
from core.services import sealing
from core.services.audit import record
from core.services.sealing import read_anchors, seal, verify

pytestmark = pytest.mark.django_db


def write(n: int = 5) -> list[int]:
    data = {"理由": "核实", "n": 1.50, "list": [1, None]}
    return [
        record(actor=None, action="case.open", subject_type="case", subject_id=i, data=data).pk
        for i in range(n)
    ]


def behind_the_triggers(sql: str, params=()) -> None:
    """Change rows as somebody does who owns the database."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("core_auditentry", "core_auditseal"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(sql, params)
        for table in ("core_auditentry", "core_auditseal"):
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def recount() -> None:
    """Make a whole new chain over the entries as they are now, head and all."""
    behind_the_triggers("DELETE FROM core_auditseal")
    AuditChain.objects.all().delete()
    seal()


@pytest.fixture
def sealed() -> list[int]:
    ids = write()
    seal()
    return ids


def test_entries_are_sealed_once_in_order_and_the_chain_holds(sealed):
    assert list(AuditSeal.objects.order_by("position").values_list("entry_id", flat=True)) == sealed
    assert seal() == 0
    more = write(2)
    assert seal() == 2
    assert AuditSeal.objects.get(position=7).entry_id == more[-1]
    finding = verify()
    assert (finding.fault, finding.to_position) == ("", 7)
    assert finding.digest == bytes(AuditChain.objects.get().digest)


def test_long_histories_are_sealed_in_batches(monkeypatch):
    monkeypatch.setattr(sealing, "BATCH", 2)
    ids = write(5)
    assert seal(at_most=4) == 4
    assert seal() == 1
    assert AuditChain.objects.get().settled_id >= ids[-1]
    told = []
    assert verify(progress=lambda *where: told.append(where)).fault == ""
    assert told == [(2, 5), (4, 5)]


def test_anybody_can_count_a_digest_again(sealed):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {ENTRY} FROM core_auditentry e WHERE id = %s", [sealed[0]])
        (text,) = cursor.fetchone()
    assert text.startswith(f'[{sealed[0]}, "')
    assert '{"n": 1.5, "list": [1, null], "理由": "核实"}' in text
    assert bytes(AuditSeal.objects.get(position=1).digest) == link(BEGINNING, text)


@pytest.mark.parametrize(
    "change",
    [
        "action = 'something.else'",
        "at = at - interval '1 microsecond'",
        "data = '{}'",
        "subject_id = 99",
        "ip = '192.0.2.1'",
        "town_id = 1",
        "actor_id = NULL, subject_type = 'dispute'",
    ],
)
def test_an_altered_entry_is_named(sealed, change):
    behind_the_triggers(f"UPDATE core_auditentry SET {change} WHERE id = %s", [sealed[2]])
    finding = verify()
    assert (finding.fault, finding.position, finding.entry_id) == ("altered", 3, sealed[2])
    assert AuditVerification.objects.get().fault == "altered"


def test_a_deleted_entry_is_named(sealed):
    behind_the_triggers("DELETE FROM core_auditentry WHERE id = %s", [sealed[1]])
    finding = verify()
    assert (finding.fault, finding.position, finding.entry_id) == ("deleted", 2, sealed[1])


def test_an_inserted_entry_is_named(sealed):
    behind_the_triggers("UPDATE core_auditentry SET id = -id WHERE id = %s", [write(1)[0]])
    slipped_in = AuditEntry.objects.order_by("id").first()
    finding = verify()
    assert (finding.fault, finding.entry_id) == ("inserted", slipped_in.pk)


def test_two_entries_that_changed_places_are_named(sealed):
    first, second = sealed[1:3]
    swap = "UPDATE core_auditseal SET entry_id = %s WHERE position = %s"
    behind_the_triggers(swap, [-1, 2])
    behind_the_triggers(swap, [first, 3])
    behind_the_triggers(swap, [second, 2])
    assert verify().fault == "altered"
    assert verify().position == 2


def test_a_removed_seal_is_named(sealed):
    behind_the_triggers("DELETE FROM core_auditseal WHERE position = 3")
    assert (verify().fault, verify().position) == ("gap", 3)
    assert verify(from_position=4).fault == "gap"


def test_a_tail_that_was_cut_off_is_named(sealed):
    anchors = {5: bytes(AuditChain.objects.get().digest)}
    behind_the_triggers("DELETE FROM core_auditentry WHERE id >= %s", [sealed[3]])
    behind_the_triggers("DELETE FROM core_auditseal WHERE position >= 4")
    assert (verify().fault, verify().position) == ("truncated", 4)
    head = AuditSeal.objects.get(position=3)
    AuditChain.objects.update(position=3, digest=head.digest)
    assert verify().fault == ""  # who owns the database can do so much
    assert verify(anchors=anchors).fault == "truncated"


def test_a_chain_counted_anew_is_found_by_what_was_told_outside(sealed):
    anchors = {3: bytes(AuditSeal.objects.get(position=3).digest)}
    assert verify(anchors=anchors).fault == ""
    behind_the_triggers("UPDATE core_auditentry SET action = 'x' WHERE id = %s", [sealed[0]])
    recount()
    assert verify().fault == ""
    found = verify(anchors=anchors)
    assert (found.fault, found.position) == ("rewritten", 3)


def test_seals_cannot_be_changed_by_the_product(sealed):
    for change in (AuditSeal.objects.all().delete, lambda: AuditSeal.objects.update(entry_id=0)):
        with pytest.raises(DatabaseError, match="Cannot update or delete"), transaction.atomic():
            change()


def test_verifying_may_begin_anywhere_in_the_chain(sealed):
    behind_the_triggers("UPDATE core_auditentry SET action = 'x' WHERE id = %s", [sealed[0]])
    assert verify(from_position=3).fault == ""
    assert verify(from_position=6).fault == ""
    with pytest.raises(Invalid):
        verify(from_position=7)


def test_an_empty_trail_is_unaltered():
    assert verify().fault == ""
    assert seal() == 0
    assert verify().fault == ""


def test_the_head_is_told_outside_at_most_once_a_minute(
    settings, tmp_path, time_machine, django_capture_on_commit_callbacks
):
    settings.AUDIT_ANCHOR = str(tmp_path / "anchor")
    time_machine.move_to("2026-05-06 09:00+08:00", tick=False)
    for seconds in (0, 30, 30):
        time_machine.shift(seconds)
        write(1)
        with django_capture_on_commit_callbacks(execute=True):
            seal()
    anchors = read_anchors((tmp_path / "anchor").read_text())
    assert list(anchors) == [1, 3]
    assert verify(anchors=anchors).fault == ""
    with pytest.raises(Invalid):
        read_anchors("what is this")


def test_an_anchor_that_cannot_be_written_stops_nothing(
    settings, tmp_path, caplog, django_capture_on_commit_callbacks
):
    settings.AUDIT_ANCHOR = str(tmp_path / "not" / "there")
    write(1)
    with django_capture_on_commit_callbacks(execute=True):
        assert seal() == 1
    assert "anchor was not written" in caplog.text


def test_lag_is_the_age_of_the_oldest_unsealed_entry():
    assert seal_lag(timezone.now()) is None
    write(2)
    assert seal_lag(timezone.now() + timedelta(seconds=90)) >= 90
    seal()
    assert seal_lag(timezone.now()) is None


def test_the_command_says_unaltered_or_names_the_fault(sealed, tmp_path):
    said = StringIO()
    call_command("verify_audit", stdout=said)
    assert bytes(AuditChain.objects.get().digest).hex() in said.getvalue()
    behind_the_triggers("UPDATE core_auditentry SET action = 'x' WHERE id = %s", [sealed[3]])
    with pytest.raises(CommandError, match=str(sealed[3])):
        call_command("verify_audit", progress=True)
    with pytest.raises(CommandError):
        call_command("verify_audit", anchor=tmp_path / "nowhere")


@pytest.mark.django_db(transaction=True)
def test_an_entry_committed_late_below_sealed_ones_is_sealed_next():
    written, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            write(1)
            written.set()
            go_on.wait(10)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    written.wait(10)
    later = write(2)
    assert seal(patience=0) == 2
    assert AuditChain.objects.get().settled_id < later[0]
    go_on.set()
    thread.join()
    assert seal() == 1
    late = AuditSeal.objects.get(position=3).entry_id
    assert late < later[0]
    assert AuditChain.objects.get().settled_id == later[-1]
    assert verify().fault == ""


@pytest.mark.django_db(transaction=True)
def test_sealing_from_many_sides_while_people_write_makes_one_chain():
    def work(job) -> None:
        for _ in range(10):
            job()
        connection.close()

    jobs = [lambda: write(3)] * 3 + [lambda: seal(patience=0.05)] * 3
    threads = [threading.Thread(target=work, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seal()
    assert AuditSeal.objects.count() == AuditEntry.objects.count() == 90
    assert verify().fault == ""
