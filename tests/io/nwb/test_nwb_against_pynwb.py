"""The reader's own walk over a file, held against what pynwb makes of the same file.

The walk shares the schema that pynwb brings, and not its reading of files, which refuses a whole
file for one object of an unknown extension and follows links wherever they lead. Where pynwb can
read a file, both must agree.
"""

import warnings
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.core.recording import SpikeTrains
from pipeline.io.nwb.objects import survey
from tests.io.nwb.test_nwb_wild import READ as READ_WILD
from tests.support.nwb_factory import read

SHARED = Path(__file__).resolve().parents[3] / ".." / "shared" / "data"
FILES = {name: SHARED / "nwb-in-the-wild" / name for name in sorted(READ_WILD)} | {
    path.stem: path for path in sorted((SHARED / "real").glob("*/*.nwb"))
}
files = pytest.mark.parametrize("name", FILES or ["none"])
needs_files = pytest.mark.skipif(not SHARED.exists(), reason=f"no files in {SHARED.resolve()}")


@contextmanager
def opened_by_pynwb(path):
    """All objects by path as pynwb reads them; its remarks on the files do not matter here."""
    from pynwb import NWBHDF5IO

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with NWBHDF5IO(path, "r", load_namespaces=True) as io:
            objects = io.read().objects.values()
            built = ((io.manager.get_builder(item), item) for item in objects)
            yield {builder.path.removeprefix("root"): item for builder, item in built if builder}


def test_every_type_of_the_schema_has_the_ancestors_that_pynwb_knows(tmp_path):
    import pynwb

    catalog = pynwb.get_type_map().namespace_catalog
    names = sorted(catalog.get_namespace("core").get_registered_types())
    assert len(names) > 90
    with h5py.File(tmp_path / "all.h5", "w") as file:
        for name in names:
            file.create_group(name).attrs.update(neurodata_type=name, namespace="core")
        lineages = {item.type: item.lineage for item in survey(file).objects}
    assert lineages == {name: catalog.get_hierarchy("core", name) for name in names}


@pytest.mark.real
@needs_files
@files
def test_the_walk_meets_the_objects_that_pynwb_meets(name):
    import pynwb
    from hdmf.common import DynamicTable

    classes = {"TimeSeries": pynwb.TimeSeries, "DynamicTable": DynamicTable}
    with opened_by_pynwb(FILES[name]) as objects, h5py.File(FILES[name]) as file:
        met = survey(file)
        for base, made in classes.items():
            theirs = {place for place, item in objects.items() if isinstance(item, made)}
            assert {item.path for item in met.of_type(base)} == theirs
        series = {item.path: item.type for item in met.of_type("TimeSeries")}
        assert series == {place: objects[place].neurodata_type for place in series}


@pytest.mark.real
@needs_files
@files
def test_activity_is_what_pynwb_gives(name):
    recording, _ = read(FILES[name])
    activity, source = recording.activity, recording.about.source_series
    with opened_by_pynwb(FILES[name]) as objects:
        theirs = objects[source]
        if isinstance(activity, SpikeTrains):
            spikes = [np.asarray(theirs["spike_times"][unit]) for unit in range(len(theirs))]
            assert np.diff(activity.starts).tolist() == [len(unit) for unit in spikes]
            np.testing.assert_array_equal(activity.times, np.concatenate(spikes))
            return
        values = np.asarray(theirs.get_data_in_units())
        times = None if theirs.timestamps is None else np.asarray(theirs.timestamps)
        rate, start = theirs.rate, theirs.starting_time
    ours = activity.values
    ours = ours if isinstance(ours, np.ndarray) else ours.read(0, ours.shape[0])
    values = (values if len(values) == len(ours) else values.T).reshape(ours.shape)
    np.testing.assert_allclose(ours, values, rtol=1e-6)
    at = times if times is not None else start + np.arange(len(ours)) / rate
    np.testing.assert_allclose(activity.time, at, rtol=0, atol=1e-9)
