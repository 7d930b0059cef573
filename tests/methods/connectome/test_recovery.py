"""Simulated worms through the whole method, and the parts of its report."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.core.method import Part
from pipeline.core.provenance import Provenance
from pipeline.core.rng import stream
from pipeline.methods.connectome import SPEC
from pipeline.methods.connectome.algorithm import combine, fit_part
from pipeline.methods.connectome.config import ConnectomeConfig
from pipeline.methods.connectome.diagnostics import assess
from pipeline.methods.connectome.figures import figures
from pipeline.methods.connectome.recovery import (
    FOUND,
    label_communities,
    onset_recovery,
    recovered,
    recovery,
)
from pipeline.methods.connectome.section import section
from pipeline.methods.connectome.simulate import simulate
from pipeline.methods.connectome.surrogates import compare, supported_components
from tests.support.captions import lacking
from tests.support.key_numbers import unclear

PROVENANCE = Provenance(stage="fit", experiment="x", package_version="0", code_digest="")
CONFIG = ConnectomeConfig(
    rank=4, n_restarts=4, n_surrogates=19, max_iterations=300, n_partitions=20
)


def fitted(views, config=CONFIG, *, seed=0):
    parts = {
        part.name: fit_part(
            views, config, part, stream(seed, "part", part.name), provenance=PROVENANCE
        )
        for part in config.plan()
    }
    return combine(parts, views, config, stream(seed, "combine"), provenance=PROVENANCE)


@pytest.fixture(scope="module")
def worms():
    return simulate(stream(3, "sim"), size="tiny")


@pytest.fixture(scope="module")
def result(worms):
    return fitted(worms[0])


def few(**changes) -> ConnectomeConfig:
    return ConnectomeConfig.model_validate(
        {
            **CONFIG.model_dump(),
            "n_restarts": 1,
            "n_surrogates": 0,
            "baselines": False,
            "leave_one_out": False,
            **changes,
        }
    )


def test_planted_groups_and_their_epochs_are_found(worms, result):
    seen = recovery(result, worms[1])
    assert seen.group_f1.mean() >= 0.8
    assert np.nanmean(seen.label_ari) >= 0.95
    # The component that fits a group best is strongest in the epochs of the group's label.
    best = seen.match.argmax(axis=0)
    np.testing.assert_array_equal(seen.component_label[best], worms[1].group_label)
    n_found = int((seen.group_f1 >= FOUND).sum())
    assert recovered(result, worms[1]).startswith(
        f"{n_found} of them (mean F1 {seen.group_f1.mean():.2f})"
    )


def test_groups_that_different_components_hold_are_told_apart_in_a_label(worms, result):
    # One community of five units in each of two components; a third has none.
    community = np.full((4, result.unit.size), -1)
    community[0, :5] = community[1, 5:10] = 0
    pair = np.zeros(result.component_pair.shape)
    ends = result.pair_units
    for component, units in ((0, range(5)), (1, range(5, 10))):
        pair[np.isin(ends, list(units)).all(axis=1), component] = 1
    made = dataclasses.replace(result, community=community, component_pair=pair)
    found = label_communities(made, str(worms[1].label[0]))
    assert (found[:5] == found[0]).all()
    assert (found[5:10] == found[5]).all()
    assert found[0] != found[5]
    assert (found[10:] == -1).all()


def test_an_animal_that_does_not_answer_a_label_has_little_of_its_components(worms, result):
    seen = recovery(result, worms[1])
    silent, label = np.argwhere(~worms[1].participation)[0]
    components = np.unique(seen.match.argmax(axis=0)[worms[1].group_label == label])
    assert (result.component_recording[components, silent] < 0.15).all()


def test_recordings_are_called_right_where_the_groups_of_a_component_answer(worms, result):
    truth = worms[1]
    right = recovery(result, truth).recordings_right
    assert right >= 0.9
    other = dataclasses.replace(truth, participation=~truth.participation)
    assert recovery(result, other).recordings_right == pytest.approx(1 - right)
    renamed = np.array([f"other {name}" for name in truth.recording])
    assert np.isnan(
        recovery(result, dataclasses.replace(truth, recording=renamed)).recordings_right
    )
    checks = {check.name: check for check in assess(result, worms[0], CONFIG, truth)}
    assert checks["Recordings called right"].value.startswith(f"{100 * right:.0f} %")


def test_components_of_the_same_pairs_are_told(worms, result):
    def check(pair):
        made = dataclasses.replace(result, component_pair=pair)
        return {one.name: one for one in assess(made, worms[0], CONFIG)}["Components apart"]

    assert check(result.component_pair).status == "pass"
    twice = result.component_pair.copy()
    twice[:, 3] = 2 * twice[:, 1]
    assert check(twice).status == "warn"
    assert "1.00, of components 2 and 4" in check(twice).value


def test_planted_structure_stands_out_from_surrogates(result):
    found = compare(result)
    for name in ("explained", "gain", "reproducibility", "concentration"):
        assert found[name].p_value == pytest.approx(0.05), name
    assert supported_components(result).sum() >= 2


def test_communities_come_with_what_is_known_of_them(worms, result):
    assert result.structured.any()
    assert (result.saved_nats[result.structured] > 2).all()
    assert ((result.membership > 0) == (result.group[:, 0] >= 0)).mean() > 0.95
    assert (result.community[result.group[:, 0] < 0] == -1).all()
    np.testing.assert_array_equal(result.concentration[~result.structured], 0)
    checks = {check.name: check for check in assess(result, worms[0], CONFIG)}
    assert f"{result.structured.sum()} of 4" in checks["Groups in components"].value
    assert checks["Community agreement"].status in ("pass", "warn")
    assert "modularity (Leiden)" in checks["Second opinion on communities"].value


def test_components_without_groups_are_no_finding(worms, result):
    flat = dataclasses.replace(result, structured=np.zeros(4, dtype=bool))
    checks = assess(flat, worms[0], CONFIG)
    found = {check.name: check for check in checks}
    assert found["Groups in components"].status == "warn"
    assert found["Community agreement"].status == "not_tested"
    written = section(flat, checks, figures(flat, worms[0], CONFIG), CONFIG)
    table = next(part for part in written.body if getattr(part, "id", "") == "components-table")
    assert set(table.columns["communities"]) == {"no groups"}


def test_the_report_says_whether_a_simpler_analysis_does_as_well(worms, result):
    checks = assess(result, worms[0], CONFIG)
    check = {check.name: check for check in checks}["Gain over simpler analyses"]
    words = next(one for one in figures(result, worms[0], CONFIG) if one.id == "baselines").finding
    assert ("the components are ahead" in words) == (check.status == "pass")
    behind = dataclasses.replace(
        result.baselines, explained=result.baselines.explained * [[0.1], [1], [1], [1], [1]]
    )
    worse = dataclasses.replace(result, baselines=behind)
    check = {one.name: one for one in assess(worse, worms[0], CONFIG)}["Gain over simpler analyses"]
    assert check.status == "warn"
    assert "matrix factors" in check.advice
    table = next(
        part
        for part in section(worse, checks, figures(worse, worms[0], CONFIG), CONFIG).body
        if getattr(part, "id", "") == "baselines-table"
    )
    assert table.columns["components ahead in recordings"][1] == "0 of 3"


def test_the_report_tells_epochs_members_and_predictions(worms, result):
    seed = result.unit[(result.community[result.structured] >= 0).any(axis=0)][0]
    config = CONFIG.model_copy(update={"seeds": [str(seed)]})
    checks = assess(result, worms[0], config)
    written = section(result, checks, figures(result, worms[0], config), config)
    tables = {part.id: part for part in written.body if hasattr(part, "columns")}
    assert tables.keys() >= {"components-table", "epochs-table", "members", "predictions"}
    assert set(tables["epochs-table"].columns["label"]) == set(worms[1].label)
    assert len(tables["members"].columns["unit"]) == (result.community >= 0).sum()
    assert config.seeds[0] not in tables["predictions"].columns["unit"]
    follows = tables["components-table"].columns["follows"]
    assert written.numbers["n_components_that_follow_epochs"] == sum(
        one != "none" for one in follows
    )
    found = {check.name: check for check in checks}
    assert found["Epochs that can be tested"].status == "pass"
    assert "within them" in found["Epochs that can be tested"].meaning
    assert found["Without single recordings"].status in ("pass", "warn")


def test_factors_explain_what_the_result_says(result):
    assert result.alignment == "by_epoch"
    assert 0 < result.static_explained < result.explained < 1
    np.testing.assert_allclose(result.component_recording.sum(axis=1), 1)
    np.testing.assert_allclose(np.linalg.norm(result.component_time, axis=0), 1)
    assert result.restart_similarity[result.restart == result.best_restart] == pytest.approx(1)


def test_the_same_stream_gives_the_same_part(worms):
    config, part = few(max_iterations=20), Part("restart-00")
    one, other = (
        fit_part(worms[0], config, part, stream(0, "same"), provenance=PROVENANCE) for _ in range(2)
    )
    np.testing.assert_array_equal(one.component_pair, other.component_pair)
    np.testing.assert_array_equal(one.n_communities, other.n_communities)
    assert one.concentration.tolist() == other.concentration.tolist()


def test_one_recording_is_told_to_be_ambiguous(worms):
    config = few(n_restarts=2, max_iterations=40)
    result = fitted(worms[0][:1], config)
    assert result.alignment == "concatenate"
    np.testing.assert_allclose(result.component_recording, 1)
    checks = {check.name: check for check in assess(result, worms[0][:1], config)}
    assert checks["Rotation ambiguity"].status == "warn"
    assert checks["Reproducibility above chance"].status == "not_tested"
    assert "other animals" in checks["Reproducibility above chance"].meaning


AGAINST_CHANCE = (
    "Reproducibility above chance",
    "Shared activity above chance",
    "Gain over a static graph",
    "Communities above chance",
)


def statuses(result, views, truth=None):
    return {check.name: check.status for check in assess(result, views, CONFIG, truth=truth)}


def with_surrogates(result, n_copies):
    """The result as if each surrogate had been drawn several times."""
    repeated = {
        field.name: np.repeat(getattr(result, field.name), n_copies)
        for field in dataclasses.fields(result)
        if field.name.startswith("surrogate")
    }
    return dataclasses.replace(result, **repeated)


def test_nineteen_surrogates_are_a_first_look_and_never_a_verdict(worms, result):
    checks = {check.name: check for check in assess(result, worms[0], CONFIG)}
    for name in AGAINST_CHANCE:
        assert checks[name].status == "not_tested"
        assert checks[name].value.startswith("first look: ")
    assert checks["Surrogates for a verdict"].status == "warn"
    assert (
        "first look, no finding yet"
        in section(
            result, tuple(checks.values()), figures(result, worms[0], CONFIG), CONFIG
        ).sentence
    )


def test_checks_of_a_good_fit_with_enough_surrogates_pass(worms, result):
    found = statuses(with_surrogates(result, 11), worms[0], truth=worms[1])
    for name in (
        *AGAINST_CHANCE,
        "Surrogates for a verdict",
        "Planted groups found",
        "Planted communities separated",
    ):
        assert found[name] == "pass", name
    assert "Rotation ambiguity" not in found


def test_data_that_surrogates_reach_are_not_above_chance_however_few_they_are(worms, result):
    reached = dataclasses.replace(
        result,
        surrogate_reproducibility=np.full(19, 0.99),
        surrogate_explained=np.full(19, 0.99),
    )
    found = statuses(reached, worms[0])
    assert found["Reproducibility above chance"] == "warn"
    assert found["Gain over a static graph"] == "warn"
    assert found["Communities above chance"] == "not_tested"


def test_the_level_is_shared_by_the_tested_statistics(worms, result):
    # 4 of 209 surrogates as large give p = 0.024: below 0.05, above a quarter of it.
    many = with_surrogates(result, 11)
    reached = np.array(many.surrogate_reproducibility)
    reached[:4] = 1.0
    found = statuses(dataclasses.replace(many, surrogate_reproducibility=reached), worms[0])
    assert found["Reproducibility above chance"] == "warn"


def test_a_component_needs_more_than_every_one_of_nineteen_surrogates(result):
    gains = np.median(result.restart_gain, axis=0)
    largest = np.zeros(19)
    largest[0] = gains.max()
    weak = dataclasses.replace(result, surrogate_largest_gain=largest)
    assert not supported_components(weak)[gains.argmax()]
    clear = dataclasses.replace(result, surrogate_largest_gain=0.99 * largest)
    assert supported_components(clear)[gains.argmax()]


def test_a_fit_that_was_cut_off_says_so_and_what_to_do(worms, result):
    cut = dataclasses.replace(result, restart_converged=np.zeros(4, dtype=bool))
    checks = {check.name: check for check in assess(cut, worms[0], CONFIG)}
    assert checks["Convergence"].status == "warn"
    assert "cut off" in checks["Convergence"].meaning
    assert "max_iterations to 1200" in checks["Convergence"].advice


def test_every_figure_has_its_words_and_stays_small(worms, result):
    found = figures(result, worms[0], CONFIG, truth=worms[1])
    assert [figure.id for figure in found] == [
        "example",
        "components",
        "dominance",
        "epochs",
        "surrogates",
        "baselines",
        "network",
        "dendrogram",
        "traces",
        "lead-lag",
        "restarts",
        "truth",
        "onsets",
    ]
    for figure in found:
        assert figure.finding
        assert figure.alt
        assert lacking(figure.caption) == [], figure.id


def test_the_section_names_what_was_left_out_and_keeps_its_numbers(worms, result):
    checks = assess(result, worms[0], CONFIG)
    written = section(result, checks, figures(result, worms[0], CONFIG), CONFIG)
    assert written.id == SPEC.name
    assert unclear(written) == []
    assert f"{result.unit.size} units" in written.sentence
    low, high = result.reproducibility.min(), result.reproducibility.max()
    assert f"({low:.2f} to {high:.2f} over {result.rank} components; " in written.sentence
    low, high = 100 * result.recording_explained.min(), 100 * result.recording_explained.max()
    assert f"({low:.0f} to {high:.0f} % over {result.recording.size} recor" in written.sentence
    low, high = result.surrogate_reproducibility.min(), result.surrogate_reproducibility.max()
    assert f"; {low:z.2f} to {high:z.2f} over 19 surrogates)" in written.sentence
    assert written.numbers["reproducibility_p"] == pytest.approx(0.05)
    words = " ".join(part for part in written.body if isinstance(part, str))
    assert "Not part of this version" in words
    assert "use 199 or more for a claim" in words


def test_the_section_says_which_traces_were_divided_by_a_baseline(worms):
    first, *others = worms[0]
    views = (dataclasses.replace(first, baseline="dF/F computed here"), *others)
    found = fitted(views, few())
    parts = (found, assess(found, views, CONFIG), figures(found, views, CONFIG), CONFIG)
    words = section(*parts).body[0]
    assert f"Traces of {first.recording} are dF/F computed here. Each trace became" in words


def test_parts_are_named_by_the_settings():
    names = [part.name for part in few(n_restarts=2, n_surrogates=1).plan()]
    assert names == ["restart-00", "restart-01", "surrogate-000"]


def test_simulated_animals_differ_in_neurons_and_order(worms):
    views, truth = worms
    assert len({tuple(view.epochs["label"]) for view in views}) > 1
    assert len({tuple(sorted(view.identity)) for view in views}) > 1
    assert all((view.identity == "").sum() == 4 for view in views)
    assert all((~view.valid).any() for view in views)
    assert (truth.sign[truth.member] != 0).all()


def test_planted_onsets_are_when_traces_of_a_group_change(worms):
    views, truth = worms
    counts = truth.onsets.groupby(["recording", "group"]).size()
    answering = truth.participation[:, truth.group_label].sum()
    assert len(counts) == answering
    assert (counts == 2).all()  # one a repeat of the label's epoch
    at = [name for name in truth.windows.columns if name != "label"]
    for view in views:
        inside = truth.windows[truth.windows["recording"] == view.recording][at]
        own = truth.onsets[truth.onsets["recording"] == view.recording]
        for name, start in zip(own["group"], own["start_s"], strict=True):
            assert ((inside["start_s"] <= start) & (start < inside["stop_s"])).any()
            group = int(np.flatnonzero(truth.group == name)[0])
            members = np.isin(view.identity, truth.unit[truth.member[group]])
            near = np.abs(view.time - start)
            step = np.abs(np.diff(view.values[:, members], axis=0)).mean(axis=1)
            assert step[near[1:] < 1.0].max() > 5 * np.median(step)


def test_active_stretches_begin_beside_planted_onsets(worms, result):
    seen = onset_recovery(result, worms[1], sigma_s=CONFIG.sigma_s)
    met = np.isfinite(seen.error_s)
    assert met.mean() >= 0.9
    # The filter reaches as far back, and frames are as wide.
    assert -2 * CONFIG.sigma_s - result.bin_s <= np.median(seen.error_s[met]) <= 0
    assert np.abs(seen.error_s[met]).max() <= seen.reach_s
    assert seen.n_further <= 0.2 * met.size


def test_stretches_belong_to_the_nearest_onset_and_the_first_counts(worms, result):
    # One component, active from 5, 7 and 20 s of the first recording; onsets planted by hand.
    truth = worms[1]
    time = np.arange(0.0, 40.0, 0.5)
    middle = np.array([5.5, 7.5, 20.5])
    course = (np.abs(time[:, None] - middle) <= 0.5).any(axis=1).astype(float)
    best = int(recovery(result, truth).match.max(axis=1).argmax())
    group = str(truth.group[recovery(result, truth).match[best].argmax()])
    made = dataclasses.replace(
        result,
        component_time=np.where(np.arange(4) == best, course[:, None], 0.0),
        frame_time_s=time,
        frame_recording=np.zeros(time.size, dtype=np.int64),
        source_time_s=np.where(np.arange(3) == 0, time[:, None], np.nan),
        bin_s=0.5,
        coarse_grain=1,
    )
    onsets = truth.onsets.iloc[:0]
    rows = [("worm-1", group, at) for at in (4.0, 5.5, 30.0, 900.0)]
    onsets = onsets.reindex(range(4))
    onsets[["recording", "group"]] = [row[:2] for row in rows]
    onsets["start_s"] = [row[2] for row in rows]
    seen = onset_recovery(made, dataclasses.replace(truth, onsets=onsets), sigma_s=0.5)
    # The stretches at 5 and 7 s are nearest to the second onset; 900 s has no frame; the stretch
    # at 20 s belongs to none.
    assert seen.planted_s.tolist() == [4.0, 5.5, 30.0]
    np.testing.assert_array_equal(seen.error_s, [np.nan, -0.5, np.nan])
    assert seen.n_further == 1
    assert seen.reach_s == 2.0


def test_the_report_shows_onsets_beside_planted_ones(worms, result):
    views, truth = worms
    checks = assess(result, views, CONFIG, truth)
    told = next(check for check in checks if check.name == "Planted onsets met")
    assert told.status == "pass"
    pictures = figures(result, views, CONFIG, truth)
    shown = next(figure for figure in pictures if figure.id == "onsets")
    seen = onset_recovery(result, truth, sigma_s=CONFIG.sigma_s)
    (panel,) = shown.panels
    assert panel.values.shape == (np.unique(seen.group).size, panel.x.size)
    np.testing.assert_array_equal(
        panel.values.sum(axis=1),
        [np.isfinite(seen.error_s[seen.group == one]).sum() for one in np.unique(seen.group)],
    )
    # 0 is in the middle, and all that counts as met has a place.
    np.testing.assert_allclose(panel.x, -panel.x[::-1], atol=1e-12)
    assert panel.x[-1] + result.bin_s / 2 >= seen.reach_s
    late = np.repeat(panel.x, panel.values.sum(axis=0).astype(int))
    np.testing.assert_allclose(
        late, np.sort(seen.error_s[np.isfinite(seen.error_s)]), atol=result.bin_s / 2 + 1e-9
    )
    assert shown in section(result, checks, pictures, CONFIG).body
    nothing = dataclasses.replace(result, community=np.full_like(result.community, -1))
    assert "onsets" not in {one.id for one in figures(nothing, views, CONFIG, truth)}


def test_what_was_regressed_out_is_a_check_and_in_the_words(worms):
    views, _ = worms
    taken = ("the mean of all units (31 % of the median unit's variance)", "speed", None)
    changed = tuple(
        dataclasses.replace(view, regressed=words) for view, words in zip(views, taken, strict=True)
    )
    config = few(rank=2, max_iterations=10)
    found = fitted(changed, config)
    assert found.regressed.tolist() == [taken[0], "speed", ""]
    checks = assess(found, changed, config)
    told = next(check for check in checks if check.name == "Regressed out")
    assert (told.status, told.value) == ("warn", f"worm-1: {taken[0]}, worm-2: speed")
    assert "opposite directions" in told.meaning
    assert "geometric_same_sign" in told.advice
    words = section(found, checks, figures(found, changed, config), config).body[0]
    assert f"as the settings ask: worm-1: {taken[0]}; worm-2: speed." in words
    # Behaviour alone makes no false opposites; without anything there is no check.
    only = tuple(dataclasses.replace(view, regressed="speed") for view in views)
    told = next(check for check in assess(found, only, config) if check.name == "Regressed out")
    assert told.status == "pass"
    assert all(check.name != "Regressed out" for check in assess(found, views, config))


def test_sparse_graphs_are_told_with_what_is_left_of_them(worms, result):
    checks = {}
    for alpha in (0.3, 1e-6):
        config = CONFIG.model_copy(update={"sparsify": "backbone", "backbone_alpha": alpha})
        found = assess(result, worms[0], config)
        checks[alpha] = next(check for check in found if check.name == "Sparse graphs")
        pictures = figures(result, worms[0], config)
        words = str(section(result, found, pictures, config).body)
        assert f"disparity filter at {alpha:g}" in words
    assert checks[0.3].status == "pass"
    assert checks[1e-6].status == "warn"
    assert checks[1e-6].value.startswith("0 % of ties kept")
    assert all(check.name != "Sparse graphs" for check in assess(result, worms[0], CONFIG))


def test_a_recording_of_which_no_unit_is_used_is_left_out_of_the_whole_result(worms):
    views = worms[0]
    nobody = dataclasses.replace(
        views[0], recording="none", identity=np.full(views[0].unit.size, ""), baseline="x"
    )
    found = fitted((nobody, *views), few(rank=2, max_iterations=10))
    assert found.recording.tolist() == [view.recording for view in views]
    assert found.baseline.tolist() == ["", "", ""]
