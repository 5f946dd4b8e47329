"""What is measured, and the table of it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# How the values of each unit are written.
_FORMATS = {
    "requests/s": "{:,.0f}",
    "runs/s": "{:,.0f}",
    "ratio": "{:.2f}",
    "lines": "{:.0f}",
    "%": "{:.2f}",
    "MB": "{:.0f}",
    "ms": "{:.1f}",
    "bytes": "{:,.0f}",
    "s": "{:.2f}",
}
_HEADINGS = ("figure", "unit", "median", "min–max", "goal", "")


@dataclass(frozen=True)
class Goal:
    """Where the median is to be: at least `limit`, or below it."""

    limit: float
    below: bool = False

    def is_met(self, value: float) -> bool:
        return value < self.limit if self.below else value >= self.limit


@dataclass(frozen=True)
class Figure:
    """Measured values in `unit`. Without a goal it is there for information."""

    name: str
    unit: str
    values: Sequence[float]
    goal: Goal | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def row(self) -> tuple[str, ...]:
        low, high = self._text(min(self.values)), self._text(max(self.values))
        spread = f"{low}–{high}" if len(self.values) > 1 else ""
        return (self.name, self.unit, self._text(self.median), spread, *self._judged())

    def _judged(self) -> tuple[str, str]:
        if self.goal is None:
            return "", ""
        sign = "<" if self.goal.below else "≥"
        met = self.goal.is_met(self.median)
        return f"{sign} {self._text(self.goal.limit)}", "met" if met else "MISSED"

    def _text(self, value: float) -> str:
        return _FORMATS[self.unit].format(value)


def table(figures: Sequence[Figure]) -> str:
    """Aligned columns: words to the left, numbers to the right."""
    rows = [_HEADINGS, *(figure.row() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [_line(row, widths) for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def verdict(figures: Sequence[Figure]) -> str:
    """One line: how many goals are met, and by name those that are not."""
    judged = [(figure, figure.goal) for figure in figures if figure.goal]
    missed = [figure.name for figure, goal in judged if not goal.is_met(figure.median)]
    met = f"{len(judged) - len(missed)} of {len(judged)} goals met"
    return f"{met}. MISSED: {', '.join(missed)}." if missed else f"{met}."


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        text.ljust(width) if column in {0, 1, 5} else text.rjust(width)
        for column, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
