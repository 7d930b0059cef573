"""A run is refused before its first job when it could not keep what it makes."""

from __future__ import annotations

import pytest

from pipeline.core.errors import EnvironmentFault
from pipeline.stages.run import check_writable


def test_a_results_folder_is_made_and_left_empty(tmp_path):
    check_writable(tmp_path / "a" / "b é")
    assert list((tmp_path / "a" / "b é").iterdir()) == []


def test_results_below_a_file_are_refused_in_six_parts(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(EnvironmentFault, match=r"RN-R26 .*Not a directory.*setting 'out'"):
        check_writable(tmp_path / "file" / "results")
    with pytest.raises(EnvironmentFault, match=r"RN-R26 .*File exists"):
        check_writable(tmp_path / "file")
