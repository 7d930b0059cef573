"""Copies of units are found, and neurons that merely do the same are not."""

import numpy as np
import pytest
from scipy.signal import lfilter

from pipeline.core.rng import stream
from pipeline.prepare.config import QualityConfig
from pipeline.prepare.quality import duplicates
from pipeline.prepare.quality.duplicates import (
    Alike,
    agreement,
    alike_traces,
    alike_trains,
    best_of_duplicates,
)
from pipeline.prepare.quality.grade import grade_units
from pipeline.prepare.quality.sample import Sample
from tests.support.small_recordings import recording, sampled, trains

N_FRAMES = 4000


def sample_of(values, valid=None):
    values = np.asarray(values, dtype=np.float32)
    found = Sample.empty(*values.shape)
    valid = np.ones(values.shape, bool) if valid is None else valid
    found.take(values, valid, first_frame=0)
    return found


def calcium(rng, n=N_FRAMES):
    """Transients of unequal size at random times, which decay over 25 frames."""
    events = (rng.random(n) < 0.01) * rng.gamma(3.0, 1.0, n)
    return lfilter([1.0], [1.0, -0.96], events)


def population(rng, n_units=8, noise=0.3):
    """Cells that fire on their own, shape (time, unit)."""
    return np.stack([calcium(rng) for _ in range(n_units)], axis=1) + noise * rng.normal(
        size=(N_FRAMES, n_units)
    )


def pairs(found):
    return [(pair.one, pair.other) for pair in found]


@pytest.mark.parametrize("further_noise", [0.0, 0.2, 0.5])
def test_a_cell_that_was_outlined_twice_is_found_with_the_correlation_of_its_noise(further_noise):
    rng = stream(1, "outlined twice")
    values = population(rng)
    values[:, 6] = 2.5 * values[:, 2] + 0.7 + 2.5 * 0.3 * further_noise * rng.normal(size=N_FRAMES)
    found = alike_traces(sample_of(values), least=0.8)
    assert pairs(found) == [(2, 6)]
    # Noise n and n + s e, with independent n and e, correlate by 1 / sqrt(1 + s^2).
    assert found[0].likeness == pytest.approx((1 + further_noise**2) ** -0.5, abs=0.03)


@pytest.mark.parametrize("noise", [0.01, 0.05, 0.1, 1.0])
def test_two_cells_of_the_very_same_activity_are_not_one(noise):
    rng = stream(2, "the same activity")
    values = population(rng, noise=noise)
    shared = calcium(rng)
    for unit in (1, 4):
        values[:, unit] = shared + noise * rng.normal(size=N_FRAMES)
    if noise < 1:
        assert np.corrcoef(values[:, 1], values[:, 4])[0, 1] > 0.98
    assert alike_traces(sample_of(values), least=0.25) == ()


def test_a_flickering_lamp_makes_no_copies_and_hides_none():
    rng = stream(3, "lamp")
    values = population(rng, n_units=12, noise=0.1) + rng.normal(size=(N_FRAMES, 1))
    assert alike_traces(sample_of(values), least=0.5) == ()
    values[:, 9] = values[:, 5] + 0.02 * rng.normal(size=N_FRAMES)
    assert pairs(alike_traces(sample_of(values), least=0.8)) == [(5, 9)]


def test_noise_that_is_shared_without_the_signal_makes_no_copy():
    rng = stream(4, "noise alone")
    values = population(rng, noise=0.0)
    common = 0.3 * rng.normal(size=N_FRAMES)
    values += 0.3 * rng.normal(size=values.shape)
    for unit in (0, 1):
        values[:, unit] = calcium(rng) + common
    assert alike_traces(sample_of(values), least=0.5) == ()


def test_smooth_traces_have_no_noise_and_are_not_compared():
    rng = stream(5, "smooth")
    shared = calcium(rng)
    values = np.stack([shared, 1.1 * shared + 0.01 * calcium(rng), calcium(rng)], axis=1)
    assert alike_traces(sample_of(values), least=0.5) == ()


def test_missing_samples_and_two_units_alone():
    rng = stream(6, "missing")
    values = np.repeat(population(rng, n_units=1), 2, axis=1)
    values[:, 1] += 0.02 * rng.normal(size=N_FRAMES)
    valid = rng.random(values.shape) > 0.15
    assert pairs(alike_traces(sample_of(values, valid), least=0.8)) == [(0, 1)]
    valid[:, 1] = False
    assert alike_traces(sample_of(values, valid), least=0.8) == ()


def test_nothing_is_found_among_hundreds_of_independent_units_however_they_are_blocked(monkeypatch):
    rng = stream(7, "independent")
    values = rng.normal(size=(1500, 300)).astype(np.float32)
    assert alike_traces(sample_of(values), least=0.5) == ()
    values[:, 299] = values[:, 0] + 0.1 * values[:, 299]
    values[:, 40] = values[:, 39] + 0.1 * values[:, 40]
    whole = alike_traces(sample_of(values), least=0.5)
    assert pairs(whole) == [(0, 299), (39, 40)]
    monkeypatch.setattr(duplicates, "BLOCK", 40)
    assert alike_traces(sample_of(values), least=0.5) == whole


def poisson(rng, rate_hz, seconds, refractory_s=0.003):
    gaps = rng.exponential(1 / rate_hz, int(2 * rate_hz * seconds) + 20) + refractory_s
    times = np.cumsum(gaps)
    return times[times < seconds]


def sorted_again(rng, train, *, lost=0.05, jitter_s=1e-4):
    """What a sorter that found the unit twice makes of it."""
    kept = train[rng.random(train.size) >= lost]
    return np.sort(kept + jitter_s * rng.normal(size=kept.size))


@pytest.mark.parametrize("rate_hz", [0.2, 4.0, 80.0])
def test_a_unit_that_was_sorted_twice_is_found(rate_hz):
    rng = stream(8, "sorted twice")
    seconds = 600.0
    units = [poisson(rng, rate, seconds) for rate in (0.3, 1, 5, 20, 60, 120, rate_hz)]
    units.append(sorted_again(rng, units[-1]))
    found = alike_trains(trains(units, observed=[(0.0, seconds)]), least=0.8)
    assert pairs(found) == [(6, 7)]
    assert found[0].likeness == pytest.approx(0.95, abs=0.04)


def test_neurons_that_fire_together_are_not_one():
    rng = stream(9, "together")
    seconds = 300.0
    common = poisson(rng, 6.0, seconds)  # half of the spikes of either, within 0.2 ms

    def own():
        shared = common + 2e-4 * rng.normal(size=common.size)
        return np.sort(np.concatenate([shared, poisson(rng, 6.0, seconds)]))

    units = [own(), own(), *(poisson(rng, 100.0, seconds) for _ in range(3))]
    assert alike_trains(trains(units, observed=[(0.0, seconds)]), least=0.5) == ()


def test_artefacts_at_which_all_units_fire_cost_little_and_make_no_copies():
    rng = stream(10, "artefacts")
    times = np.arange(1.0, 100.0)
    units = [np.sort(np.concatenate([times, poisson(rng, 4.0, 100.0)])) for _ in range(150)]
    assert alike_trains(trains(units, observed=[(0.0, 100.0)]), least=0.5) == ()


def test_agreement_by_hand():
    one = np.array([0.0, 1.0, 2.0, 3.0])
    other = np.array([0.0004, 1.0006, 2.0, 2.9996, 7.0])
    assert agreement(one, other) == 3 / (4 + 5 - 3)
    assert agreement(one, one) == 1.0
    assert agreement(one, one[:0]) == 0.0
    # Two spikes of one train near one of the other agree once.
    assert agreement(np.array([1.0]), np.array([0.9998, 1.0002])) == 1 / 2


def test_long_trains_are_compared_by_their_beginning(monkeypatch):
    monkeypatch.setattr(duplicates, "MOST_COMPARED", 100)
    one = np.arange(1000.0)
    assert agreement(one, np.concatenate([one[:100], one[100:] + 0.5])) == 1.0


def test_of_copies_the_best_stays_and_stands_for_the_others():
    found = [Alike(0, 1, 0.9), Alike(1, 2, 0.9), Alike(3, 4, 0.9)]
    worth = np.array([1.0, 3.0, 2.0, np.nan, 5.0])
    assert best_of_duplicates(found, worth) == {0: 1, 2: 1, 3: 4}
    # Without the middle one, neither of the two it resembles stands for the other.
    assert best_of_duplicates(found, np.array([2.0, 1.0, 3.0, 1.0, 1.0])) == {1: 2, 4: 3}


def test_copies_are_remarked_on_and_used_unless_they_are_to_be_left_out():
    rng = stream(11, "graded")
    values = population(rng, n_units=6)
    values[:, 5] = values[:, 1] + 0.1 * rng.normal(size=N_FRAMES)
    values[:, 4] = values[:, 3]
    source = recording(sampled(values, rate_hz=20.0))
    after, grades, notes = grade_units(source, QualityConfig())
    assert after.units["good"].all()
    assert grades.units["remarks"][1].startswith("duplicate of u5 (alike 0.9")
    assert grades.units["remarks"][3:5] == ("identical to u4", "identical to u3")
    told = [note for note in notes if note.code == "IN-C08"]
    assert [note.kind for note in told] == ["warn", "warn"]
    assert "u1 and u5: 0.9" in told[1].text
    after, grades, notes = grade_units(source, QualityConfig(duplicates="leave_out"))
    assert list(after.units["reason"]) == ["", "", "", "", "duplicate of u3", "duplicate of u1"]
    assert grades.units["remarks"] == ("",) * 6
    assert {note.kind for note in notes if note.code == "IN-C08"} == {"repair"}
    assert len(grade_units(source, QualityConfig(duplicate_from=1.0))[2]) == len(notes) - 1


def test_copies_among_spikes_are_remarked_on_where_times_are_real():
    rng = stream(12, "graded spikes")
    units = [poisson(rng, 8.0, 200.0) for _ in range(4)]
    units.append(sorted_again(rng, units[2]))
    source = recording(trains(units, observed=[(0.0, 200.0)]))
    _, grades, _ = grade_units(source, QualityConfig())
    assert grades.units["remarks"][4].startswith("duplicate of u2 (alike 0.9")
    rounded = recording(trains([np.round(t, 2) for t in units], observed=[(0.0, 200.0)]))
    _, grades, notes = grade_units(rounded, QualityConfig())
    assert not any("duplicate of" in remark for remark in grades.units["remarks"])
    assert "near-duplicates were not assessed" in " ".join(note.text for note in notes)
