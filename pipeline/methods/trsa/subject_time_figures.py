"""What the figures of time courses over subjects show."""

from __future__ import annotations

import numpy as np

from pipeline.core.parts import Figure, Line, Lines, Panel
from pipeline.methods.trsa.result import (
    CoursesResult,
    IdentifiedCourse,
    SubjectsResult,
    TrsaResult,
)
from pipeline.methods.trsa.subject_courses import LEAST_SUBJECTS, mean_trajectories

LEVEL = 0.05
SHOWN_REGIONS = 4
SHOWN_CONDITIONS = 6
TIME = "Time from the start of the trial (s)"


def subject_time_figures(result: TrsaResult, courses: CoursesResult) -> tuple[Figure, ...]:
    """Separation and paths of conditions over subjects, where there are several."""
    found = []
    if courses.subject.size >= LEAST_SUBJECTS:
        found.append(_separation(courses))
    if result.subjects is not None and result.subjects_course is not None:
        found.append(_identified(result, result.subjects, result.subjects_course))
    paths = _trajectories(result, courses)
    return (*found, paths) if paths is not None else tuple(found)


def _separation(courses: CoursesResult) -> Figure:
    from scipy.stats import t as student

    values = courses.subject_separation
    count = len(values)
    mean = values.mean(axis=0)
    width = student.ppf(0.975, count - 1) * values.std(axis=0, ddof=1) / np.sqrt(count)
    good = courses.subject_stretches[courses.subject_stretches["p"] <= LEVEL]
    told = "; ".join(
        f"{row.start_s:.3g} to {row.stop_s:.3g} s (p = {row.p:.2g})"
        for row in good.itertuples(index=False)
    )
    lines = [
        Line(
            name="mean",
            y=mean.round(4),
            lower=(mean - width).round(4),
            upper=(mean + width).round(4),
            group=0,
        )
    ]
    lines += [
        Line(name=str(name), y=row.round(4), group=-1)
        for name, row in zip(courses.subject, values, strict=True)
    ]
    return Figure(
        id="subjects-time",
        title="When regions differ, over subjects",
        finding=(
            f"Over {count} subjects regions separate from {told}."
            if told
            else f"Over {count} subjects, regions separate in no stretch of time more than flips "
            "of signs allow."
        ),
        caption=(
            "Separation: rank correlation of dissimilarities within regions less that between "
            "them, in halves without common units or repeats, less its mean over regroupings of "
            f"the units; one curve a subject, mean with 95 % interval over {count} subjects (t). "
            "Stretches are bins in a row above the 95th percentile of flipped signs of whole "
            "courses; their p compares their summed height with the largest of each flip. Good: "
            "all curves leave 0 together. Bad: one subject makes the mean."
        ),
        alt="Curves over time, one a subject, and their mean.",
        panels=(
            Lines(
                title="Separation of regions above chance",
                x=courses.time_bin.round(4),
                lines=tuple(lines),
                x_title=TIME,
                y_title="Within less between",
            ),
        ),
    )


def _identified(result: TrsaResult, found: SubjectsResult, course: IdentifiedCourse) -> Figure:
    """When regions are recognised from the other subjects."""
    n_subjects, n_regions = found.subject.size, found.region.size
    good = course.stretches[course.stretches["p"] <= LEVEL]
    told = "; ".join(
        f"{row.start_s:.3g} to {row.stop_s:.3g} s (p = {row.p:.2g})"
        for row in good.itertuples(index=False)
    )
    time = result.courses.time_bin if result.courses is not None else np.zeros(0)
    best = int(np.argmax(course.accuracy))
    most = f"{100 * course.accuracy[best]:.0f} % at {time[best]:.3g} s"
    if found.least_p > LEVEL:
        finding = (
            f"At most {most} of the regions of {n_subjects} subjects are recognised; so few "
            "subjects allow no test."
        )
    elif told:
        finding = (
            f"Over {n_subjects} subjects, {n_regions} regions are recognised from the others "
            f"from {told}; at most {most}."
        )
    else:
        finding = (
            f"Over {n_subjects} subjects, {n_regions} regions are in no stretch of time recognised "
            f"more often than relabelled ones; at most {most}."
        )
    return Figure(
        id="subjects-identified",
        title="When regions are recognised from other subjects",
        finding=finding,
        caption=(
            f"Share of the {found.row_region.size} regions of {n_subjects} subjects that are "
            "nearest, by ranks of their dissimilarities in a bin, to the mean of their region over "
            f"the other subjects; {time.size} bins. Grey: mean and 5 to 95 % of "
            f"{result.n_permutations} relabellings of regions within subjects, the same in all "
            "bins. Stretches are bins in a row above 95 % of relabellings; their p compares their "
            "summed height with the largest of each relabelling. Good: a curve that is in the band "
            "before units answer and leaves it for several bins. Bad: single bins above the band, "
            "one in twenty by chance. Regions that differ in noise or number of units are "
            "recognised by that alone."
        ),
        alt="Curve of accuracy over time, and the band of relabelled regions.",
        panels=(
            Lines(
                title="Regions recognised",
                x=time.round(4),
                lines=(
                    Line(name="regions", y=course.accuracy.round(4), group=0),
                    Line(
                        name="relabelled",
                        y=course.chance.round(4),
                        lower=course.lower.round(4),
                        upper=course.upper.round(4),
                        group=-1,
                    ),
                ),
                x_title=TIME,
                y_title="Share of regions",
            ),
        ),
    )


def _trajectories(result: TrsaResult, courses: CoursesResult) -> Figure | None:
    """Paths of conditions of each region that several subjects have."""
    table = result.populations
    defined = np.asarray(np.isfinite(courses.dissimilarities).all(axis=2))
    usable = defined.any(axis=1)
    shown = np.unique(
        np.linspace(
            0, result.condition.size - 1, min(SHOWN_CONDITIONS, result.condition.size)
        ).astype(int)
    )
    panels: list[Panel] = []
    told: list[str] = []
    for region in dict.fromkeys(table["region"]):
        mine = np.flatnonzero((table["region"] == region).to_numpy() & usable)
        subjects = table["subject"].to_numpy()[mine]
        if len(set(subjects)) < 2 or "" in subjects or len(told) == SHOWN_REGIONS:
            continue
        means = np.stack(
            [
                courses.dissimilarities[mine[subjects == name]].mean(axis=0)
                for name in dict.fromkeys(subjects)
            ]
        )
        points, spread = mean_trajectories(means)
        size, scatter = (float(np.square(x).sum(axis=2).mean()) for x in (points, spread))
        told.append(f"{region} {scatter / size:.2g}" if size > 0 else f"{region} not defined")
        for dimension in range(2):
            panels.append(
                Lines(
                    title=f"{region}: dimension {dimension + 1}, {len(means)} subjects",
                    x=courses.time_bin.round(4),
                    lines=tuple(
                        Line(
                            name=str(result.condition[at]),
                            y=points[:, at, dimension].round(4),
                            lower=(points - spread)[:, at, dimension].round(4),
                            upper=(points + spread)[:, at, dimension].round(4),
                            group=group,
                        )
                        for group, at in enumerate(shown)
                    ),
                    x_title=TIME,
                    y_title="Position",
                )
            )
    if not panels:
        return None
    return Figure(
        id="subjects-trajectories",
        title="How conditions part and meet, over subjects",
        finding=(
            "Scatter of subjects around the common paths, relative to how far conditions lie "
            f"apart: {', '.join(told)}."
        ),
        caption=(
            "Classical scaling, to two dimensions, of the mean dissimilarities over subjects in "
            "each bin, turned and mirrored, but not scaled, towards the bin before. Bands: one "
            "standard deviation of the subjects' own planes, each turned towards the mean's; they "
            "hold noise of each subject and of the turning. "
            f"{shown.size} of {result.condition.size} conditions are drawn. Good: paths that part "
            "by more than their bands. Bad: bands that cover all paths."
        ),
        alt="Curves of conditions over time with bands, two panels a region.",
        panels=tuple(panels),
        columns=2,
    )
