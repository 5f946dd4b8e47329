"""Requests a second of `GET /v1/me`: Compass beside its rivals, in turns.

Each turn begins with a second that does not count. Compass writes the use of a key at most once
a minute: in life that is one request of thousands, here it would be every key of each turn.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from bench import data, rivals
from bench.load import Target, requests_per_second
from bench.rivals import FEW_KEYS, Field
from bench.run import Run, say
from bench.table import Figure, Goal


@dataclass(frozen=True)
class Comparison:
    """`over`: the ratio is the rival's rate over that of Compass with few keys."""

    ratio: str
    goal: Goal
    start: Callable[[Field, Run], Target]
    over: bool = False


COMPARISONS = {
    "flask": Comparison("Compass / bare Flask", Goal(0.55), lambda field, _: field.bare()),
    "many-keys": Comparison(
        "many keys / few keys",
        Goal(0.95),
        lambda field, run: field.many(run.many_keys),
        over=True,
    ),
    "knox": Comparison("Compass / django-rest-knox", Goal(5), lambda field, _: field.knox()),
    "api-key": Comparison(
        "Compass / djangorestframework-api-key", Goal(3), lambda field, _: field.api_key()
    ),
}


def measure(run: Run, names: list[str]) -> list[Figure]:
    """The rate of Compass; then for each name the rival's rate, and the ratio by rounds."""
    chosen = [COMPARISONS[name] for name in names]
    with ExitStack() as stack:
        say("Making databases and starting servers.")
        few = data.make(run.folder / "few", FEW_KEYS)
        reference = rivals.compass(stack, few, FEW_KEYS)
        # Twice, so that the answer says when the key was last used, as all later ones do.
        rivals.answer(reference)
        field = Field(run.folder, stack, few, rivals.answer(reference))
        targets = [reference, *(each.start(field, run) for each in chosen)]
        ours, *theirs = _in_turns(run, targets)
    figures = [Figure(reference.name, "requests/s", ours)]
    for comparison, target, rates in zip(chosen, targets[1:], theirs, strict=True):
        above, below = (rates, ours) if comparison.over else (ours, rates)
        ratios = [a / b for a, b in zip(above, below, strict=True)]
        figures.append(Figure(target.name, "requests/s", rates))
        figures.append(Figure(comparison.ratio, "ratio", ratios, comparison.goal))
    return figures


def _in_turns(run: Run, targets: list[Target]) -> list[list[float]]:
    """For each target its rates, one a round."""
    rates: list[list[float]] = [[] for _ in targets]
    for number in range(1, run.rounds + 1):
        say(f"Round {number} of {run.rounds}: {run.seconds} s for each of {len(targets)}.")
        for target, its in zip(targets, rates, strict=True):
            requests_per_second(target, run.warm_up_seconds)
            its.append(requests_per_second(target, run.seconds))
    return rates
