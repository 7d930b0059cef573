"""Draws of a chain as they would be if it found what was planted, for what reads draws."""

from __future__ import annotations

import numpy as np

from pipeline.core.provenance import Provenance
from pipeline.methods.biclustering.config import BiclusteringConfig
from pipeline.methods.biclustering.model import Draws

PROVENANCE = Provenance(stage="fit", experiment="e", package_version="0", code_digest="")


def config_of(**settings) -> BiclusteringConfig:
    """Settings of chains that take a second."""
    short = {"n_tune": 20, "n_draws": 30, "n_trajectories": 10, "n_chains": 2, "n_shifts": 99}
    return BiclusteringConfig(**{**short, **settings})


def drawn(truth, used, rng, *, n_draws=40, n_kept=8, wrong=0.0, bin_s=0.5) -> Draws:
    """Draws that scatter around the truth, with labels, bases and places of their own.

    Parameters
    ----------
    truth
        What was planted.
    used
        Units that take part.
    rng
        Random stream.
    wrong
        Share of units and of bins with a label at random in each draw.
    """
    planted, states = truth.cluster_of_unit[used], truth.state_of_bin
    n_clusters, n_states = truth.cluster.size, truth.state.size
    n_bins, n_latents = truth.trajectory.shape[0], truth.trajectory.shape[2]
    cluster = np.empty((n_draws, planted.size), dtype=np.int16)
    state = np.empty((n_draws, n_bins), dtype=np.int16)
    baseline = np.empty((n_draws, planted.size), dtype=np.float32)
    loading = np.empty((n_draws, planted.size, n_latents - 1), dtype=np.float32)
    kept_draw = np.linspace(0, n_draws - 1, n_kept).round().astype(np.int64)
    trajectory = np.empty((n_kept, n_bins, n_clusters, n_latents), dtype=np.float32)
    size = n_clusters * n_latents
    transition = np.zeros((n_kept, n_states, size, size), dtype=np.float32)
    for draw in range(n_draws):
        names, state_names = rng.permutation(n_clusters), rng.permutation(n_states)
        labels, of_bin = names[planted], state_names[states]
        for found, most in ((labels, n_clusters), (of_bin, n_states)):
            flip = rng.random(found.size) < wrong
            found[flip] = rng.integers(0, most, flip.sum())
        cluster[draw], state[draw] = labels, of_bin
        place = rng.standard_normal((n_clusters, n_latents))
        turn = rng.standard_normal((n_clusters, n_latents - 1, n_latents - 1))
        mix = rng.standard_normal((n_clusters, n_latents - 1))
        # The same log rates: factors R f + v, loadings R^-T c, and a share of f moved to m.
        own = truth.loading[used] - mix[planted]
        turned = np.stack(
            [np.linalg.solve(turn[k].T, c) for k, c in zip(planted, own, strict=True)]
        )
        loading[draw] = turned
        baseline[draw] = (
            truth.baseline[used]
            + np.log(bin_s)
            - place[planted, 0]
            - np.einsum("ip,ip->i", place[planted, 1:], turned)
        )
        if draw in kept_draw:
            kept = int(np.flatnonzero(kept_draw == draw)[0])
            for k in range(n_clusters):
                course = truth.trajectory[:, k]
                slot = names[k]
                trajectory[kept, :, slot, 0] = course[:, 0] + course[:, 1:] @ mix[k] + place[k, 0]
                trajectory[kept, :, slot, 1:] = course[:, 1:] @ turn[k].T + place[k, 1:]
                at = slice(slot * n_latents, (slot + 1) * n_latents)
                transition[kept, state_names, at, at] = truth.dynamics[:, k]
    innovation = np.broadcast_to(0.04 * np.eye(size, dtype=np.float32), transition.shape).copy()
    return Draws(
        cluster=cluster,
        state=state,
        log_joint=rng.standard_normal(n_draws),
        log_likelihood=rng.standard_normal(n_draws),
        n_clusters=np.array([np.unique(row).size for row in cluster]),
        n_states=np.array([np.unique(row).size for row in state]),
        dispersion=np.broadcast_to(
            truth.dispersion[used].astype(np.float32), (n_draws, planted.size)
        ).copy(),
        baseline=baseline,
        loading=loading,
        gain=np.zeros((n_draws, planted.size, 0), dtype=np.float32),
        state_concentration=rng.gamma(4, 1, n_draws),
        weight_concentration=rng.gamma(4, 1, n_draws),
        stickiness=rng.gamma(4, 20, n_draws),
        kept_draw=kept_draw,
        trajectory=trajectory,
        transition=transition,
        offset=np.zeros(transition.shape[:3], dtype=np.float32),
        innovation=innovation,
        moves={"shift": (3, 10)},
    )
