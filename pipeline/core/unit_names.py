"""What units are called: by one rule, so that each is found by one name on all of a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from pipeline.core.recording import identities


def names_of_units(recording: str, units: pd.DataFrame, *, n_recordings: int) -> list[str]:
    """How figures and tables call the units of a recording.

    - A unit whose identity is certain: by it, in each recording in which it is seen.
    - One whose identity is in doubt: by that with a question mark. It need not be the unit of this
      name in another recording, so its own stands before where there are several; and its id
      behind where the recording has more than one of this name in doubt.
    - Any other: by its recording and its id; where there is a single recording by its id alone,
      behind the word ``unit`` where it is a number, which would be taken for that of a group.

    Parameters
    ----------
    recording
        Its id.
    units
        Its table of units, as in :class:`~pipeline.core.recording.Recording`.
    n_recordings
        Recordings of the experiment that could be read, whichever of them a method took.
    """
    ids, told = list(units["unit_id"].astype(str)), identities(units)
    certain = units["identity_certain"].astype(bool)
    before = f"{recording}:" if n_recordings > 1 else ""
    count = Counter(told)
    names = []
    for unit, name, sure in zip(ids, told, certain, strict=True):
        if not name:
            names.append(f"unit {unit}" if unit.isdecimal() and not before else f"{before}{unit}")
        elif sure:
            names.append(name)
        else:
            names.append(f"{before}{name}{f' ({unit})' if count[name] > 1 else ''}")
    return names


@dataclass(frozen=True, slots=True)
class UnitNames:
    """What the units of an experiment are called; where nothing is known, by recording and id."""

    of_unit: Mapping[str, str] = field(default_factory=dict)
    """By ``RECORDING:unit_id``."""

    @classmethod
    def of(cls, units: Mapping[str, pd.DataFrame]) -> UnitNames:
        """From the tables of units of all recordings that could be read, by their ids."""
        return cls(
            {
                f"{recording}:{unit}": name
                for recording, table in units.items()
                for unit, name in zip(
                    table["unit_id"].astype(str),
                    names_of_units(recording, table, n_recordings=len(units)),
                    strict=True,
                )
            }
        )

    def called(self, recording: str, unit: str) -> str:
        """The name of a unit, told by its recording and its id there."""
        return self.pooled(f"{recording}:{unit}")

    def pooled(self, item: str) -> str:
        """The same, told as methods pool it: ``RECORDING:unit_id``, or by an identity.

        Only certain identities are pooled, and these are names already.
        """
        return self.of_unit.get(item, item)


NO_NAMES = UnitNames()
"""Where nothing is known of the recordings that a result is of."""
