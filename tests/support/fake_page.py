"""A page with every kind of part, hostile names, and all four statuses; numbers are invented."""

from __future__ import annotations

import numpy as np

from pipeline.core.parts import (
    Bars,
    Check,
    Figure,
    Film,
    Films,
    Heatmap,
    KeyNumber,
    Line,
    Lines,
    Network,
    Points,
    Section,
    Span,
    Table,
)
from pipeline.core.rng import stream
from pipeline.report.page import Page, Timing

HOSTILE = '<img src=x onerror="window.pwned=1">'
CLOSING = "</script><script>window.pwned=1</script>"
MATH = r"$\bad{$ a_b^c"
EPOCHS = (
    Span(start=0.0, stop=60.0, label="baseline"),
    Span(start=60.0, stop=150.0, label="drifting gratings"),
    Span(start=150.0, stop=170.0, label="grey"),
    Span(start=170.0, stop=260.0, label="drifting gratings"),
    Span(start=260.0, stop=300.0, label=HOSTILE),
)


def time_curves() -> Figure:
    """Three components over time with bands, and the four repeats of each."""
    rng = stream(0, "fake", "curves")
    time = np.linspace(0, 300, 301)
    shapes = [
        np.exp(-(((time - 105) / 30) ** 2)),
        0.3 + 0.5 * (np.sin(time / 18) > 0),
        1 - time / 400,
    ]
    lines = []
    for place, shape in enumerate(shapes):
        y = shape + 0.04 * rng.standard_normal(time.size)
        y[150:160] = np.nan
        lines.append(
            Line(
                name=f"component {place + 1}",
                y=y,
                lower=y - 0.12,
                upper=y + 0.12,
                group=place,
            )
        )
    return Figure(
        id="time-factors",
        title="Time course of the components",
        finding="Component 1 rises during the first gratings (maximum at 105 s); component 3 "
        "falls throughout.",
        caption="Normalised strength of each component over time, mean of 4 restarts (n = 4; band: "
        "range). Good: narrow bands; bad: bands as wide as the curve is high.",
        alt="Three curves over 300 s with epochs shaded.",
        panels=(
            Lines(
                title="",
                x=time,
                lines=tuple(lines),
                x_title="Time (s)",
                y_title="Strength (a.u.)",
                spans=EPOCHS,
                breaks=(150.0,),
            ),
        ),
    )


def community_matrix(n_units: int = 110) -> Figure:
    """A sorted affinity matrix beside its community labels."""
    rng = stream(0, "fake", "matrix")
    community = np.sort(rng.integers(0, 6, n_units))
    same = community[:, None] == community[None, :]
    noise = rng.standard_normal((n_units, n_units)) * 0.12
    values = (same * 0.55 + (noise + noise.T) / 2).astype(np.float32)
    np.fill_diagonal(values, np.nan)
    names = (*tuple(f"AV{chr(65 + i % 26)}{i:03d}" for i in range(n_units - 2)), HOSTILE, MATH)
    return Figure(
        id="communities",
        title="Functional communities",
        finding="Six communities; affinity inside is 0.55 higher than between (95 % range 0.51 to "
        "0.58).",
        caption="Affinity between all pairs of 110 units, sorted by community. The diagonal is not "
        "defined and drawn as missing.",
        alt="A square matrix with six bright blocks along its diagonal.",
        panels=(
            Heatmap(
                title="",
                values=values,
                x_title="Unit",
                y_title="Unit",
                value_title="Affinity",
                x_labels=names,
                y_labels=names,
                scale="diverging",
                square=True,
            ),
        ),
    )


def rank_bars() -> Figure:
    """Two panels of bars: short labels, and long labels that lie."""
    values = np.array([0.31, 0.48, 0.61, 0.64, 0.645, 0.63])
    shares = np.array([0.42, 0.33, 0.18, 0.07])
    return Figure(
        id="rank",
        title="Choice of the rank",
        finding="Four components explain 64 % of held-out variance; a fifth adds 0.5 %.",
        caption="Held-out variance explained (n = 6 folds; bars: standard error) and share of each "
        "component.",
        alt="Bars rising to rank four and level after.",
        columns=2,
        panels=(
            Bars(
                title="Held-out variance",
                labels=tuple(str(rank) for rank in range(1, 7)),
                values=values,
                lower=values - 0.03,
                upper=values + 0.04,
                x_title="Rank",
                y_title="Variance explained",
                reference=0.12,
                reference_label="shuffled data",
            ),
            Bars(
                title="Share",
                labels=("slow drift over session", "gratings onset", HOSTILE, "locomotion bouts"),
                values=shares,
                x_title="Component",
                y_title="Share of explained variance",
            ),
        ),
    )


def unit_network(n_units: int = 60) -> Figure:
    """Sixty nodes in four groups with positive and negative edges, and an embedding."""
    rng = stream(0, "fake", "network")
    group = np.sort(rng.integers(-1, 4, n_units))
    centre = np.array([[0, 0], [2.4, 0.4], [1.2, 2.1], [-1.2, 1.9], [0.4, -1.8]])[group]
    x, y = (centre + rng.normal(0, 0.45, (n_units, 2))).T
    pairs = np.array([(i, j) for i in range(n_units) for j in range(i)])
    near = np.hypot(x[pairs[:, 0]] - x[pairs[:, 1]], y[pairs[:, 0]] - y[pairs[:, 1]])
    edges = pairs[near < 0.55]
    weights = rng.normal(0.4, 0.35, len(edges))
    labels = (*tuple(f"u{i}" for i in range(n_units - 1)), HOSTILE)
    names = ("early", "late", "sustained", "off")
    return Figure(
        id="network",
        title="Network of the strongest links",
        finding=f"{len(edges)} links exceed the null's 99th percentile; most join units of one "
        "community.",
        caption="Each dot is a unit, placed by a force layout; width is strength, dotted is "
        "negative. Right: the same units in two components.",
        alt="Sixty dots in four clusters joined by lines.",
        columns=2,
        panels=(
            Network(
                title="Links",
                labels=labels,
                x=x,
                y=y,
                group=group,
                edges=edges,
                weights=weights,
                group_names=names,
            ),
            Points(
                title="Embedding",
                x=x * 0.1,
                y=y * 0.2 - 0.1,
                x_title="Dimension 1 (a.u.)",
                y_title="Dimension 2 (a.u.)",
                labels=labels,
                group=group,
                group_names=names,
            ),
        ),
    )


def states() -> Figure:
    """A categorical and a sequential heat map over time with many trials."""
    rng = stream(0, "fake", "states")
    state = np.repeat(rng.integers(-1, 5, (3, 40)), 15, axis=1).astype(np.float32)
    rate = rng.gamma(2, 2, (24, 600)).astype(np.float32)
    rate[:, 200:210] = np.nan
    time = np.arange(600) * 0.5
    trials = tuple(
        Span(start=t, stop=t + 4, label=f"{int(45 * (k % 8))} deg")
        for k, t in enumerate(np.arange(2, 296, 6.0))
    )
    return Figure(
        id="states",
        title="States and rates",
        finding="Five states are visited; state 2 fills 27 % of the session.",
        caption="Upper: most likely state of each chain in 0.5-s bins. Lower: rate of 24 units.",
        alt="Coloured bands of states above a heat map of rates.",
        panels=(
            Heatmap(
                title="States",
                values=state,
                x=time,
                x_title="Time (s)",
                y_title="Chain",
                value_title="State",
                y_labels=("chain 1", "chain 2", "chain 3"),
                scale="categorical",
                spans=trials,
            ),
            Heatmap(
                title="Rates",
                values=rate,
                x=time,
                x_title="Time (s)",
                y_title="Unit",
                value_title="Rate (Hz)",
                spans=EPOCHS,
                breaks=(150.0,),
            ),
        ),
    )


def films() -> Films:
    """Two rows of four films of noise, one with a hostile name."""
    rng = stream(0, "fake", "films")
    frames = rng.integers(0, 256, (8, 6, 5, 8), dtype=np.uint8)
    names = (*(f"type {index + 1}" for index in range(7)), HOSTILE)
    return Films(
        id="films",
        title="Films of the types",
        finding="Eight films of 1.2 s.",
        caption="Grey is the mean. Good: films that differ. Bad: noise, as here.",
        alt="Films of noise.",
        films=tuple(
            Film(title=name, frames=each) for name, each in zip(names, frames, strict=True)
        ),
        frame_s=0.2,
        still=2,
        columns=4,
    )


def unit_table(n_rows: int = 130) -> Table:
    """A long table with numbers, words and gaps."""
    rng = stream(0, "fake", "table")
    return Table(
        id="units",
        title="Units",
        caption="Community of each unit and how certain it is.",
        columns={
            "Unit": (*tuple(f"AV{i:03d}" for i in range(n_rows - 1)), HOSTILE),
            "Community": tuple(int(c) for c in rng.integers(0, 6, n_rows)),
            "Probability": tuple(float(p) for p in rng.beta(8, 2, n_rows)),
            "Region": tuple("VISp" if i % 3 else None for i in range(n_rows)),
        },
    )


def connectome_section() -> Section:
    """A method that ran, with doubts."""
    return Section(
        id="connectome",
        title="Tensor connectome",
        status="warn",
        sentence="Six functional communities recur in 4 of 5 animals (reproducibility 0.61, null "
        "95 % quantile 0.34; surrogates n = 199).",
        body=(
            "The traces of all animals were compared pair by pair over time and the resulting "
            "three-way table was split into components.",
            time_curves(),
            community_matrix(),
            rank_bars(),
            unit_network(),
            states(),
            films(),
            unit_table(),
        ),
        checks=(
            Check(
                name="Restarts agree",
                status="pass",
                value="0.97",
                threshold="at least 0.9",
                meaning="The optimiser finds the same components from different starts.",
            ),
            Check(
                name="Reproducible across animals",
                status="warn",
                value="0.61 (n = 5)",
                threshold="at least 0.7",
                meaning="Components recur in most animals, but not in all.",
                advice="Look at animal 3 before pooling.",
            ),
            Check(
                name="Held-out gain over static correlation",
                status="fail",
                value="0.4 %",
                threshold="more than 1 %",
                meaning="Change over time adds little to the static picture.",
                advice="Use longer windows, or report the static network.",
            ),
            Check(
                name="Epoch association",
                status="not_tested",
                value="-",
                threshold="",
                meaning="One epoch of each kind cannot be tested.",
            ),
        ),
        numbers={"n_communities": 6, "reproducibility": 0.61, "undefined": float("nan")},
        key_numbers=(
            KeyNumber(name="components", value=4),
            KeyNumber(
                name="reproducibility", value=0.61, low=0.55, high=0.7, beside="over 5 animals"
            ),
        ),
        citation="Somebody & Somebody (2023).",
    )


def data_stub() -> Section:
    """A data section of one table."""
    return Section(
        id="data",
        title="Data",
        status="ok",
        sentence="5 recordings of 5 animals; 571 of 590 units are used.",
        body=(
            Table(
                id="recordings",
                title="Recordings",
                caption="",
                columns={
                    "Recording": ("worm01", "worm02"),
                    "Subject": ("secret-mouse-7", HOSTILE),
                    "Units": (120, 118),
                    "Duration (s)": (960.2, 955.0),
                },
            ),
        ),
        checks=(
            Check(
                name="Missing samples",
                status="pass",
                value="0.2 %",
                threshold="less than 5 %",
                meaning="Almost all samples are there.",
            ),
        ),
    )


def fake_page(**changes: object) -> Page:
    """The whole page; keyword arguments replace its fields."""
    fields: dict[str, object] = {
        "experiment": "worms_2023",
        "version": "0.1.0",
        "sections": (
            data_stub(),
            connectome_section(),
            Section(
                id="biclustering",
                title="Bi-clustering of neurons and states",
                status="failed",
                sentence="",
                reason="The method stopped on its data.",
                failure={
                    "code": "ME-N01",
                    "experiment": "worms_2023",
                    "file": "recording.h5",
                    "place": "/activity/values",
                    "found": f"rate of unit {HOSTILE} is infinite",
                    "fix": "exclude the unit in the sheet",
                    "log": "logs/worms_2023/biclustering_gather.log",
                    "log_tail": f"INFO worms_2023: fit starts\nERROR {CLOSING} is infinite",
                },
            ),
            Section(
                id="trsa",
                title="Topology of representations",
                status="not_applicable",
                sentence="",
                reason="Not applicable: the recordings have no trials with conditions.",
                failure={
                    "code": "ME-N02",
                    "log": "logs/worms_2023/trsa_gather.log",
                    "log_tail": f"INFO worms_2023: fit starts\nINFO not applicable: {CLOSING}",
                },
            ),
            Section(
                id="celltypes",
                title="Functional cell types",
                status="not_applicable",
                sentence="",
                reason="Not yet part of this version.",
            ),
        ),
        "recordings": (
            {
                "recording": "worm01",
                "subject": "secret-mouse-7",
                "session_start": "2021-03-04T10:00:00+00:00",
                "units": 120,
                "units_used": 118,
            },
            {
                "recording": "worm02",
                "subject": CLOSING,
                "session_start": "2021-03-06T10:00:00+00:00",
                "units": 118,
                "units_used": 110,
            },
        ),
        "files": {"worm01": ("worm01.nwb",)},
        "settings": {
            "seed": 7,
            "methods": {"connectome": {"enabled": True, "ranks": [2, 3, 4], "note": HOSTILE}},
            "run": {"redact": False},
        },
        "changed": ("seed", "methods.connectome.ranks"),
        "provenance": {
            "package_version": "0.1.0",
            "host": "cluster-node-12",
            "inputs": {"worm01: worm01.nwb": "9f" * 32, CLOSING: "aa"},
            "libraries": {"numpy": "2.4.6", "scipy": "1.17"},
        },
        "timings": (
            Timing(job="ingest worm01", seconds=3.21, peak_mb=412.0),
            Timing(job="fit connectome", seconds=421.0, peak_mb=1890.5),
            Timing(job="report", seconds=0.4),
        ),
        "note": "",
        "methods_text": f"2 recordings of {HOSTILE} were analysed with secret-mouse-7.",
        "bibtex": "@software{neuroptych,\n  note = {</pre>}\n}",
    }
    return Page(**{**fields, **changes})  # type: ignore[arg-type]
