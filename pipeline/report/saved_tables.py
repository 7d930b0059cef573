"""Tables that a page draws in its own way, as tables that can be saved."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core.parts import Section, Table
from pipeline.report.page import Page, Timing
from pipeline.report.wording import ranked


def tables_of_no_section(page: Page) -> tuple[Table, ...]:
    """Checks of all sections and timings of all jobs; each only where there are any."""
    tables = (checks_table(page.sections), timings_table(page.timings))
    return tuple(table for table in tables if any(table.columns.values()))


def checks_table(sections: Sequence[Section]) -> Table:
    """One row a check, by section, in the order in which the page shows them."""
    rows = [(one.id, check) for one in sections for _, check in ranked(one.checks)]
    return Table(
        id="checks",
        title="Checks",
        caption="What to trust and what not; advice counts where a check did not pass.",
        columns={
            "section": tuple(name for name, _ in rows),
            "check": tuple(check.name for _, check in rows),
            "status": tuple(check.status for _, check in rows),
            "value": tuple(check.value for _, check in rows),
            "threshold": tuple(check.threshold for _, check in rows),
            "meaning": tuple(check.meaning for _, check in rows),
            "advice": tuple(check.advice for _, check in rows),
        },
    )


def timings_table(timings: Sequence[Timing]) -> Table:
    """One row a job."""
    return Table(
        id="timings",
        title="Timings",
        caption="Wall time and largest resident memory of each job, where that was measured.",
        columns={
            "job": tuple(timing.job for timing in timings),
            "seconds": tuple(float(timing.seconds) for timing in timings),
            "peak_memory_mb": tuple(timing.peak_mb for timing in timings),
        },
    )
