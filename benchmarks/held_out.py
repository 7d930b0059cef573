"""What fits of the bi-clustering take that leave counts out singly or in blocks, side by side.

Both have the same price (``pipeline/stages/costs.json``): they differ in which counts are hidden,
and in nothing else. Each fit runs in a process of its own, on the same counts.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/held_out.py [--seconds 20 60]

Measured beside much other work: blocks take 0.93 and 1.43 times the processor time of single
counts, and as much memory.
"""

from __future__ import annotations

import argparse

from separate import Cost, cost_of

MASKS = ("speckled", "blocked")


def main() -> None:
    """Print what each mask's fit takes and how many times as much blocks take."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, nargs="+", default=[20.0, 60.0])
    chosen = parser.parse_args()
    for seconds in chosen.seconds:
        single, blocks = (cost_of_mask(mask, seconds=seconds) for mask in MASKS)
        time = blocks.processor_seconds / single.processor_seconds
        memory = blocks.peak_bytes / single.peak_bytes
        print(f"{seconds:g} s: {single}; in blocks {blocks}", flush=True)
        print(f"  blocks take {time:.2f} times the processor, {memory:.2f} times the memory")


def cost_of_mask(mask: str, *, seconds: float) -> Cost:
    """A fit that predicts hidden counts of the demo's kind of recording, once compiled."""
    return cost_of(
        f"""
        fit(within(view, np.array([0.0, {seconds}])))
        """,
        imports=f"""
        import numpy as np
        from pipeline.core.method import Part
        from pipeline.core.provenance import Provenance
        from pipeline.core.rng import stream
        from pipeline.methods.biclustering.algorithm import fit_part
        from pipeline.methods.biclustering.config import BiclusteringConfig
        from pipeline.methods.biclustering.simulate import simulate
        from pipeline.prepare.halves import within
        view, _ = simulate(stream(2, "held out"), size="demo")
        config = BiclusteringConfig(n_tune=40, n_draws=40)
        provenance = Provenance(stage="b", experiment="e", package_version="", code_digest="")
        (part,) = [part for part in config.plan() if part.name.startswith({mask!r})][:1]
        def fit(seen):
            fit_part((seen,), config, part, stream(3, "held out"), provenance=provenance)
        fit(within(view, np.array([0.0, 20.0])))
        """,
    )


if __name__ == "__main__":
    main()
