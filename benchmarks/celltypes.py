"""Stimuli of all clusters in one batch beside one stimulus at a time in plain torch, in one run.

The published loops (units 42 and 60) are replayed by both, with the same steps; plain torch is
written as the paper's code is: one cluster after another, a second pass for the value after each
step, and the mean response of a cluster as a mean over its units.

``--curves`` times a step of all stimuli over units, clusters and pixels, on banks of filters.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/celltypes.py [--curves]
"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.methods.celltypes.ascent import Ascent  # noqa: E402
from pipeline.methods.celltypes.clustering import Rule, alternate  # noqa: E402
from pipeline.methods.celltypes.constraints import Constraints  # noqa: E402
from pipeline.methods.celltypes.objective import Discriminate, membership  # noqa: E402
from pipeline.methods.celltypes.stimuli import Engine  # noqa: E402
from tests.support.golden import golden_files  # noqa: E402
from tests.support.response_banks import bank  # noqa: E402

REPEATS = 5
STEPS = 20
CURVES = (
    *(("units", {"units": n}) for n in (50, 100, 200, 400, 800, 1600)),
    *(("clusters", {"clusters": n}) for n in (2, 4, 8, 16, 32, 64)),
    *(("pixels a side", {"side": n}) for n in (8, 16, 32, 64)),
)


def in_one_batch(file):
    norm, clip = float(file["norm"]), file["clip"]
    bounded = np.isfinite(clip).all()
    engine = Engine(
        bank(file["filters"], file["gain"], file["bias"], file["nonlinearity"]),
        Constraints(
            norm=norm if np.isfinite(norm) else None,
            low=clip[:1] if bounded else None,
            high=clip[1:] if bounded else None,
        ),
    )
    ascent = Ascent(kind="sgd", rate=float(file["lr"]), steps=int(file["steps"]))
    found = alternate(
        engine,
        file["init_assignments"],
        file["init_stimuli"][:, None, None],
        Rule(
            temperature=float(file["temperature"]),
            ascent=ascent,
            polish=ascent,
            max_iterations=int(file["max_em"]),
        ),
        driving=np.ones(len(file["gain"]), dtype=bool),
        rng=np.random.default_rng(0),
    )
    return found.labels


def objective_of(stimulus, target, respond, labels, n_clusters, temperature):
    """J of one stimulus, as the paper's code has it."""
    responses = respond(stimulus[None])[0]
    means = torch.stack([responses[labels == k].mean() for k in range(n_clusters)])
    return means[target] / temperature - torch.log(torch.exp(means / temperature).mean())


def climbed(stimulus, value_of, *, steps, rate, norm, low, high):
    """One stimulus after some steps, with a second pass for the value after each."""
    for _ in range(steps):
        stimulus = stimulus.detach().requires_grad_()
        value_of(stimulus).backward()
        with torch.no_grad():
            stimulus = stimulus + rate * stimulus.grad
            if np.isfinite(norm):
                stimulus = (stimulus * (norm / stimulus.norm())).clamp(low, high)
            value_of(stimulus)
    return stimulus.detach()


def one_at_a_time(file):
    respond = bank(file["filters"], file["gain"], file["bias"], file["nonlinearity"])
    low, high = (float(bound) for bound in file["clip"])
    labels = torch.as_tensor(file["init_assignments"])
    stimuli = [torch.as_tensor(one) for one in file["init_stimuli"]]
    for _ in range(int(file["max_em"])):
        for target, stimulus in enumerate(stimuli):
            stimuli[target] = climbed(
                stimulus,
                partial(
                    objective_of,
                    target=target,
                    respond=respond,
                    labels=labels,
                    n_clusters=len(stimuli),
                    temperature=float(file["temperature"]),
                ),
                steps=int(file["steps"]),
                rate=float(file["lr"]),
                norm=float(file["norm"]),
                low=low,
                high=high,
            )
        with torch.no_grad():
            best = respond(torch.stack(stimuli)).argmax(dim=0)
        kept = torch.unique(best).tolist()
        moved = bool((best != labels).any())
        stimuli = [stimuli[k] for k in kept]
        labels = torch.as_tensor([kept.index(int(k)) for k in best])
        if not moved:
            break
    return labels.numpy()


def processor_seconds(work, *given):
    start = time.process_time()
    found = work(*given)
    return time.process_time() - start, found


def step_costs(*, units=200, clusters=8, side=16):
    """Milliseconds of processor that a step of all stimuli takes, in one batch and one by one."""
    rng = np.random.default_rng(units + clusters + side)
    filters = rng.standard_normal((units, side, side)) / side
    respond = bank(filters, np.ones(units), np.zeros(units), "softplus")
    labels = np.arange(units) % clusters
    start = rng.standard_normal((clusters, 1, 1, side, side)).astype(np.float32)
    norm, rate, temperature = float(side) / 2, 1.0, 1.6
    low, high = -2.0, 2.0
    engine = Engine(respond, Constraints(norm=norm, low=np.array([low]), high=np.array([high])))
    goal = Discriminate(membership(labels, clusters), np.arange(clusters), temperature)
    ascent = Ascent(kind="sgd", rate=rate, steps=STEPS)

    def batched():
        return engine.climb(start, goal, ascent, rng).stimuli

    def single():
        value_of = partial(
            objective_of,
            respond=respond,
            labels=torch.as_tensor(labels),
            n_clusters=clusters,
            temperature=temperature,
        )
        return [
            climbed(
                torch.as_tensor(one[0, 0]),
                partial(value_of, target=target),
                steps=STEPS,
                rate=rate,
                norm=norm,
                low=low,
                high=high,
            ).numpy()
            for target, one in enumerate(start)
        ]

    ours, theirs = [], []
    for _ in range(REPEATS):
        seconds, found = processor_seconds(batched)
        ours.append(seconds)
        seconds, known = processor_seconds(single)
        theirs.append(seconds)
    np.testing.assert_allclose(found[:, 0, 0], np.stack(known), atol=1e-3 * norm)
    return 1e3 * np.median(ours) / STEPS, 1e3 * np.median(theirs) / STEPS


def curves():
    for name, sizes in CURVES:
        batched, single = step_costs(**sizes)
        print(
            f"{name} {next(iter(sizes.values()))}: one batch {batched:.2f} ms a step, one at a "
            f"time {single:.2f} ms, ratio {single / batched:.1f}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--curves", action="store_true", help="a step over units, clusters, pixels")
    wants_curves = parser.parse_args().curves
    torch.set_num_threads(1)
    if wants_curves:
        curves()
        return
    for file in golden_files("mds_celltypes", "init_stimuli", "em0_loss"):
        in_one_batch(file)
        batched, single = [], []
        for _ in range(REPEATS):
            seconds, ours = processor_seconds(in_one_batch, file)
            batched.append(seconds)
            seconds, theirs = processor_seconds(one_at_a_time, file)
            single.append(seconds)
        same = np.array_equal(ours, theirs) and np.array_equal(ours, file["final_assignments"])
        print(
            f"{len(file['gain'])} units: one batch {np.median(batched):.3f} s of processor, one at "
            f"a time {np.median(single):.3f} s, ratio {np.median(single) / np.median(batched):.1f} "
            f"(same labels: {same})"
        )


if __name__ == "__main__":
    main()
