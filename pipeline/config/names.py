"""Names that were probably meant."""

from __future__ import annotations

from collections.abc import Iterable


def edits(first: str, second: str) -> int:
    """Fewest letters to insert, drop, replace or swap with their neighbour, ignoring case."""
    first, second = first.casefold(), second.casefold()
    before: list[int] = []
    last = list(range(len(second) + 1))
    for row, letter in enumerate(first, start=1):
        now = [row]
        for column, other in enumerate(second, start=1):
            cost = min(last[column] + 1, now[column - 1] + 1, last[column - 1] + (letter != other))
            if row > 1 and column > 1 and letter == second[column - 2] and first[row - 2] == other:
                cost = min(cost, before[column - 2] + 1)
            now.append(cost)
        before, last = last, now
    return last[-1]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant; ``None`` when none is near.

    Near are two edits, one for names of up to four letters.
    """
    allowed = 1 if len(name) <= 4 else 2
    close = [(edits(name, other), other) for other in known if abs(len(name) - len(other)) <= 2]
    best = min(close, default=(allowed + 1, ""))
    return best[1] if best[0] <= allowed else None
