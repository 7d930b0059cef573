"""Who and what was recorded, as the file tells it."""

from __future__ import annotations

from datetime import datetime

import h5py

from pipeline.core.notes import Note
from pipeline.core.recording import About
from pipeline.io.nwb.objects import Survey, child_text, children
from pipeline.io.nwb.open import version_of


def read_about(file: h5py.File, contents: Survey, *, source_series: str) -> About:
    """Facts about session, subject and instruments; empty where the file does not tell.

    Parameters
    ----------
    source_series
        HDF5 path of the activity.
    """
    general = _group(file, "general")
    subject = _group(general, "subject")
    start = _text(file, "session_start_time")
    return About(
        nwb_identifier=_text(file, "identifier"),
        nwb_version=version_of(file),
        session_id=_text(general, "session_id"),
        session_start=start if _is_date(start) else "",
        description=_text(file, "session_description"),
        institution=_text(general, "institution"),
        lab=_text(general, "lab"),
        subject=_text(subject, "subject_id"),
        species=_text(subject, "species"),
        strain=_text(subject, "strain"),
        genotype=_text(subject, "genotype"),
        sex=_text(subject, "sex"),
        age=_text(subject, "age"),
        device=", ".join(_devices(general)),
        indicator=", ".join(_indicators(contents)),
        source_series=source_series,
    )


def session_start_note(file: h5py.File) -> tuple[Note, ...]:
    """A remark where the start of the session is not a date and time that can be read."""
    written = _text(file, "session_start_time")
    if written and _is_date(written):
        return ()
    text = f"The start of the session is not readable ({written[:60]!r}); it counts as unknown."
    return (Note(code="IN-T10", kind="warn", place="/session_start_time", text=text),)


def _is_date(written: str) -> bool:
    try:
        datetime.fromisoformat(written)
    except ValueError:
        return False
    return True


def _group(parent: h5py.Group | None, name: str) -> h5py.Group | None:
    found = dict(children(parent)).get(name) if parent is not None else None
    return found if isinstance(found, h5py.Group) else None


def _text(group: h5py.Group | None, name: str) -> str:
    return child_text(group, name).strip() if group is not None else ""


def _devices(general: h5py.Group | None) -> list[str]:
    devices = _group(general, "devices")
    return [] if devices is None else sorted(name for name, _ in children(devices))


def _indicators(contents: Survey) -> list[str]:
    planes = [item for item in contents.objects if item.type == "ImagingPlane"]
    return sorted({child_text(plane.group, "indicator").strip() for plane in planes} - {""})
