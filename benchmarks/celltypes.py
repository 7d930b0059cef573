"""Stimuli of all clusters in one batch beside one stimulus at a time in plain torch, in one run.

The published loops (units 42 and 60) are replayed by both, with the same steps; plain torch is
written as the paper's code is: one cluster after another, a second pass for the value after each
step, and the mean response of a cluster as a mean over its units.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/celltypes.py
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.methods.celltypes.ascent import Ascent  # noqa: E402
from pipeline.methods.celltypes.clustering import Rule, alternate  # noqa: E402
from pipeline.methods.celltypes.constraints import Constraints  # noqa: E402
from pipeline.methods.celltypes.stimuli import Engine  # noqa: E402
from tests.support.golden import golden_files  # noqa: E402
from tests.support.response_banks import bank  # noqa: E402

REPEATS = 5


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


def one_at_a_time(file):
    respond = bank(file["filters"], file["gain"], file["bias"], file["nonlinearity"])
    temperature, rate = float(file["temperature"]), float(file["lr"])
    norm, (low, high) = float(file["norm"]), (float(bound) for bound in file["clip"])
    labels = torch.as_tensor(file["init_assignments"])
    stimuli = [torch.as_tensor(one) for one in file["init_stimuli"]]

    def value_of(stimulus, target):
        responses = respond(stimulus[None])[0]
        means = torch.stack([responses[labels == k].mean() for k in range(len(stimuli))])
        return means[target] / temperature - torch.log(torch.exp(means / temperature).mean())

    for _ in range(int(file["max_em"])):
        for target, stimulus in enumerate(stimuli):
            for _ in range(int(file["steps"])):
                stimulus = stimulus.detach().requires_grad_()
                value_of(stimulus, target).backward()
                with torch.no_grad():
                    stimulus = stimulus + rate * stimulus.grad
                    if np.isfinite(norm):
                        stimulus = (stimulus * (norm / stimulus.norm())).clamp(low, high)
                    value_of(stimulus, target)
            stimuli[target] = stimulus.detach()
        with torch.no_grad():
            best = respond(torch.stack(stimuli)).argmax(dim=0)
        kept = torch.unique(best).tolist()
        moved = bool((best != labels).any())
        stimuli = [stimuli[k] for k in kept]
        labels = torch.as_tensor([kept.index(int(k)) for k in best])
        if not moved:
            break
    return labels.numpy()


def processor_seconds(work, file):
    start = time.process_time()
    labels = work(file)
    return time.process_time() - start, labels


def main():
    torch.set_num_threads(1)
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
