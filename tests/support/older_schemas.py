r"""The tiny NWB files as earlier versions of pynwb write them, which ``tests/data/schemas`` holds.

    for both in 2.3.3/3.6.1 2.8.3/3.14.6 3.0.0/4.0.0 3.1.3/4.3.1; do PYTHONPATH=. .venv/bin/uv run \
        --no-project --python 3.11 --with pynwb==${both%/*} --with hdmf==${both#*/} \
        --with 'numpy<2' --with hdf5plugin --with pandas --with pydantic \
        python tests/support/older_schemas.py tests/data/schemas; done

Needs packages of old, so that no test runs it; ``tests/io/nwb/test_nwb_old_schemas.py`` reads what
it wrote.
"""

from __future__ import annotations

import lzma
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import h5py


def write_all(folder: Path) -> None:
    """Both sessions, each named by the version of the schema that it holds."""
    # The factory imports our reader, which old packages do not suit, and needs none of it here.
    for name, unused in (("options", "ReadOptions"), ("read", "read_recording")):
        module = ModuleType(f"pipeline.io.nwb.{name}")
        setattr(module, unused, None)
        sys.modules[module.__name__] = module
    from tests.support.nwb_factory import imaging_file, probe_file

    with TemporaryDirectory() as scratch:
        for session, write in (("imaging", imaging_file), ("probe", probe_file)):
            path = write(Path(scratch) / f"{session}.nwb")
            with h5py.File(path) as file:
                schema = file.attrs["nwb_version"]
            packed = folder / f"{schema}-{session}.nwb.xz"
            packed.write_bytes(lzma.compress(path.read_bytes(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
