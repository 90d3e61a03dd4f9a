"""What an administrator sees and does on the ground floor."""

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from core.models import AuditEntry, CalendarYear, OutboxMessage, Timer
from core.services.audit import record

pytestmark = pytest.mark.django_db
ADD = "admin:core_calendaryear_add"


@pytest.fixture
def admin(client):
    user = get_user_model().objects.create(
        username="chief", is_superuser=True, is_staff=True, is_active=True
    )
    client.force_login(user)
    return client


def test_a_year_is_imported_from_the_package_and_again(admin):
    for _ in range(2):
        assert admin.post(reverse(ADD), {"year": 2026}).status_code == 302
    assert CalendarYear.objects.get().days.count() > 10
    assert AuditEntry.objects.filter(action="calendar.import").first().actor.username == "chief"


def test_a_year_is_imported_from_a_file(admin):
    file = SimpleUploadedFile("y.csv", "date,kind,name\n2027-10-01,off,国庆\n".encode())
    assert admin.post(reverse(ADD), {"year": 2027, "file": file}).status_code == 302
    assert CalendarYear.objects.get().source == "file"


@pytest.mark.parametrize(
    "data",
    [
        {"year": 2099},
        {"year": "x"},
        {"year": 2027, "file": SimpleUploadedFile("y.csv", b"date,kind,name\n2027-13-01,off,\n")},
        {"year": 2027, "file": SimpleUploadedFile("y.csv", b"\xff\xff")},
        {"year": 2027, "file": SimpleUploadedFile("y.csv", b"x" * 200_000)},
    ],
)
def test_a_bad_import_is_shown_on_the_form(admin, data):
    response = admin.post(reverse(ADD), data)
    assert response.status_code == 200
    assert "errornote" in response.content.decode()
    assert not CalendarYear.objects.exists()


def test_work_hours_can_be_changed_and_the_change_is_on_record(admin):
    admin.post(reverse(ADD), {"year": 2026})
    change = reverse("admin:core_calendaryear_change", args=[2026])
    assert admin.get(change).status_code == 200
    prefix = "days-"
    form = {f"{prefix}TOTAL_FORMS": 0, f"{prefix}INITIAL_FORMS": 0}
    assert admin.post(change, {**form, "work_hours": '[["09:00", "17:00"]]'}).status_code == 302
    assert CalendarYear.objects.get().work_hours == [["09:00", "17:00"]]
    assert AuditEntry.objects.filter(action="calendar.work_hours").exists()


def test_dead_messages_are_visible_and_can_be_sent_again(admin):
    dead = OutboxMessage.objects.create(topic="sms", key="k", state="dead", last_error="no route")
    url = reverse("admin:core_outboxmessage_changelist")
    assert "no route" in admin.get(url, {"state__exact": "dead"}).content.decode()
    admin.post(url, {"action": "resend", "_selected_action": [dead.pk]})
    dead.refresh_from_db()
    assert (dead.state, dead.attempts) == ("queued", 0)


@pytest.mark.parametrize("model", ["timer", "auditentry", "outboxmessage"])
def test_history_can_be_read_but_not_written(admin, model):
    Timer.objects.create(subject_type="case", subject_id=1, kind="warn", due_at=timezone.now())
    record(actor=None, action="case.open", subject_type="case", subject_id=1)
    assert admin.get(reverse(f"admin:core_{model}_changelist")).status_code == 200
    assert admin.get(reverse(f"admin:core_{model}_add")).status_code == 403
