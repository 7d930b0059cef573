import dataclasses

import numpy as np
import pytest

from pipeline.core.parts import Figure, Lines, Table
from pipeline.core.quality import MEASURES
from pipeline.core.rng import stream
from pipeline.prepare.config import QualityConfig
from pipeline.prepare.quality.grade import grade_units
from pipeline.report import unit_quality
from pipeline.report.contents import behaviour_table, condition_table, stimulus_table
from pipeline.report.data_section import data_section
from pipeline.report.example_units import DOUBTFUL, TYPICAL, UNUSED, choose, example_units
from pipeline.report.unit_quality import distributions, measure_table, unit_table
from pipeline.viz.draw import draw_figure
from tests.support.captions import lacking
from tests.support.records import calcium as full_recording
from tests.support.small_recordings import intervals, recording, sampled, trains


def graded(record, **limits):
    """The recording after grading, and its grades."""
    after, grades, _ = grade_units(record, QualityConfig(**limits))
    return after, grades


@pytest.fixture
def imaged():
    """Ten cells with transients: one drifts, one is a copy, one is constant, one half missing."""
    rng = stream(31, "imaged")
    values = 0.1 * rng.normal(size=(1200, 10))
    for unit in range(10):
        values[rng.integers(0, 1190, 40), unit] += 1 + 0.1 * unit
    values[:, 3] += np.linspace(0, 5, 1200)
    values[:, 7] = values[:, 6]
    values[:, 8] = 1.0
    valid = np.ones(values.shape, bool)
    valid[:804, 9] = False
    return graded(recording(sampled(values, valid=valid, rate_hz=10.0), name="a"))


@pytest.fixture
def sorted_units():
    """Seven neurons, one lost early, one silent."""
    rng = stream(32, "sorted")
    units = [np.cumsum(rng.exponential(0.15, 2200) + 0.003) for _ in range(5)]
    units = [train[train < 300] for train in units]
    units += [units[0][units[0] < 60], np.array([])]
    return graded(recording(trains(units, observed=[(0.0, 300.0)]), name="b"))


def rows(table):
    return [
        dict(zip(table.columns, cells, strict=True))
        for cells in zip(*table.columns.values(), strict=True)
    ]


def test_the_table_has_unused_units_first_then_doubtful_ones(imaged):
    record, grades = imaged
    (table,) = unit_table([record], {"a": grades})
    found = rows(table)
    assert [row["Unit"] for row in found[:5]] == ["u8", "u9", "u3", "u6", "u7"]
    assert found[0]["Grade"] == "not used: constant trace"
    assert found[1]["Grade"] == "not used: 67 % of the samples are missing"
    assert found[2]["Grade"] == "slow drift"
    assert found[3]["Grade"] == "identical to u7"
    assert {row["Grade"] for row in found[5:]} == {"good"}
    assert found[1]["Missing (%)"] == 67.0
    assert found[0]["SNR"] is None
    assert "Recording" not in table.columns
    assert "Baseline lost (%)" not in table.columns


def test_units_of_several_recordings_are_told_apart_whichever_rows_are_shown(
    imaged, sorted_units, monkeypatch
):
    monkeypatch.setattr(unit_quality, "MOST_ROWS", 2)
    records = [imaged[0], sorted_units[0]]
    (table,) = unit_table(records, {"a": imaged[1], "b": sorted_units[1]})
    assert len(set(table.columns["Recording"])) == 1
    for record, grades in (imaged, sorted_units):
        (figure,) = example_units(record, grades, n_recordings=2)
        assert {line.name for panel in figure.panels for line in panel.lines} == {
            f"{record.id}:{record.units['unit_id'].iloc[example.unit]}"
            for example in choose(record, grades)
        }


def test_a_long_table_keeps_what_is_doubtful(imaged, monkeypatch):
    monkeypatch.setattr(unit_quality, "MOST_ROWS", 4)
    record, grades = imaged
    (table,) = unit_table([record], {"a": grades})
    assert table.columns["Unit"] == ("u8", "u9", "u3", "u6")
    assert "The first 4 of 10 units." in table.caption


def test_meanings_stand_beside_medians_and_reasons(imaged, sorted_units):
    (table,) = measure_table([imaged[0]], {"a": imaged[1]})
    told = {row["Number"]: row for row in rows(table)}
    assert set(told) == {MEASURES[name].title for name in imaged[1].units if name in MEASURES}
    used = [
        v for v, good in zip(imaged[1].units["snr"], imaged[1].units["good"], strict=True) if good
    ]
    assert told["SNR"]["Here"].startswith(f"{np.median(used):.2g} (")
    assert told["Baseline lost (%)"]["Here"] == "not assessed"
    assert "dF/F about 0" in told["Baseline lost (%)"]["Meaning"]
    (table,) = measure_table([sorted_units[0]], {"b": sorted_units[1]})
    assert {row["Number"]: row for row in rows(table)}["Presence (%)"]["Here"].startswith("100 (")


def test_distributions_are_shares_of_the_units_used(imaged, sorted_units):
    record, grades = imaged
    (figure,) = distributions([record], {"a": grades})
    snr = next(panel for panel in figure.panels if panel.x_title == "SNR")
    values = np.array(
        [v for v, g in zip(grades.units["snr"], grades.units["good"], strict=True) if g]
    )
    expected = [100 * np.mean(values <= x) for x in snr.x]
    np.testing.assert_allclose(snr.lines[0].y, expected, atol=100 / len(values) + 0.01)
    assert f"Share of the {sum(grades.units['good'])} units used" in figure.caption
    assert lacking(figure.caption) == []
    assert figure.alt
    both = distributions([record, sorted_units[0]], {"a": grades, "b": sorted_units[1]})
    assert "<svg" in draw_figure(both[0])
    assert {panel.x_title for panel in both[0].panels} >= {"SNR", "Rate (Hz)"}


def test_what_is_the_same_in_all_units_is_told_and_not_drawn(sorted_units):
    record, grades = sorted_units
    (figure,) = distributions([record], {"b": grades})
    assert "Contamination (%) 0" in figure.finding
    assert "Contamination (%)" not in {panel.x_title for panel in figure.panels}
    assert "contamination" not in figure.caption
    alike = "Not shown, as alike in all units: Contamination (%)"
    assert alike in figure.caption
    (table,) = unit_table([record], {"b": grades})
    assert "Contamination (%)" not in table.columns
    assert "Not shown, as alike in all units:" in table.caption
    assert "Contamination (%)" in table.caption


def test_what_was_not_assessed_is_not_called_alike(imaged):
    record, grades = imaged
    (table,) = unit_table([record], {"a": grades})
    assert "Baseline lost (%)" not in table.caption


def test_many_recordings_are_pooled(imaged):
    record, grades = imaged
    many = [dataclasses.replace(record, id=f"r{i}") for i in range(8)]
    (figure,) = distributions(many, {each.id: grades for each in many})
    assert [line.name for line in figure.panels[0].lines] == ["all 8 recordings"]


def test_examples_are_typical_doubtful_and_unused(imaged):
    record, grades = imaged
    chosen = choose(record, grades)
    kinds = [(example.group, example.unit) for example in chosen]
    clean = [0, 1, 2, 4, 5]
    snr = np.array([grades.units["snr"][unit] for unit in clean])
    nearest = clean[int(np.argmin(np.abs(snr - np.median(snr))))]
    assert kinds[0] == (TYPICAL, nearest)
    assert {unit for group, unit in kinds if group == DOUBTFUL} == {3, 6}
    assert {unit for group, unit in kinds if group == UNUSED} == {8, 9}
    (figure,) = example_units(record, grades)
    assert len(figure.panels) == 6
    assert (
        sum(
            line.y.size * (3 if line.lower is not None else 1)
            for panel in figure.panels
            for line in panel.lines
        )
        <= 5000
    )
    assert "not used, constant trace" in figure.panels[4].title
    assert figure.finding == "8 of 10 units are used, 3 of them with a remark."
    assert "<svg" in draw_figure(figure)


def test_where_all_units_are_doubtful_some_are_typical_all_the_same(imaged):
    record, grades = imaged
    remarks = tuple("bleaching" for _ in grades.units["remarks"])
    doubtful = dataclasses.replace(grades, units={**grades.units, "remarks": remarks})
    chosen = choose(record, doubtful)
    groups = [example.group for example in chosen]
    assert groups == [TYPICAL, TYPICAL, DOUBTFUL, DOUBTFUL, UNUSED, UNUSED]
    assert len({example.unit for example in chosen}) == 6


def test_bands_hold_the_extremes_and_gaps_stay_gaps(imaged):
    record, grades = imaged
    (figure,) = example_units(record, grades)
    (line,) = figure.panels[5].lines
    values, valid = record.activity.values[:, 9], record.activity.valid[:, 9]
    width = 1200 // 200
    assert np.isnan(line.y[: 804 // width]).all()
    own = values[804:].reshape(-1, width)
    np.testing.assert_allclose(line.upper[804 // width :], own.max(axis=1), rtol=6e-3)
    np.testing.assert_allclose(line.lower[804 // width :], own.min(axis=1), rtol=6e-3)
    np.testing.assert_allclose(line.y[804 // width :], own.mean(axis=1), rtol=6e-3, atol=2e-4)
    assert valid[804:].all()


def test_rates_of_example_units(sorted_units):
    record, grades = sorted_units
    (figure,) = example_units(record, grades)
    lost = next(panel for panel in figure.panels if "rate changes" in panel.title)
    assert isinstance(lost, Lines)
    assert np.all(lost.lines[0].y[lost.x > 65] == 0)
    assert all("no spikes" not in panel.title for panel in figure.panels)
    assert lacking(figure.caption) == []


def test_the_section_tells_how_many_units_are_doubtful(imaged):
    record, grades = imaged
    section = data_section([record], {}, grades={"a": grades})
    (check,) = [check for check in section.checks if check.name == "Units without remarks"]
    assert (check.status, check.value) == ("warn", "5 of 8 (62 %)")
    assert section.numbers["n_units_doubtful"] == 3
    assert section.sentence.endswith("8 of 10 units are used, 3 of them doubtful.")
    bodies = [part.id for part in section.body if isinstance(part, Figure | Table)]
    assert bodies == [
        "recordings",
        "units-not-used",
        "overview-a",
        "unit-quality",
        "examples-a",
        "units",
        "measures",
    ]


def test_without_grades_the_section_is_what_it_was(imaged):
    section = data_section([imaged[0]], {})
    assert [c.name for c in section.checks if c.name == "Units without remarks"] == []
    assert not [p for p in section.body if isinstance(p, Table) and p.id == "units"]


def test_conditions_are_counted_in_natural_order():
    trials = intervals(
        [(0, 1, "10 deg"), (2, 3, "9 deg"), (4, 6, "9 deg"), (8, 9, "")], "condition"
    )
    record = recording(sampled(np.random.default_rng(1).normal(size=(9, 2))), trials=trials)
    (table,) = condition_table([record])
    assert table.columns["Condition"] == ("9 deg", "10 deg", "(no label)")
    assert table.columns["Trials"] == (2, 1, 1)
    assert table.columns["Duration (s)"] == (1.5, 1.0, 1.0)
    assert table.columns["Longest (s)"] == (2.0, 1.0, 1.0)
    assert condition_table([recording(sampled(np.ones((9, 2))))]) == []


def test_behaviour_and_stimuli_are_listed():
    record = full_recording()
    (behaviour,) = behaviour_table([record])
    assert rows(behaviour) == [
        {
            "Recording": "worm-1",
            "Series": "running",
            "Unit": "cm/s",
            "Channels": 1,
            "Samples": 2,
            "Sampling (Hz)": 1.0,
            "Missing (%)": 50.0,
        }
    ]
    (stimuli,) = stimulus_table([record])
    assert stimuli.columns["Frames"] == (6, 0)
    assert stimuli.columns["Pixels (x, y)"] == ("4 x 3", "4 x 3")
    assert stimuli.columns["Frame rate (Hz)"] == (7.0, None)
