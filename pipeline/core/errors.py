"""Errors a user can act on, in six parts.

Every message names a stable code, the experiment, the file, the place in it, what was found and
what to do. Anything that is not a :class:`PipelineError` is a defect in our code and keeps its
traceback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

CODES: Mapping[str, str] = {
    "CF-K01": "The settings file is not readable YAML.",
    "CF-K02": "The settings name no usable recording sheet.",
    "CF-K03": "A setting or sheet column is not known.",
    "CF-K04": "A setting has the wrong type.",
    "CF-K05": "A setting is out of its range.",
    "CF-K07": "A key or a recording stands twice.",
    "CF-K08": "An id has characters that are not allowed.",
    "CF-K09": "Two ids differ only in upper and lower case.",
    "CF-K10": "The path of a recording has braces.",
    "CF-K11": "The settings file contains a tag that would run code.",
    "CF-K12": "The settings file expands to too much text.",
    "CF-K13": "A table that the settings name cannot be used.",
    "CF-K17": "A recording is left out.",
    "CF-K18": "A method is switched off.",
    "IN-F01": "A recording file is missing.",
    "IN-F02": "A recording file is empty.",
    "IN-F03": "A recording file is truncated.",
    "IN-F04": "Part of a recording file cannot be read.",
    "IN-F05": "A recording file is not an HDF5 file.",
    "IN-F06": "A recording is a folder, not an HDF5 file.",
    "IN-F07": "A recording is not a regular file.",
    "IN-F08": "A recording file may not be read.",
    "IN-F09": "A recording file is HDF5, but not NWB.",
    "IN-F10": "A recording file uses an NWB version before 2.0.",
    "IN-F11": "A recording file uses a newer NWB version than this reader was tried on.",
    "IN-F12": "An object belongs to an extension that the file does not define.",
    "IN-F13": "A recording file cannot be understood as NWB.",
    "IN-F14": "A link leads to another file.",
    "IN-F15": "A link leads to a missing file.",
    "IN-F16": "Values lie in a raw file beside the recording.",
    "IN-F17": "A dataset is virtual: its values lie in other files.",
    "IN-F19": "A link leads nowhere.",
    "IN-F20": "A dataset is too large, or declares far more than it stores.",
    "IN-F21": "A dataset is stored in chunks too large to be decoded.",
    "IN-F22": "Data are compressed in a way that cannot be undone here.",
    "IN-F23": "A recording file was not closed by its writer.",
    "IN-F24": "A recording file is being written.",
    "IN-F25": "A file system cannot lock files.",
    "IN-F28": "A recording file was changed while it was read.",
    "IN-F29": "Two recordings of an experiment are the same.",
    "IN-F32": "Reading a recording file came no further.",
    "IN-F33": "pynwb was asked for a second opinion on a recording file.",
    "IN-C01": "There is no calcium or unit activity to read.",
    "IN-C02": "Several series could be the activity.",
    "IN-C03": "Units with too many missing samples are not used.",
    "IN-C04": "Samples are missing.",
    "IN-C05": "A series holds no samples.",
    "IN-C06": "Constant traces are not used.",
    "IN-C07": "No trace varies.",
    "IN-C08": "Units have identical or near-identical activity.",
    "IN-C09": "Samples are stored ROI x time.",
    "IN-C10": "The orientation of a table of samples is ambiguous.",
    "IN-C11": "Timestamps do not increase.",
    "IN-C12": "There are gaps in the timestamps.",
    "IN-C13": "Timestamps are not numbers.",
    "IN-C14": "There are not as many timestamps as frames.",
    "IN-C15": "Times of samples are not believable.",
    "IN-C16": "A series has no usable time base.",
    "IN-C17": "Stored numbers were scaled.",
    "IN-C18": "A conversion or an offset is not usable.",
    "IN-C19": "Traces are cut off.",
    "IN-C20": "A series refers to rows its table of ROIs does not have.",
    "IN-C21": "There are not as many references to ROIs as traces.",
    "IN-C22": "ROIs refer to something that is no table of cells.",
    "IN-C23": "Names of neurons stand twice.",
    "IN-C26": "Text is not UTF-8.",
    "IN-C28": "Samples are not a numeric table.",
    "IN-C30": "A column tells which units are accepted.",
    "IN-C31": "A series names no table of ROIs.",
    "IN-C32": "A series called dF/F is not near 0.",
    "IN-C33": "A file has calcium traces and units.",
    "IN-C34": "Positions are in pixels.",
    "IN-C35": "Several series are read as planes of one population, or cannot be.",
    "IN-C36": "Columns of several entries a row are not used.",
    "IN-C40": "Traces bleach.",
    "IN-C41": "Traces drift.",
    "IN-C42": "Traces hold nothing but noise.",
    "IN-S01": "There are no units, or several tables of them.",
    "IN-S02": "There is only one unit.",
    "IN-S03": "A unit has no spikes.",
    "IN-S04": "No unit has a spike.",
    "IN-S05": "Spike times are negative.",
    "IN-S06": "Spike times were not in ascending order.",
    "IN-S07": "Spikes lie outside the observed intervals.",
    "IN-S08": "Spike times are not in seconds.",
    "IN-S09": "Spike times are not numbers.",
    "IN-S10": "Spikes of a unit stand twice.",
    "IN-S11": "The index of a ragged column is broken.",
    "IN-S12": "Unit ids stand twice.",
    "IN-S13": "Labels of regions are blank, or written in several ways.",
    "IN-S14": "An observed interval is not usable.",
    "IN-S15": "Spike times are stored too coarsely.",
    "IN-S16": "The file does not say when units were observed.",
    "IN-S17": "Regions were taken out of a description.",
    "IN-S18": "Units hold spikes of several neurons.",
    "IN-S19": "Units appear or vanish during the recording.",
    "IN-S20": "Spike times were not measured finely.",
    "IN-T01": "There are no trials.",
    "IN-T02": "A column or table of intervals is not there.",
    "IN-T03": "An interval stops before it starts.",
    "IN-T04": "Trials lie outside the recording: their clock or unit of time is another.",
    "IN-T05": "Some trials lie outside the recording.",
    "IN-T06": "Trials overlap.",
    "IN-T07": "Conditions were not shown equally often.",
    "IN-T08": "Labels of conditions are blank, or written in several ways.",
    "IN-T09": "Trials are not equally long.",
    "IN-T10": "The start of the session cannot be read.",
    "IN-T11": "A stimulus was not read.",
    "IN-T12": "A behavioural series was not read.",
    "IN-T13": "Intervals have no time.",
    "IN-T14": "The file excludes stretches of time from analysis.",
    "IN-T15": "A column was taken as the condition by its name.",
    "IN-T16": "A frame of a stimulus has pixels that are no numbers.",
    "ME-N01": "A method failed on its data.",
    "ME-N02": "A method does not apply to what was recorded.",
    "RN-D01": "Our own code broke.",
    "RN-R03": "Memory ran out.",
    "RN-R04": "The system refused a file.",
    "RN-R05": "Another run is at work on the results folder.",
    "RN-R10": "An intermediate file is damaged.",
    "RN-R11": "An intermediate file was written by another stage, version or experiment.",
    "RN-R12": "Something failed, and the run says so at its end.",
    "RN-R17": "A package is missing.",
    "RN-R18": "A graphics card was asked for, and there is none.",
    "RN-R20": "The folder cannot be unlocked or cleaned, since a job may still be at work.",
    "RN-R26": "A result could not be written.",
    "RN-R27": "An intermediate file is missing.",
    "RN-R28": "Nobody could say how jobs on this Slurm end.",
}
"""What every code of an error or a remark stands for; ``docs/errors.md`` has one heading a code."""


class PipelineError(Exception):
    """Something the user can fix; shown without a traceback.

    Parameters
    ----------
    code
        One of :data:`CODES`.
    found
        What is wrong, with the measured value; a full stop of another's message is left out.
    fix
        What to do; no full stop.
    experiment, file, place
        Where: experiment id (and recording), file name, and HDF5 path, sheet line and column, or
        dotted settings key with its line. ``-`` where there is none; a caller that knows more
        fills it in with :meth:`at`.
    """

    exit_code = 1

    def __init__(
        self,
        *,
        code: str,
        found: str,
        fix: str,
        experiment: str = "-",
        file: str = "-",
        place: str = "-",
    ) -> None:
        if code not in CODES:
            raise ValueError(f"{code!r} is not an error code of this package.")
        self.code = code
        self.found = found.removesuffix(".")
        self.fix = fix
        self.experiment = experiment
        self.file = file
        self.place = place
        super().__init__(code, experiment, file, place, self.found, fix)

    def at(self, *, experiment: str = "-", file: str = "-", place: str = "-") -> PipelineError:
        """The same error with the parts that were still unknown filled in."""
        return type(self)(
            code=self.code,
            found=self.found,
            fix=self.fix,
            experiment=experiment if self.experiment == "-" else self.experiment,
            file=file if self.file == "-" else self.file,
            place=place if self.place == "-" else self.place,
        )

    def __str__(self) -> str:
        return printable(
            f"ERROR {self.code} {self.experiment}: {self.file}: {self.place}: {self.found}. "
            f"Fix: {self.fix}; see docs/errors.md#{self.code.lower()}"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.parts()))

    def parts(self) -> dict[str, str]:
        """The six parts by name, for records and reports."""
        return {
            "code": self.code,
            "experiment": self.experiment,
            "file": self.file,
            "place": self.place,
            "found": self.found,
            "fix": self.fix,
        }


def printable(text: str) -> str:
    """The text with characters that are not printed written out.

    Names come from files of strangers: a line break would end the message, and an escape sequence
    would reach the terminal.
    """
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def _rebuild(kind: type[PipelineError], parts: dict[str, str]) -> PipelineError:
    return kind(**parts)


class ConfigError(PipelineError):
    """A setting or a sheet entry is missing, unknown or out of range."""

    exit_code = 2


class DataError(PipelineError):
    """A recording lacks, or contradicts, what an analysis needs."""

    exit_code = 3


class ResultError(PipelineError):
    """A result is not trustworthy and the settings ask to stop then."""

    exit_code = 4


class EnvironmentFault(PipelineError):
    """Disk, memory, permissions or a missing package; trying again may help."""

    exit_code = 5


class ConfigErrors(Exception):
    """All problems of settings and sheet at once.

    Parameters
    ----------
    problems
        The single problems, in the order of the files.
    """

    exit_code = ConfigError.exit_code

    def __init__(self, problems: Sequence[PipelineError]) -> None:
        self.problems = tuple(problems)
        super().__init__(*self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class NotApplicable(Exception):
    """A method cannot serve this recording; the message is the reason the reader sees."""
