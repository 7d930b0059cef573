"""The recording sheet is text as written, and everything wrong with it is said at once."""

from __future__ import annotations

import pytest

from pipeline.core.errors import ConfigErrors
from pipeline.io.nwb.options import ReadOptions
from pipeline.io.sheets import COLUMNS, column_markdown, column_schema, read_sheet

HEADER = "experiment\trecording\tnwb"


@pytest.fixture
def folder(tmp_path):
    for name in ("a.nwb", "b.nwb"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


@pytest.fixture
def read(folder):
    def _read(content):
        path = folder / "recordings.tsv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_sheet(path)

    return _read


@pytest.fixture
def problems(read):
    def _problems(content):
        with pytest.raises(ConfigErrors) as caught:
            read(content)
        for problem in caught.value.problems:
            assert problem.file.endswith("recordings.tsv")
            assert problem.found
            assert problem.fix
        return caught.value.problems

    return _problems


def test_a_line_becomes_a_row(read, folder):
    (row,) = read(
        "experiment\trecording\tnwb\tsubject\tactivity\tseries\tintervals\tcondition\tregion\t"
        "identity\texclude\ttruth\tgenotype\n"
        "e1\tr1\ta.nwb\tw1\tspikes\t/x\tepochs\torientation + contrast\tarea\tname\t\t\twt\n"
    )
    assert (row.experiment, row.recording, row.subject) == ("e1", "r1", "w1")
    assert (row.nwb, row.nwb_text) == (folder / "a.nwb", "a.nwb")
    assert row.options == ReadOptions(
        activity="spikes",
        series="/x",
        intervals="epochs",
        condition=("orientation", "contrast"),
        region="area",
        identity="name",
    )
    assert (row.exclude, row.truth, row.line) == ("", None, 2)
    assert dict(row.variables) == {"genotype": "wt"}


def test_columns_that_are_absent_or_empty_have_their_default(read):
    short, long = read(f"{HEADER}\tactivity\tday\ne1\tr1\ta.nwb\ne1\tr2\tb.nwb\t\t\n")
    assert short.options == long.options == ReadOptions()
    assert dict(long.variables) == {"day": ""}


def test_columns_may_stand_in_any_order_and_blank_lines_are_skipped(read):
    first, second = read("\nnwb\texperiment\trecording\n\na.nwb\te1\tr1\n  \t\nb.nwb\te2\tr1\n\n")
    assert (first.experiment, first.line) == ("e1", 4)
    assert (second.experiment, second.line) == ("e2", 6)


def test_entries_are_text_as_written(read):
    rows = read(f"{HEADER}\tday\n007\t1e3\ta.nwb\t01\nno\tNA\ta.nwb\tnull\nyes\t0x1F\ta.nwb\t1.0\n")
    assert [row.experiment for row in rows] == ["007", "no", "yes"]
    assert [row.recording for row in rows] == ["1e3", "NA", "0x1F"]
    assert [row.variables["day"] for row in rows] == ["01", "null", "1.0"]


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: ("\ufeff" + text).encode(),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: ("\ufeff" + text.replace("\n", "\r\n")).encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.rstrip("\n").encode(),
    ],
    ids=["plain", "mark", "windows", "mark and windows", "old mac", "utf-16", "no last line end"],
)
def test_any_editor_may_have_written_it(read, encode):
    (row,) = read(encode(f"{HEADER}\tlab\ne1\tr1\ta.nwb\tMünchen\n"))
    assert (row.experiment, row.variables["lab"], row.line) == ("e1", "München", 2)


def test_blanks_and_spreadsheet_quotes_around_entries_go(read):
    (row,) = read(f'{HEADER}\tnote\n "e1"\t r1 \t"a.nwb"\t"the ""big"" one"\n')
    assert (row.experiment, row.recording, row.nwb_text) == ("e1", "r1", "a.nwb")
    assert row.variables["note"] == 'the "big" one'


def test_absolute_paths_stay(read, folder):
    (row,) = read(f"{HEADER}\ne1\tr1\t{folder}/a.nwb\n")
    assert row.nwb == folder / "a.nwb"


def test_excluded_recordings_are_returned_and_need_no_file(read):
    rows = read(f"{HEADER}\texclude\ne1\tr1\ta.nwb\t\ne1\tr2\tgone.nwb\tmoved too much\n")
    assert [row.exclude for row in rows] == ["", "moved too much"]


def test_an_experiment_needs_a_recording_that_is_used(problems):
    (problem,) = problems(f"{HEADER}\texclude\ne1\tr1\ta.nwb\t\ne2\tr1\tb.nwb\tbad\n")
    assert problem.code == "CF-K02"
    assert "'e2'" in problem.found


def test_planted_truth_is_a_folder_beside_the_sheet(read, folder, problems):
    (folder / "truth").mkdir()
    (row,) = read(f"{HEADER}\ttruth\ne1\tr1\ta.nwb\ttruth\n")
    assert row.truth == folder / "truth"
    (problem,) = problems(f"{HEADER}\ttruth\ne1\tr1\ta.nwb\tnowhere\n")
    assert (problem.code, problem.place) == ("IN-F01", "line 2, column truth")


def test_a_path_with_braces_is_refused_since_they_mark_wildcards(folder, problems):
    (folder / "a{b}.nwb").write_bytes(b"")
    (problem,) = problems(f"{HEADER}\ne1\tr1\ta{{b}}.nwb\n")
    assert (problem.code, problem.place) == ("CF-K10", "line 2, column nwb")


def test_a_missing_sheet_names_what_was_probably_meant(folder):
    (folder / "recordings.tsv").write_text("")
    with pytest.raises(ConfigErrors) as caught:
        read_sheet(folder / "recording.tsv")
    (problem,) = caught.value.problems
    assert problem.code == "CF-K02"
    assert "did you mean 'recordings.tsv'" in problem.found


def test_a_folder_is_no_sheet(folder):
    with pytest.raises(ConfigErrors, match="cannot be read"):
        read_sheet(folder)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("", "empty"),
        ("\n\n", "empty"),
        (f"{HEADER}\n", "no rows"),
        ("experiment,recording,nwb\ne1,r1,a.nwb\n", "commas"),
        ("experiment;recording;nwb\n", "semicolons"),
        ("experiment recording nwb\n", "blanks"),
        ("experiment\trecording\tfile\ne1\tr1\ta.nwb\n", "'nwb' is missing"),
        (f"{HEADER}\ne1\tr1\ta.nwb\tmore\n", "4 entries under 3 columns"),
        (b"PK\x03\x04\xff\xff", "workbook"),
        (b"PK\x03\x04\0\0abc", "workbook"),
        (b"experiment\0\trecording\n", "no text"),
        (b"experiment\xff\n", "not UTF-8 at byte 10"),
    ],
)
def test_what_is_no_sheet_is_refused(problems, content, word):
    (problem,) = problems(content)
    assert problem.code == "CF-K02"
    assert word in problem.found


def test_all_missing_columns_are_named_with_those_found(problems):
    found = problems("subject\tday\nx\t1\n")
    assert [problem.place for problem in found] == [
        f"line 1, column {name}" for name in ("experiment", "recording", "nwb")
    ]
    assert "subject, day" in found[0].found


@pytest.mark.parametrize(
    ("column", "meant"),
    [("identiy", "identity"), ("Activity", "activity"), ("regions", "region"), ("nwbs", "nwb")],
)
def test_almost_a_known_column_is_refused(problems, column, meant):
    (problem,) = problems(f"{HEADER}\t{column}\ne1\tr1\ta.nwb\tx\n")
    assert problem.code == "CF-K03"
    assert f"'{meant}'" in problem.fix


@pytest.mark.parametrize("column", ["sex", "age", "day", "lab", "genotype", "session", "depth_um"])
def test_usual_study_variables_are_kept(read, column):
    (row,) = read(f"{HEADER}\t{column}\ne1\tr1\ta.nwb\tx\n")
    assert dict(row.variables) == {column: "x"}


def test_a_misspelt_needed_column_is_told_once(problems):
    (problem,) = problems("experiment\trecordings\tnwb\ne1\tr1\ta.nwb\n")
    assert problem.code == "CF-K03"
    assert "'recording'" in problem.fix


def test_columns_that_stand_twice_or_have_no_name_are_refused(problems):
    twice, nameless = problems(f"{HEADER}\tday\tday\t\tlast\ne1\tr1\ta.nwb\t1\t2\t3\t4\n")
    assert (twice.code, nameless.code) == ("CF-K07", "CF-K03")
    assert "columns 4 and 5" in twice.found


@pytest.mark.parametrize(
    "value",
    [
        "../up",
        "a b",
        "a/b",
        "-a",
        ".a",
        "_a",
        "a{x}",
        "a'b",
        "ä",
        "",
        "x" * 65,
        "con",
        "LPT1",
        "a.b",
    ],
)
@pytest.mark.parametrize("column", ["experiment", "recording"])
def test_ids_that_cannot_be_folders_are_refused(problems, column, value):
    other = {"experiment": "e1", "recording": "r1", column: value}
    found = problems(f"{HEADER}\n{other['experiment']}\t{other['recording']}\ta.nwb\n")
    assert [(p.code, p.place) for p in found] == [("CF-K08", f"line 2, column {column}")]


@pytest.mark.parametrize("name", ["logs", "Timings"])
def test_folders_of_the_results_are_no_experiments(problems, read, name):
    (problem,) = problems(f"{HEADER}\n{name}\tr1\ta.nwb\n")
    assert problem.code == "CF-K08"
    assert len(read(f"{HEADER}\ne1\t{name}\ta.nwb\n")) == 1


def test_the_longest_id_is_accepted(read):
    (row,) = read(f"{HEADER}\n{'x' * 64}\tr1\ta.nwb\n")
    assert len(row.experiment) == 64


def test_ids_that_differ_only_in_case_are_refused_with_both_lines(problems, read):
    (problem,) = problems(f"{HEADER}\nE1\tr1\ta.nwb\ne1\tr2\tb.nwb\n")
    assert problem.code == "CF-K09"
    assert "lines 2 and 3" in problem.place
    (problem,) = problems(f"{HEADER}\ne1\tr1\ta.nwb\ne1\tR1\tb.nwb\n")
    assert (problem.code, "column recording" in problem.place) == ("CF-K09", True)
    assert len(read(f"{HEADER}\ne1\tr1\ta.nwb\ne2\tR1\tb.nwb\n")) == 2


def test_a_recording_that_stands_twice_is_refused_with_both_lines(problems, read):
    (problem,) = problems(f"{HEADER}\ne1\tr1\ta.nwb\ne2\tr1\ta.nwb\ne1\tr1\tb.nwb\n")
    assert problem.code == "CF-K07"
    assert "lines 2 and 4" in problem.place


@pytest.mark.parametrize("value", ["calciun", "Calcium", "imaging", "0"])
def test_an_unknown_activity_is_refused(problems, value):
    (problem,) = problems(f"{HEADER}\tactivity\ne1\tr1\ta.nwb\t{value}\n")
    assert (problem.code, problem.place) == ("CF-K05", "line 2, column activity")


@pytest.mark.parametrize("value", ["+a", "a+", "a++b", "+"])
def test_an_empty_part_of_a_condition_is_refused(problems, value):
    (problem,) = problems(f"{HEADER}\tcondition\ne1\tr1\ta.nwb\t{value}\n")
    assert (problem.code, problem.place) == ("CF-K05", "line 2, column condition")


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("", "no file is named"),
        ("A.nwb", "did you mean 'a.nwb'"),
        ("nowhere.nwb", "the folder has a.nwb, b.nwb"),
        ("no/such/a.nwb", "the folder"),
        ("https://example.org/a.nwb", "an address"),
        ("a\x00.nwb", "cannot be reached"),
        ("x" * 5000, "cannot be reached"),
        ("a.nwb/inside.nwb", "is not there"),
    ],
)
def test_a_file_that_is_not_there_is_told_before_the_run(problems, value, word):
    (problem,) = problems(f"{HEADER}\ne1\tr1\t{value}\n")
    assert (problem.code, problem.place) == ("IN-F01", "line 2, column nwb")
    assert word in problem.found
    assert problem.exit_code == 2


def test_links_that_lead_nowhere_are_told_before_the_run(problems, read, folder):
    (folder / "broken.nwb").symlink_to(folder / "gone.nwb")
    (folder / "loop.nwb").symlink_to(folder / "loop.nwb")
    (folder / "sound.nwb").symlink_to(folder / "a.nwb")
    broken, loop = problems(f"{HEADER}\ne1\tr1\tbroken.nwb\ne1\tr2\tloop.nwb\n")
    assert "a link to something that is not there" in broken.found
    assert "cannot be reached" in loop.found
    assert len(read(f"{HEADER}\ne1\tr1\tsound.nwb\n")) == 1


def test_a_file_that_may_not_be_read_is_told_before_the_run(problems, monkeypatch):
    monkeypatch.setattr("pipeline.io.nwb.files.os.access", lambda path, _: path.name != "b.nwb")
    (problem,) = problems(f"{HEADER}\ne1\tr1\ta.nwb\ne1\tr2\tb.nwb\n")
    assert (problem.code, problem.place) == ("IN-F08", "line 3, column nwb")
    assert "the file 'b.nwb' may not be read: permission denied: mode -rw" in problem.found
    assert "or write a reason in the column exclude" in problem.fix


def test_problems_of_all_lines_are_told_at_once(problems):
    found = problems(
        f"{HEADER}\tactivity\n../x\tr1\ta.nwb\tnone\ne1\tr1\tgone.nwb\t\ne1\tr1\tb.nwb\t\n"
    )
    assert [problem.code for problem in found] == ["CF-K08", "CF-K05", "IN-F01", "CF-K07"]


def test_the_columns_explain_themselves():
    text, schema = column_markdown(), column_schema()
    for column in COLUMNS:
        assert f"| `{column.name}` |" in text
        assert column.description in text
        assert column.name in schema["properties"]
    assert schema["required"] == ["experiment", "recording", "nwb"]
    assert schema["properties"]["activity"]["enum"] == ["", "auto", "calcium", "spikes"]
