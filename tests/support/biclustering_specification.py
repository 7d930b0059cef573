"""The bi-clustering model as PyMC reads it, for given clusters and states."""

from __future__ import annotations

import warnings

import numpy as np
import pymc as pm
import pytensor.tensor as pt


def specification(data, priors, cluster, state):
    """A model of everything but the partition, whose units are known to lie in ``cluster``.

    Values are not transformed. Precisions of the innovations are Wishart, so that the density of
    covariances is theirs times the determinant of the change.
    """
    q, n_states = priors.n_latents, priors.n_states
    k = int(cluster.max()) + 1
    d = q if priors.coupling == "block" else k * q
    systems = k if priors.coupling == "block" else 1
    plain = {"default_transform": None}
    linked = data.linked
    with pm.Model() as model:
        shape = priors.concentration_shape
        alpha, gamma, kappa = (
            pm.Gamma(name, alpha=shape, beta=shape / mean, **plain)
            for name, mean in (
                ("alpha", priors.state_concentration),
                ("gamma", priors.weight_concentration),
                ("kappa", priors.stickiness),
            )
        )
        weight = pm.Dirichlet("weight", a=pt.ones(n_states) * gamma / n_states, **plain)
        row = [
            pm.Dirichlet(f"row_{s}", a=alpha * weight + kappa * np.eye(n_states)[s], **plain)
            for s in range(n_states)
        ]
        for t in np.flatnonzero(linked):
            p = row[state[t - 1]] if linked[t - 1] else np.full(n_states, 1 / n_states)
            pm.Categorical(f"state_{t}", p=p, observed=state[t])
        x = []
        for g in range(systems):
            a, b, w = [], [], []
            for s in range(n_states):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # it cannot be sampled from by NUTS
                    w.append(
                        pm.Wishart(
                            f"w_{g}_{s}",
                            nu=d + priors.noise_extra_degrees,
                            V=np.eye(d) / priors.noise_scale,
                            **plain,
                        )
                    )
                both = pm.MatrixNormal(
                    f"ab_{g}_{s}",
                    mu=np.column_stack([np.eye(d), np.zeros(d)]),
                    rowcov=pt.linalg.inv(w[-1]),
                    colcov=np.eye(d + 1) / priors.dynamics_precision,
                    shape=(d, d + 1),
                )
                a.append(both[:, :d])
                b.append(both[:, d])
            path = []
            for t in range(data.n_bins):
                if linked[t]:
                    s = state[t]
                    step = pm.MvNormal(f"x_{g}_{t}", mu=a[s] @ path[-1] + b[s], tau=w[s])
                else:
                    step = pm.Normal(f"x_{g}_{t}", 0, 1, shape=d)
                path.append(step)
            x.append(pt.stack(path))
        baseline = pm.Normal("baseline", baseline_mean(data, priors), priors.baseline_sd)
        loading = pm.Normal("loading", 0, priors.loading_sd, shape=(data.n_units, q - 1))
        size = None
        if priors.family == "negative_binomial":
            size = pm.Gamma(
                "size",
                alpha=priors.dispersion_shape,
                beta=priors.dispersion_rate,
                shape=data.n_units,
                **plain,
            )
        for unit in range(data.n_units):
            seen = data.observed[:, unit]
            c = cluster[unit]
            own = x[c] if priors.coupling == "block" else x[0][:, c * q : (c + 1) * q]
            eta = baseline[unit] + own[:, 0] + own[:, 1:] @ loading[unit]
            mean = pt.exp(eta + data.log_exposure[:, unit])[seen]
            counts = data.counts[seen, unit]
            if size is None:
                pm.Poisson(f"counts_{unit}", mean, observed=counts)
            else:
                pm.NegativeBinomial(f"counts_{unit}", mu=mean, alpha=size[unit], observed=counts)
    return model


def baseline_mean(data, priors):
    """Prior means of baselines."""
    if priors.baseline == "zero":
        return np.zeros(data.n_units)
    exposure = np.where(data.observed, np.exp(data.log_exposure), 0).sum(axis=0)
    total = np.where(data.observed, data.counts, 0).sum(axis=0)
    return np.log((total + 0.5) / (exposure + 0.5))


def values(problem, now):
    """A chain's position by the names of the specification."""
    out = dict(zip(("alpha", "gamma", "kappa"), now.concentration, strict=True))
    out["weight"] = now.weight
    out |= {f"row_{s}": np.exp(now.log_row[s]) for s in range(now.weight.size)}
    for g in range(now.x.shape[0]):
        for s in range(now.weight.size):
            out[f"w_{g}_{s}"] = now.dynamics.w[g, s]
            out[f"ab_{g}_{s}"] = np.column_stack([now.dynamics.a[g, s], now.dynamics.b[g, s]])
        out |= {f"x_{g}_{t}": now.x[g, t] for t in range(problem.n_bins)}
    out |= {"baseline": now.beta[:, 0], "loading": now.beta[:, 1:]}
    if not problem.data.poisson:
        out["size"] = now.size
    return out


def sampled_specification(data, priors, state):
    """The same model for one cluster and known states, in a form that NUTS can draw from.

    Precisions of innovations are ``B B' / scale`` with Bartlett's triangular ``B``, and ``[A, b]``
    is its mean plus ``sqrt(scale / precision) inv(B') E`` with standard normals ``E``, which makes
    both what they are in :func:`specification`. Transitions are one term. Weights, rows and
    concentrations do not matter where states are known.
    """
    q, n_states = priors.n_latents, priors.n_states
    linked = np.flatnonzero(data.linked)
    starts = np.flatnonzero(~data.linked)
    low = np.tril_indices(q, -1)
    with pm.Model() as model:
        roots, transitions, offsets = [], [], []
        for s in range(n_states):
            degrees = q + priors.noise_extra_degrees - np.arange(q)
            square = pm.ChiSquared(f"square_{s}", nu=degrees, shape=q)
            root = pt.diag(pt.sqrt(square))
            if q > 1:
                beside = pm.Normal(f"beside_{s}", 0, 1, shape=low[0].size)
                root = pt.set_subtensor(root[low], beside)
            root = root / np.sqrt(priors.noise_scale)
            free = pm.Normal(f"free_{s}", 0, 1, shape=(q, q + 1))
            away = pt.linalg.solve_triangular(root.T, free, lower=False)
            both = np.eye(q, q + 1) + away / np.sqrt(priors.dynamics_precision)
            roots.append(root)
            transitions.append(both[:, :q])
            offsets.append(both[:, q])
        roots, a, b = pt.stack(roots), pt.stack(transitions), pt.stack(offsets)
        pm.Deterministic("log_det", 2 * pt.log(pt.diagonal(roots, axis1=1, axis2=2)).sum(axis=1))
        pm.Deterministic("a", a)
        x = pm.Flat("x", shape=(data.n_bins, q))
        s = state[linked]
        away = x[linked] - (a[s] @ x[linked - 1][:, :, None])[:, :, 0] - b[s]
        # w = root root', so that (root' away) is standard normal.
        standard = (away[:, :, None] * roots[s]).sum(axis=1)
        half = pt.log(pt.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
        pm.Potential("transitions", half[s].sum() - 0.5 * (standard**2).sum())
        pm.Potential("starts", -0.5 * (x[starts] ** 2).sum())
        baseline = pm.Normal("baseline", baseline_mean(data, priors), priors.baseline_sd)
        loading = pm.Normal("loading", 0, priors.loading_sd, shape=(data.n_units, q - 1))
        eta = pm.Deterministic("eta", baseline + x[:, :1] + x[:, 1:] @ loading.T)
        mean, seen = pt.exp(eta + data.log_exposure)[data.observed], data.counts[data.observed]
        if priors.family == "poisson":
            pm.Poisson("counts", mean, observed=seen)
        else:
            size = pm.Gamma(
                "size", priors.dispersion_shape, priors.dispersion_rate, shape=data.n_units
            )
            of_unit = np.nonzero(data.observed)[1]
            pm.NegativeBinomial("counts", mu=mean, alpha=size[of_unit], observed=seen)
    return model
