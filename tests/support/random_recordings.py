"""Random recordings such as the reader of NWB files makes, for tests of properties.

Structure, names and tables are drawn by hypothesis; long arrays of numbers come from a seed that
it draws, so that examples stay quick to make and small to print. A *benign* recording has nothing
that a reader of files should remark on.
"""

from __future__ import annotations

import unicodedata

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from pipeline.core.recording import (
    About,
    BehaviourSeries,
    Recording,
    SampledActivity,
    SpikeTrains,
    StimulusImages,
    StimulusMovie,
)
from tests.support.nwb_factory import PROVENANCE

LETTERS = st.characters(
    codec="utf-8", categories=("L", "N", "P", "S", "Zs"), exclude_characters="?/:\0"
)
WORDS = st.text(LETTERS, min_size=1, max_size=12).map(str.strip).filter(bool)
TEXT = st.one_of(st.just(""), WORDS)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_ .-]{0,10}[A-Za-z0-9]", fullmatch=True)
"""Names of series, tables and columns."""
FLOATS = st.floats(allow_nan=True, allow_infinity=True)
TAKEN = {
    "id",
    "unit_id",
    "start_time",
    "stop_time",
    "timeseries",
    "tags",
    "spike_times",
    "obs_intervals",
    "electrodes",
    "electrode_group",
    "waveform_mean",
    "waveform_sd",
    "waveforms",
    "image_mask",
    "pixel_mask",
    "voxel_mask",
    "resolution",
}
"""Names of columns that have a meaning of their own in NWB."""


def numbers(seed: int) -> np.random.Generator:
    """The stream of numbers of one example."""
    return np.random.default_rng(seed)


SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def columns(draw, n_rows: int, *, reserved: set[str], at_most: int = 3) -> dict[str, pd.Series]:
    """Further columns of a table: numbers, whole numbers, truth values and text."""
    names = draw(
        st.lists(
            NAMES.filter(lambda name: name not in reserved | TAKEN),
            max_size=at_most,
            unique_by=str.lower,
        )
    )
    kinds = {
        "float64": FLOATS,
        "int64": st.integers(-(2**63), 2**63 - 1),
        "bool": st.booleans(),
        "str": TEXT,
    }
    found: dict[str, pd.Series] = {}
    for name in names:
        kind = draw(st.sampled_from(sorted(kinds)))
        entries = draw(st.lists(kinds[kind], min_size=n_rows, max_size=n_rows))
        found[name] = pd.Series(entries, dtype=kind)
    return found


@st.composite
def units(draw, n_units: int, *, benign: bool) -> pd.DataFrame:
    """A unit table: identities with and without doubt, regions, positions, further columns."""
    if draw(st.booleans()):
        ids = list(range(n_units))
    else:
        ids = draw(st.lists(st.integers(0, 2**40), min_size=n_units, max_size=n_units, unique=True))
    regions = draw(
        st.sampled_from([["CA1"], [""], ["VISp", "LP", "µ 神"], ["", "V1"]][: 3 + (not benign)])
    )
    identity = draw(st.lists(TEXT, min_size=n_units, max_size=n_units))
    identity = [unicodedata.normalize("NFC", name).strip() for name in identity]
    identity = ["" if name.lower() == "nan" else name for name in identity]
    identity = [  # units of a recording have names of their own
        "" if name in identity[:place] else name for place, name in enumerate(identity)
    ]
    alone = [bool(name) for name in identity]
    doubted = draw(st.lists(st.booleans(), min_size=n_units, max_size=n_units))
    table = {
        "unit_id": pd.Series([str(one) for one in ids], dtype="str"),
        "region": pd.Series(
            draw(st.lists(st.sampled_from(regions), min_size=n_units, max_size=n_units)),
            dtype="str",
        ),
        "identity": pd.Series(identity, dtype="str"),
        "identity_certain": pd.Series(
            [sure and not doubt for sure, doubt in zip(alone, doubted, strict=True)], dtype=bool
        ),
        "good": pd.Series([True] * n_units, dtype=bool),
        "reason": pd.Series([""] * n_units, dtype="str"),
    }
    for axis in draw(st.sampled_from([(), ("x_um", "y_um"), ("x_um", "y_um", "z_um")])):
        places = st.lists(st.floats(-1e4, 1e4), min_size=n_units, max_size=n_units)
        table[axis] = pd.Series(draw(places), dtype=float)
    further = {} if benign else draw(columns(n_units, reserved=set(table) | {"x", "y", "z"}))
    return pd.DataFrame(table | further)


@st.composite
def intervals(draw, name: str | None, *, inside_s, benign: bool) -> pd.DataFrame:
    """A table of intervals inside a stretch; ``name`` is the column of text after the times."""
    n_rows = draw(st.integers(1, 6))
    rng = numbers(draw(SEEDS))
    edges = np.sort(rng.uniform(*inside_s, 2 * n_rows))
    start, stop = edges[::2], edges[1::2]
    if not benign and draw(st.booleans()):  # they may touch, overlap and stand in any order
        order = rng.permutation(n_rows)
        start, stop = start[order], np.maximum(start, edges[-2])[order]
    table: dict[str, pd.Series] = {"start_s": pd.Series(start), "stop_s": pd.Series(stop)}
    if name is not None:
        labels = st.sampled_from(["left", "right", "0", "1.5"]) if benign else TEXT
        table[name] = pd.Series(
            draw(st.lists(labels, min_size=n_rows, max_size=n_rows)), dtype="str"
        )
    if name is not None and not benign and draw(st.booleans()):
        table["tags"] = pd.Series(["+".join(["a", "b"][: 1 + i % 2]) for i in range(n_rows)])
        table["tags"] = table["tags"].astype("str")
    reserved = {*table, "start_s", "stop_s", "condition", "label"}
    further = {} if benign else draw(columns(n_rows, reserved=reserved))
    return pd.DataFrame(table | further)


@st.composite
def even_trials(draw, *, inside_s) -> pd.DataFrame:
    """Trials of equal length, one after another, each condition as often as the others."""
    n_conditions, n_repeats = draw(st.integers(1, 3)), draw(st.integers(2, 4))
    n_trials = n_conditions * n_repeats
    first, last = inside_s
    step = (last - first) / n_trials
    start = first + step * np.arange(n_trials)
    names = draw(st.sampled_from([("left", "right", "up"), ("0", "1", "2"), ("a b", "ü", "0.5")]))
    labels = [names[trial % n_conditions] for trial in range(n_trials)]
    return pd.DataFrame(
        {
            "start_s": start,
            "stop_s": start + 0.75 * step,
            "condition": pd.Series(labels, dtype="str"),
        }
    )


@st.composite
def clock(draw, n_samples: int) -> np.ndarray:
    """Sample times: a rate, or intervals that vary."""
    start = draw(st.sampled_from([0.0, 0.5, -2.0, 86400.25]))
    rate = draw(st.sampled_from([1.0, 5.0, 30.0, 30.0003, 100.0 / 3, 2.2]))
    regular = start + np.arange(n_samples) / rate
    if draw(st.booleans()):
        return regular
    jitter = numbers(draw(SEEDS)).uniform(-0.2, 0.2, n_samples) / rate
    return regular + jitter


@st.composite
def sampled(draw, *, benign: bool) -> SampledActivity:
    """Traces of some units: more samples than units, each unit with a life of its own."""
    n_units = draw(st.integers(1, 4))
    n_samples = draw(st.integers(40, 80) if benign else st.integers(n_units + 1, 40))
    rng = numbers(draw(SEEDS))
    values = rng.normal(0.0, 0.3, (n_samples, n_units)).astype(np.float32)
    valid = np.ones(values.shape, dtype=bool)
    signal = draw(st.sampled_from(["dff", "fluorescence", "events"]))
    unit = {"dff": "dF/F", "fluorescence": "lumens", "events": "a.u."}[signal]
    if signal != "dff":
        values = np.abs(values) * 100
    if not benign:
        scale = draw(st.sampled_from([1.0, 0.0, 1e-30, 1e30, -1.0]))
        values = values * np.float32(scale)
        valid = rng.random(values.shape) < draw(st.sampled_from([1.0, 0.9, 0.3]))
        valid[rng.integers(n_samples), rng.integers(n_units)] = True
        unit = draw(WORDS)
    return SampledActivity(
        values=np.where(valid, values, np.float32(np.nan)),
        valid=valid,
        time=draw(clock(n_samples)),
        value_unit=unit,
        signal=signal,
    )


@st.composite
def spiking(draw, *, benign: bool) -> SpikeTrains:
    """Spike trains with the stretches that were observed."""
    n_units = draw(st.integers(2 if benign else 1, 4))
    rng = numbers(draw(SEEDS))
    borders = np.cumsum(rng.uniform(5.0, 20.0, 2 * draw(st.integers(1, 3))))
    observed = borders.reshape(-1, 2) - borders[0]
    if draw(st.booleans()) and len(observed) > 1:
        observed[1, 0] = observed[0, 1]  # the second begins where the first ends
    counts = rng.integers(20 if benign else 0, 60, n_units)
    counts[rng.integers(n_units)] += 1
    trains = []
    for count in counts:
        which = rng.integers(len(observed), size=count)
        span = observed[which]
        times = span[:, 0] + rng.random(count) * (span[:, 1] - span[:, 0])
        if not benign and rng.random() < 0.5:
            times = np.round(times, 1) - 1.0  # some twice, some negative, some outside
        trains.append(np.sort(times))
    return SpikeTrains(
        times=np.concatenate(trains),
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        observed=observed,
        **({} if benign or n_units < 2 else draw(own_stretches(observed, n_units))),
    )


@st.composite
def own_stretches(draw, observed: np.ndarray, n_units: int) -> dict[str, np.ndarray]:
    """Nothing, or stretches of each unit: the first saw all, the others some of it."""
    if len(observed) < 2 or draw(st.booleans()):
        return {}
    some = st.lists(st.integers(0, len(observed) - 1), min_size=1, unique=True).map(sorted)
    own = [observed, *(observed[draw(some)] for _ in range(n_units - 1))]
    if all(len(one) == len(observed) for one in own):
        return {}  # all saw the same, which is said once
    return {
        "unit_observed": np.concatenate(own),
        "unit_observed_starts": np.cumsum([0, *map(len, own)]),
    }


@st.composite
def movies(draw, stop_s: float) -> StimulusMovie:
    """A few small frames."""
    shape = draw(st.tuples(st.integers(2, 5), st.integers(1, 4), st.integers(1, 4)))
    frames = numbers(draw(SEEDS)).normal(size=shape).astype(np.float32)
    time = np.arange(shape[0]) * (stop_s / 10)
    return StimulusMovie(values=frames, time=time, value_unit=draw(WORDS))


@st.composite
def images(draw, stop_s: float) -> StimulusImages:
    """A few images of one size, shown in any order, some more than once and some never.

    Only frames in colour one after another, which NWB stores as a movie, have a unit.
    """
    n_images, n_shown = draw(st.integers(1, 3)), draw(st.integers(2, 6))
    shape = (n_images, draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    rng = numbers(draw(SEEDS))
    frames = rng.integers(0, 256, (*shape, draw(st.sampled_from([1, 3, 4])))).astype(np.float32)
    shown = rng.integers(n_images, size=n_shown)
    is_movie = frames.shape[-1] > 1 and np.array_equal(shown, np.arange(n_images))
    return StimulusImages(
        values=frames,
        shown=shown,
        time=np.arange(n_shown) * (stop_s / 10),
        value_unit="lux" if is_movie else "",
    )


@st.composite
def behaviours(draw, *, benign: bool) -> BehaviourSeries:
    """A series of one or more channels."""
    shape = draw(st.tuples(st.integers(1 if not benign else 3, 12), st.integers(1, 3)))
    rng = numbers(draw(SEEDS))
    values = rng.normal(size=shape)
    if not benign:
        values[rng.random(shape) < 0.2] = np.nan
    return BehaviourSeries(values=values, time=draw(clock(shape[0])) + 0.0, value_unit=draw(WORDS))


@st.composite
def recordings(draw, *, kind: str | None = None, benign: bool = False) -> Recording:
    """A recording of one kind, or of either.

    Interval tables ``trials`` and ``epochs`` stand in ``intervals`` as the reader puts them there.
    """
    kind = kind or draw(st.sampled_from(["calcium", "spikes"]))
    activity = draw(sampled(benign=benign) if kind == "calcium" else spiking(benign=benign))
    last_s = max(activity.span_s[1], 1.0)
    # A reader leaves out trials in which nothing was recorded.
    inside_s = activity.span_s if kind == "calcium" else activity.observed[0]
    tables = {
        name: draw(intervals(column, inside_s=inside_s, benign=benign))
        for name, column in (("trials", "condition"), ("epochs", "label"))
        if draw(st.booleans())
    }
    if benign:
        tables["trials"] = draw(even_trials(inside_s=inside_s))
    others = draw(st.lists(NAMES, max_size=2, unique_by=str.lower))
    for name in others:
        if name not in ("trials", "epochs"):
            tables[name] = draw(intervals(None, inside_s=inside_s, benign=benign))
    told = {
        name: draw(TEXT)
        for name in (
            "session_id",
            "institution",
            "lab",
            "subject",
            "species",
            "strain",
            "genotype",
            "sex",
            "age",
        )
    }
    series = st.lists(NAMES, max_size=2, unique_by=str.lower)
    return Recording(
        id="day1",
        activity=activity,
        units=draw(units(activity.n_units, benign=benign)),
        trials=tables.get("trials", empty("condition")),
        epochs=tables.get("epochs", empty("label")),
        intervals=tables,
        stimuli={
            name: draw(movies(last_s) if benign else st.one_of(movies(last_s), images(last_s)))
            for name in draw(series)
        },
        behaviour={name: draw(behaviours(benign=benign)) for name in draw(series)},
        about=About(
            **told,
            nwb_identifier=draw(WORDS),
            session_start=draw(
                st.sampled_from(["2024-05-06T12:00:00+00:00", "1999-12-31T23:59:59.250000-07:00"])
            ),
            description=draw(WORDS),
            device=draw(
                st.one_of(st.just("Microscope") if kind == "calcium" else st.just(""), NAMES)
            ),
            indicator=draw(WORDS) if kind == "calcium" else "",
        ),
        provenance=PROVENANCE,
    )


def empty(column: str) -> pd.DataFrame:
    """A table of no intervals."""
    return pd.DataFrame(
        {
            "start_s": pd.Series([], dtype=float),
            "stop_s": pd.Series([], dtype=float),
            column: pd.Series([], dtype="str"),
        }
    )
