import numpy as np
import pytest

from pipeline.core.rng import stream
from tests.support.nwb_factory import (
    GRATINGS,
    edited,
    new_session,
    probe_file,
    read,
    refusal_of,
    replace_values,
    save,
    texts,
    theta_and_flashes,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "day1.nwb"


def poisson(n_units=6, rate_hz=4.0, duration_s=60.0):
    rng = stream(5, "poisson")
    return [np.sort(rng.uniform(0, duration_s, int(rate_hz * duration_s))) for _ in range(n_units)]


MINUTE = tuple((3.0 * i, 3.0 * i + 2.0, {"grating": ("left", "right")[i % 2]}) for i in range(20))


@pytest.mark.parametrize(
    ("factor", "whole", "likely"),
    [
        (30_000, True, "sample numbers"),
        (20_000, True, "sample numbers"),
        (24_414.0625, False, "sample numbers"),
        (1000, True, "milliseconds"),
        (1000, False, "milliseconds"),
        (1e6, True, "microseconds"),
        (10, True, "frames or bins"),
    ],
)
@pytest.mark.parametrize("observed", [None, ((0.0, 60.0),)])
def test_times_in_another_unit_are_refused_with_the_likely_one(
    path, factor, whole, likely, observed
):
    spikes = [times * factor for times in poisson()]
    spikes = [np.floor(times) for times in spikes] if whole else spikes
    error = refusal_of(probe_file(path, spikes, columns={}, observed=observed, trials=MINUTE))
    assert (error.code, error.place) == ("IN-S08", "/units/spike_times")
    assert likely in error.found
    assert "in seconds" in error.fix


def test_the_same_times_in_seconds_pass(path):
    for spikes in (poisson(), poisson(rate_hz=0.1), [*poisson(), np.array([0.5, 36000.0])]):
        read(probe_file(path, spikes, columns={}, observed=None, trials=MINUTE))


def test_a_short_trial_in_a_long_session_says_nothing_about_the_unit(path):
    spikes = poisson(rate_hz=0.2, duration_s=3600.0)
    read(probe_file(path, spikes, columns={}, observed=None, trials=MINUTE[:1]))


def test_without_anything_to_compare_with_whole_numbers_are_told_or_refused(path):
    milliseconds = [np.floor(1000 * times) for times in poisson()]
    _, notes = read(probe_file(path, milliseconds, columns={}, observed=None, trials=()))
    assert "IN-S08" in texts(notes, "warn")
    assert "whole numbers" in texts(notes, "warn")
    samples = [np.floor(30_000 * times) for times in poisson()]
    error = refusal_of(probe_file(path, samples, columns={}, observed=None, trials=()))
    assert error.code == "IN-S08"
    assert "500 h" in error.found


def test_a_file_with_all_times_in_samples_is_refused(path):
    spikes = [np.floor(30_000 * times) for times in poisson()]
    trials = [(30_000 * start, 30_000 * stop, entries) for start, stop, entries in MINUTE]
    observed = ((0.0, 1_800_000.0),)
    error = refusal_of(probe_file(path, spikes, columns={}, observed=observed, trials=trials))
    assert error.code == "IN-S08"
    assert "as all times of the file" in error.found


def test_whole_numbers_stored_as_such_are_refused(path):
    probe_file(path, poisson(), columns={}, observed=None, trials=())
    with edited(path) as file:
        times = file["/units/spike_times"][...]
        replace_values(file, "/units/spike_times", np.floor(times * 100).astype("i8"))
    assert refusal_of(path).code == "IN-S08"


def test_spikes_once_a_second_in_a_session_of_that_length_pass(path):
    spikes = [np.arange(0.0, 60.0) + unit for unit in range(3)]
    _, notes = read(probe_file(path, spikes, observed=None, trials=MINUTE))
    assert "IN-S08" not in texts(notes, "warn")


@pytest.mark.parametrize(("factor", "words"), [(1 / 3600, "Hz"), (1e5, "Hz")])
def test_rates_no_neuron_has_are_refused(path, factor, words):
    spikes = [times * factor for times in poisson()]
    error = refusal_of(probe_file(path, spikes, columns={}, observed=None, trials=()))
    assert error.code == "IN-S08"
    assert words in error.found


def test_one_unit_is_told(path):
    recording, notes = read(probe_file(path, [theta_and_flashes()[0]]))
    assert recording.activity.n_units == 1
    assert "IN-S02" in texts(notes, "warn")


def test_one_unit_needs_no_index(path):
    probe_file(path, [theta_and_flashes()[0]])
    with edited(path) as file:
        del file["/units/spike_times_index"]
        del file["/units/obs_intervals_index"]
    recording, _ = read(path)
    np.testing.assert_array_equal(recording.activity.of_unit(0), theta_and_flashes()[0])


@pytest.mark.parametrize("kind", ["u1", "u2", "i4", "u8"])
def test_an_index_of_any_width_is_read(path, kind):
    probe_file(path)
    with edited(path) as file:
        index = np.array([64, 127, 136], dtype=kind)
        replace_values(file, "/units/spike_times_index", index)
    assert list(read(path)[0].activity.n_spikes) == [64, 63, 9]


def test_silent_units_are_told_by_name(path):
    spikes = (*theta_and_flashes()[:2], np.empty(0))
    _, notes = read(probe_file(path, spikes))
    assert "IN-S03" in texts(notes, "warn")
    assert "1 of 3 units has no spikes (unit 2)" in texts(notes, "warn")


def test_spikes_that_stand_twice_are_kept_and_told(path):
    spikes = list(theta_and_flashes())
    spikes[2] = np.sort(np.append(spikes[2], spikes[2][::3]))
    recording, notes = read(probe_file(path, spikes))
    np.testing.assert_array_equal(recording.activity.of_unit(2), spikes[2])
    assert "IN-S10" in texts(notes, "warn")
    assert "in 1 of 3 units" in texts(notes, "warn")
    assert "3 in all (unit 2)" in texts(notes, "warn")


def test_one_pair_in_thousands_is_a_coincidence(path):
    steady = np.arange(0.0, 8.0, 0.002)
    spikes = [np.sort(np.append(steady, steady[7])), *theta_and_flashes()[1:]]
    assert texts(read(probe_file(path, spikes), condition=("grating",))[1], "warn") == ""


@pytest.mark.parametrize(("start", "told"), [(0.0, False), (16_000.0, False), (17_000.0, True)])
def test_single_precision_late_in_a_session_is_told(path, start, told):
    trials = [(start + a, start + b, entries) for a, b, entries in GRATINGS]
    spikes = [times + start for times in theta_and_flashes()]
    probe_file(path, spikes, observed=((start, start + 8),), trials=trials)
    with edited(path) as file:
        times = file["/units/spike_times"][...]
        replace_values(file, "/units/spike_times", times.astype("f4"))
    warned = texts(read(path)[1], "warn")
    assert ("IN-S15" in warned) == told
    assert ("1.95 ms apart" in warned) == told


def test_columns_of_quality_and_waveforms_become_columns(path):
    wave = np.array([0.0, -3.0, -1.0, 2.0, 1.0, 0.0])
    nwb = new_session()
    nwb.add_unit_column("quality", "sorter's word")
    nwb.add_unit_column("presence_ratio", "share")
    for scale in (1.0, 2.0):
        nwb.add_unit(
            spike_times=[1.0, 2.0, 3.5],
            waveform_mean=scale * wave,
            quality="good",
            presence_ratio=0.9,
        )
    save(nwb, path)
    units = read(path)[0].units
    assert list(units["quality"]) == ["good", "good"]
    assert list(units["presence_ratio"]) == [0.9, 0.9]
    assert list(units["waveform_amplitude"]) == [5.0, 10.0]
    assert "waveform_width_s" not in units
    with edited(path) as file:
        file["/units/waveform_mean"].attrs["sampling_rate"] = 20_000.0
    np.testing.assert_allclose(read(path)[0].units["waveform_width_s"], 2 / 20_000)


def test_the_largest_channel_decides_a_waveform(path):
    wave = np.array([0.0, -3.0, 2.0, 0.0])
    small = np.array([-0.5, 0.0, 0.0, 0.2])
    nwb = new_session()
    nwb.add_unit_column("sampling_rate", "Hz")
    for order in (1, -1):
        channels = np.stack([wave, small][::order], axis=1)
        nwb.add_unit(spike_times=[1.0, 2.0], waveform_mean=channels, sampling_rate=10_000.0)
    units = read(save(nwb, path))[0].units
    assert list(units["waveform_amplitude"]) == [5.0, 5.0]
    np.testing.assert_allclose(units["waveform_width_s"], 1 / 10_000)


def test_waveforms_that_tell_nothing_add_no_width(path):
    nwb = new_session()
    nwb.add_unit(spike_times=[1.0, 2.0], waveform_mean=np.zeros(5))
    nwb.add_unit(spike_times=[1.0, 2.0], waveform_mean=np.full(5, np.nan))
    save(nwb, path)
    with edited(path) as file:
        file["/units/waveform_mean"].attrs["sampling_rate"] = 20_000.0
    units = read(path)[0].units
    np.testing.assert_array_equal(units["waveform_amplitude"], [0.0, np.nan])
    assert units["waveform_width_s"].isna().all()
