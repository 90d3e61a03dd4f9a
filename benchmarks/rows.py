"""The five rows: what is asked for, what it is held against.

What must not live here: how requests are drawn (asked.py) or sent (load.py). A row returns
lines of the table: row, measured, processor time of web and PostgreSQL for each answer, share of
the machine others took meanwhile, target, met, floor, ratio.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from benchmarks import asked, county

if TYPE_CHECKING:
    from benchmarks.__main__ import Bench

Lines = list[list[str]]
MOST_SQL = 10
WORST_SHOWN = 6


def make_ready(wanted: Sequence[str], seconds: float, say: Callable[[str], object]) -> None:
    """Put enough cases on the departments' desks for the steps that will be measured."""
    if "transition" in wanted:
        # Two series; a case serves two steps, and 400 steps a second would be a good day.
        county.top_up(round(400 * (seconds + 1)), say)


def intake(bench: "Bench") -> Lines:
    """Take reports in over the API."""
    floor = bench.floor("floor: one insert", "/insert")
    found = bench.ask("intake", asked.reports(Random("reports")), repeat=False)
    ok = found["rate"] >= 300 and found["p95"] <= 60
    return [_line("accept a report", found, "≥ 300/s, p95 ≤ 60 ms", ok, floor)]


def queue(bench: "Bench") -> Lines:
    """Turn the pages of the queue and of the desks."""
    pages = asked.queue_pages()
    most = max(page.statements for page in pages)
    floor = bench.floor("floor: 51 rows by key", "/page", asked.newest_ids())
    requests = [page.request() for page in pages]
    Random("queue").shuffle(requests)
    alone = bench.ask("queue, one at a time", requests, clients=1)
    found = bench.ask("queue", requests, seconds=bench.seconds * 2)
    bench.results["queue"]["statements"] = {page.label: page.statements for page in pages}
    for title, one in (("one at a time", alone), ("8 at once", found)):
        worst = sorted(one["labels"].items(), key=lambda item: -item[1]["p95"])[:WORST_SHOWN]
        told = "; ".join(f"{label} {row['p95']} ms" for label, row in worst)
        print(f"    slowest pages {title}, p95: {told}")
    ok = found["rate"] >= 100 and found["p95"] <= 50 and most <= MOST_SQL
    target = "≥ 100/s, p95 ≤ 50 ms, ≤ 10 SQL"
    name = f"queue page of 50 ({len(pages)} addresses)"
    return [
        _line(name, found, target, ok, floor, f", ≤ {most} SQL"),
        _line("· one at a time", alone, "p95 ≤ 50 ms", alone["p95"] <= 50),
    ]


def open_case(bench: "Bench") -> Lines:
    """Open the page of one case."""
    pages = asked.case_pages(Random("cases"))
    most = max(page.statements for page in pages)
    floor = bench.floor("floor: one row by key", "/one", asked.newest_ids())
    requests = [page.request() for page in pages]
    alone = bench.ask("open one case, one at a time", requests, clients=1)
    found = bench.ask("open one case", requests)
    target = "p95 ≤ 30 ms"
    return [
        _line("open one case", found, target, found["p95"] <= 30, floor, f", ≤ {most} SQL"),
        _line("· one at a time", alone, target, alone["p95"] <= 30),
    ]


def transition(bench: "Bench") -> Lines:
    """Accept and arrive on many different cases, by page and by API."""
    floor = bench.floor("floor: one update", "/update")
    lines = []
    for title, api in (("one state change, page", False), ("one state change, API", True)):
        requests = asked.steps(round(200 * (bench.seconds + 1)), api=api)
        found = bench.ask(title, requests, repeat=False)
        ok = found["rate"] >= 200 and not any(status >= 500 for status in found["wrong"])
        lines.append(_line(title, found, "≥ 200/s, never a 500", ok, floor))
    return lines


def dashboard(bench: "Bench") -> Lines:
    """Ask for all figures of the board."""
    pages = asked.dashboard_pages()
    floor = bench.floor("floor: one sum over figures", "/figures")
    requests = [page.request() for page in pages]
    alone = bench.ask("figures, one at a time", requests, clients=1)
    found = bench.ask("figures", requests)
    target = "p95 ≤ 50 ms"
    more = f", {pages[0].statements} SQL"
    return [
        _line("dashboard of all figures", found, target, found["p95"] <= 50, floor, more),
        _line("· one at a time", alone, target, alone["p95"] <= 50),
    ]


def _line(
    row: str,
    found: dict[str, Any],
    target: str,
    ok: bool,
    floor: dict[str, Any] | None = None,
    more: str = "",
) -> list[str]:
    measured = f"{found['rate']:,.0f}/s, p95 {found['p95']} ms{more}"
    if found["wrong"]:
        measured += f", WRONG {found['wrong']}"
    told = f"{floor['rate']:,.0f}/s, p95 {floor['p95']} ms" if floor else ""
    ratio = f"{found['rate'] / floor['rate']:.2f}" if floor else ""
    met = "yes" if ok and not found["wrong"] else "no"
    cost, others = "{} + {} ms".format(*found["cpu_ms"]), f"{found['others']:.0%}"
    return [row, measured, cost, others, target, met, told, ratio]
