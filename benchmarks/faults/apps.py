"""What a fault run changes in the product's processes; only its settings name these."""

from django.apps import AppConfig


class ShortHours(AppConfig):
    """A calendar hour of a deadline lasts a second, so that clocks run out while we look."""

    name = "benchmarks.faults"
    label = "faults"

    def ready(self) -> None:
        from core import working_calendar  # noqa: PLC0415  needs the models

        working_calendar._SECONDS[working_calendar.Unit.CALENDAR_HOURS] = 1


class Naive(ShortHours):
    """The same with the mistakes put in that the oracle must find."""

    def ready(self) -> None:
        super().ready()
        from benchmarks.faults import naive  # noqa: PLC0415  needs the models

        naive.put_in()
