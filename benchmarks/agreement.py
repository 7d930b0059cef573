"""What holding labels against each other takes, against units and recordings.

Labels of every unit at random: a region, a cluster, a type, and communities of six components; a
map of all units; halves of all three methods. Each size runs in a process of its own. Printed are
processor time and peak memory, and the prices in seconds of an exchange in a recording and of each
unit in it (``exchanges`` and ``exchanged`` in ``pipeline/stages/costs.json``) that fit them best,
in shares of what was measured.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/agreement.py
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls
from separate import cost_of

SIZES = ((1, 100), (1, 300), (3, 100), (1, 1000))
"""Recordings, and units of each."""
N_PERMUTATIONS = 999
WORK = """
rng = np.random.default_rng(0)
recording = np.repeat([f"r{{i}}" for i in range({recordings})], {units})
unit = np.tile([f"u{{i}}" for i in range({units})], {recordings})


def labels(kind, name, from_activity=True):
    return UnitLabels(
        name=name, kind=kind, from_activity=from_activity,
        recording=recording, unit=unit, item=np.char.add(recording, unit),
        label=rng.integers(0, 6, unit.size).astype(str), probability=np.full(unit.size, np.nan),
    )


ids = {{f"r{{i}}": [f"u{{j}}" for j in range({units})] for i in range({recordings})}}
level = {{name: rng.random({units}) for name in ids}}
place = {{name: 500 * rng.random(({units}, 3)) for name in ids}}
chosen = {{"n_permutations": {permutations}, "least": 10, "seed": 1}}
communities = [labels("communities", f"component {{i}}") for i in range(6)]
compare_pairs(
    [labels("regions", "regions", False), labels("clusters", "clusters"), labels("types", "types"),
     *communities],
    levels=level, places=place, unit_ids=ids, **chosen,
)
halves = {{
    kind: [
        Halves(
            first=tuple(labels(kind, kind) for _ in range(n)),
            second=tuple(labels(kind, kind) for _ in range(n)),
            recording=np.array(list(ids)), alike_s=np.full({recordings}, 0.3),
            span_s=np.tile([[[-np.inf, 5.0], [6.0, np.inf]]], ({recordings}, 1, 1)),
            provenance=Provenance(stage="b", experiment="e", package_version="0", code_digest=""),
        )
    ]
    for kind, n in (("clusters", 1), ("types", 1), ("communities", 6))
}}
populations = {{
    name: Population(
        unit=of, item=[name + one for one in of], level=level[name], place=place[name]
    )
    for name, of in ids.items()
}}
compare_halves(list(halves), halves, {{}}, populations, **chosen)
"""
IMPORTS = """
import numpy as np
from pipeline.agreement.halves import Population, compare_halves
from pipeline.agreement.pairs import compare_pairs
from pipeline.core.halves import Halves
from pipeline.core.labelling import UnitLabels
from pipeline.core.provenance import Provenance
"""


def main() -> None:
    """Measure every size, print it and the fit."""
    seconds = []
    for recordings, units in SIZES:
        work = WORK.format(recordings=recordings, units=units, permutations=N_PERMUTATIONS)
        cost = cost_of(work, imports=IMPORTS)
        print(f"{recordings} x {units} units: {cost}", flush=True)
        seconds.append(cost.processor_seconds)
    sizes = N_PERMUTATIONS * np.array([(n, n * units) for n, units in SIZES], dtype=float)
    prices, _ = nnls(sizes / np.array(seconds)[:, None], np.ones(len(SIZES)))
    print(f"exchanges {prices[0]:.3g} s, exchanged {prices[1]:.3g} s")
    print(f"expected / measured {np.round(sizes @ prices / seconds, 2)}")


if __name__ == "__main__":
    main()
