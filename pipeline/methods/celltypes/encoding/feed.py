"""Clips of the sessions as tensors, and predictions as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.methods.celltypes.encoding.clips import Clip, Session, StimulusScale, cut
from pipeline.methods.celltypes.encoding.networks import Network

PREDICTED_FRAMES = 256
"""Length of clips when nothing is learned."""
PREDICTED_CLIPS = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Clips of one session."""

    movie: Tensor
    """Shape (batch, frame, channel, y, x)."""
    answers: Tensor
    """Shape (batch, answered frame, unit); 0 where not valid."""
    valid: Tensor
    """1 and 0, same shape."""
    units: slice
    """Which of the model's units these are."""


class Feed:
    """The sessions as a network sees them.

    Parameters
    ----------
    found
        The recordings.
    scale
        Units of the stimulus.
    lost
        Frames at the start of a clip without an answer, plus one.
    device
        Where tensors are to be.
    """

    def __init__(
        self, found: Sequence[Session], scale: StimulusScale, *, lost: int, device: str
    ) -> None:
        self.sessions = tuple(found)
        self.scale = scale
        self.lost = lost
        self.device = torch.device(device)
        ends = np.cumsum([session.view.unit.size for session in found]).tolist()
        self.units = tuple(
            slice(stop - session.view.unit.size, stop)
            for stop, session in zip(ends, found, strict=True)
        )
        self._held = [
            scale.scaled(session.stimulus) if isinstance(session.stimulus, np.ndarray) else None
            for session in found
        ]
        self._level = [_level(session) for session in found]

    @property
    def n_units(self) -> int:
        """Units of all sessions."""
        return sum(session.view.unit.size for session in self.sessions)

    @property
    def counts(self) -> bool:
        """Whether answers are counts, or events that are never negative."""
        return all(each.view.signal in ("spikes", "events") for each in self.sessions)

    def clips(self, role: str, *, length: int) -> tuple[Clip, ...]:
        """Clips of a role, ``length`` answered frames each at most, session by session."""
        return tuple(
            clip
            for index, session in enumerate(self.sessions)
            for clip in cut(getattr(session, role), session=index, memory=self.lost, length=length)
        )

    def frames(self, session: int, first: int, stop: int) -> NDArray[np.float32]:
        """Frames in the units of models, shape (frame, channel, y, x)."""
        held = self._held[session]
        if held is not None:
            return held[first:stop]
        return self.scale.scaled(self.sessions[session].stimulus[first:stop])

    def answers(self, session: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """What units answered, in the units in which models learn, and where it is known.

        Counts stay counts; traces are in standard deviations from their mean, both of the frames
        to learn from.
        """
        view = self.sessions[session].view
        if view.signal in ("spikes", "events"):
            return view.responses, view.valid
        mean, sd = self._level[session]
        return np.where(view.valid, (view.responses - mean) / sd, 0).astype(np.float32), view.valid

    def batch(self, clips: Sequence[Clip]) -> Batch:
        """Clips of one session, shorter ones filled up with what counts for nothing."""
        session = clips[0].session
        longest = max(clip.stop - clip.first for clip in clips)
        shape = self.sessions[session].stimulus.shape[1:]
        movie = np.zeros((len(clips), longest, *shape), dtype=np.float32)
        answers, known = self.answers(session)
        wanted = np.zeros((len(clips), longest - self.lost + 1, answers.shape[1]), np.float32)
        counts = np.zeros(wanted.shape, dtype=np.float32)
        for place, clip in enumerate(clips):
            n_frames = clip.stop - clip.first
            movie[place, :n_frames] = self.frames(session, clip.first, clip.stop)
            rows = slice(clip.first + self.lost - 1, clip.stop)
            wanted[place, : n_frames - self.lost + 1] = np.where(known[rows], answers[rows], 0)
            counts[place, : n_frames - self.lost + 1] = known[rows]
        return Batch(
            movie=torch.from_numpy(movie).to(self.device),
            answers=torch.from_numpy(wanted).to(self.device),
            valid=torch.from_numpy(counts).to(self.device),
            units=self.units[session],
        )

    def predictions(
        self, network: Network, role: str, *, smear: Tensor | None = None, predicted: bool = True
    ) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.float32]]]:
        """What a network says of a role, clip by clip: session, frames, and (frame, unit).

        Parameters
        ----------
        network
            It is left in the state in which it predicts.
        smear
            Of predictions in time, see :func:`smeared`.
        predicted
            Whether numbers are those to be compared with answers, or rates.
        """
        network.eval()
        clips = self.clips(role, length=PREDICTED_FRAMES)
        for start in range(0, len(clips), PREDICTED_CLIPS):
            by_session: dict[int, list[Clip]] = {}
            for clip in clips[start : start + PREDICTED_CLIPS]:
                by_session.setdefault(clip.session, []).append(clip)
            for session, together in by_session.items():
                batch = self.batch(together)
                with torch.no_grad():
                    rates = smeared(network(batch.movie, batch.units), smear)
                    # Without an indicator there are answers to more frames than are asked for.
                    rates = rates[:, rates.shape[1] - (batch.movie.shape[1] - self.lost + 1) :]
                    found = network.prediction(rates, batch.units) if predicted else rates
                rows = found.cpu().numpy()
                for place, clip in enumerate(together):
                    frames = np.arange(clip.first + self.lost - 1, clip.stop)
                    yield session, frames, rows[place, : frames.size]


def smeared(rates: Tensor, kernel: Tensor | None) -> Tensor:
    """Rates run through an indicator: weighted sums of the present and past ones.

    Parameters
    ----------
    rates
        Shape (batch, frame, unit).
    kernel
        Weights of lags 0, 1, ...; shape (lag,). As many frames less one are lost.
    """
    if kernel is None:
        return rates
    return (
        torch.nn.functional.conv1d(
            rates.transpose(1, 2).flatten(0, 1)[:, None], kernel.flip(0)[None, None]
        )
        .view(rates.shape[0], rates.shape[2], -1)
        .transpose(1, 2)
    )


def _level(session: Session) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and spread of each unit's answers in the frames to learn from."""
    frames = np.zeros(session.view.time.size, dtype=bool)
    for first, stop in session.train.tolist():
        frames[first:stop] = True
    known = session.view.valid[frames]
    values = np.where(known, session.view.responses[frames], 0).astype(np.float64)
    count = np.maximum(known.sum(axis=0), 1)
    mean = values.sum(axis=0) / count
    sd = np.sqrt(np.where(known, (values - mean) ** 2, 0).sum(axis=0) / count)
    return mean.astype(np.float32), np.where(sd > 0, sd, 1).astype(np.float32)
