"""Convergence of chains whose answer is known."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from pipeline.core.rng import stream
from pipeline.numerics.chains import NOTHING, convergence


def test_independent_draws_have_r_hat_one_and_their_number():
    found = convergence(stream(0, "iid").standard_normal((4, 500)))
    assert found.r_hat == pytest.approx(1, abs=0.01)
    assert found.ess_bulk == pytest.approx(2000, rel=0.2)


def test_autocorrelated_draws_count_less():
    rng = stream(1, "ar")
    noise = rng.standard_normal((4, 4000))
    draws = np.zeros_like(noise)
    for at in range(1, noise.shape[1]):
        draws[:, at] = 0.9 * draws[:, at - 1] + noise[:, at]
    # An autoregression of 0.9 has an effective share of (1 - 0.9) / (1 + 0.9).
    assert convergence(draws).ess_bulk == pytest.approx(16000 * 0.1 / 1.9, rel=0.35)


def test_a_chain_elsewhere_is_seen():
    draws = stream(2, "apart").standard_normal((4, 200))
    draws[3] += 4
    assert convergence(draws).r_hat > 1.5


def test_what_never_moves_has_no_verdict_and_what_differs_by_chain_fails():
    assert convergence(np.full((4, 100), 3.0)) == NOTHING
    assert not convergence(np.full((4, 100), 3.0)).defined
    stuck = np.repeat([[3.0], [3.0], [3.0], [4.0]], 100, axis=1)
    assert convergence(stuck).r_hat == np.inf
    assert not convergence(np.full((4, 100), np.nan)).defined


def test_one_chain_has_effective_draws_but_no_r_hat():
    found = convergence(stream(3, "one").standard_normal((1, 400)))
    assert np.isnan(found.r_hat)
    assert found.ess_bulk > 200


def test_arviz_is_loaded_without_a_home_and_says_nothing(tmp_path):
    """The folder of its notes cannot be made below a file."""
    (tmp_path / "home").write_text("no folder")
    code = (
        "import numpy as np; from pipeline.numerics.chains import convergence; "
        "print(convergence(np.random.default_rng(0).standard_normal((2, 50))).r_hat)"
    )
    environment = {
        **{name: value for name, value in os.environ.items() if name != "XDG_CACHE_HOME"},
        "HOME": str(tmp_path / "home"),
        "MPLCONFIGDIR": str(tmp_path),
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert 0.9 < float(done.stdout) < 1.2
    assert done.stderr == ""
