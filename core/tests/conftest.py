"""Shared by the tests of the ground floor."""

import pytest

from core.working_calendar import WorkingCalendar


@pytest.fixture(autouse=True)
def _no_calendar_of_another_test():
    WorkingCalendar.forget()
    yield
    WorkingCalendar.forget()
