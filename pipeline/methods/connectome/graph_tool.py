"""The nested block model by graph-tool, which lives in Debian's own Python and is no pip package.

The graphs go to a second Python through its input and partitions come back through its output;
nothing of that Python's packages is imported here.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import EnvironmentFault
from pipeline.methods.connectome.block_model import BlockModel, by_size, membership
from pipeline.numerics.partitions import adjusted_rand_index

PYTHON = Path("/usr/bin/python3")
"""The Python that Debian's package ``python3-graph-tool`` installs into."""

SCRIPT = """
import json, sys
import numpy as np
import graph_tool.all as gt

def fitted(given):
    graph = gt.Graph(directed=False)
    graph.add_vertex(given["n_units"])
    graph.add_edge_list(np.array(given["edges"]))
    weight = np.array(given["weights"])
    np.random.seed(given["seed"])
    gt.seed_rng(given["seed"])
    # A density of logarithms becomes one of weights by the sum of logarithms.
    variants = [("exponential", "real-exponential", weight, 0.0)]
    if np.ptp(weight) > 0:
        logs = np.log(weight)
        variants.append(("lognormal", "real-normal", logs, float(logs.sum())))
    found, alone = None, np.inf
    for name, kind, values, jacobian in variants:
        record = graph.new_ep("double", values)
        for corrected in (False, True):
            arguments = dict(deg_corr=corrected, recs=[record], rec_types=[kind])
            state = gt.minimize_nested_blockmodel_dl(graph, state_args=arguments)
            single = gt.NestedBlockState(
                graph, bs=[np.zeros(graph.num_vertices(), int)], state_args=arguments)
            alone = min(alone, single.entropy() + jacobian)
            length = state.entropy() + jacobian
            if found is None or length < found[0]:
                found = length, state, name, corrected
    length, state, name, corrected = found
    levels = [[int(b) for b in state.project_level(level).get_blocks().a]
              for level in range(len(state.get_bs()))]
    drawn = []
    state.multiflip_mcmc_sweep(niter=10)
    for _ in range(given["n_samples"]):
        state.multiflip_mcmc_sweep(niter=1)
        drawn.append([int(b) for b in state.project_level(0).get_blocks().a])
    return dict(levels=levels, length=length, alone=alone, weights=name,
                degrees="corrected" if corrected else "plain", drawn=drawn)

print(json.dumps([fitted(given) for given in json.load(sys.stdin)]))
"""
"""What the other Python runs: both weight models with and without degrees, the shortest wins."""


def fit_by_graph_tool(
    graphs: Sequence[NDArray[np.float64]], *, n_samples: int, rng: np.random.Generator
) -> list[BlockModel]:
    """The block model of each graph as graph-tool finds it.

    Parameters
    ----------
    graphs
        Symmetric, not negative, zero diagonal, every unit with an edge, shape (unit, unit) each.
    n_samples
        Partitions drawn around the shortest.

    Raises
    ------
    EnvironmentFault
        If there is no Python with graph-tool, or it fails.
    """
    if not graphs:
        return []
    given = []
    for weights in graphs:
        first, second = np.nonzero(np.triu(weights, 1))
        given.append(
            {
                "n_units": len(weights),
                "edges": np.stack([first, second], axis=1).tolist(),
                "weights": weights[first, second].tolist(),
                "seed": int(rng.integers(1, 2**31)),
                "n_samples": n_samples,
            }
        )
    return [_model(told) for told in _answer(given)]


def _answer(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the other Python says of the graphs."""
    try:
        done = subprocess.run(  # noqa: S603 - our own script, and numbers
            [PYTHON, "-I", "-W", "ignore", "-c", SCRIPT],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise _missing(f"{PYTHON} cannot be run ({error.strerror})") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it was ended"])[-1]
        raise _missing(f"{PYTHON} could not use graph-tool: {last}")
    answer: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _missing(found: str) -> EnvironmentFault:
    return EnvironmentFault(
        code="RN-R17",
        place="methods.connectome.communities",
        found=found,
        fix="install Debian's python3-graph-tool, or set methods.connectome.communities to "
        "block_model, which needs nothing",
    )


def _model(told: dict[str, Any]) -> BlockModel:
    """graph-tool's answer as our record."""
    levels = [by_size(np.array(level)) for level in told["levels"]]
    finest = levels[0]
    drawn = np.array([by_size(np.array(one)) for one in told["drawn"]])
    return BlockModel(
        levels=(finest, *(level for level in levels[1:] if level.max() > 0)),
        length=told["length"],
        one_group_length=told["alone"],
        weights=told["weights"],
        degrees=told["degrees"],
        probability=membership(finest, drawn),
        agreement=float(np.mean([adjusted_rand_index(finest, one) for one in drawn])),
    )
