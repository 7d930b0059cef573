"""Stimuli by gradient ascent through an encoding model, all of them in one batch.

The only room of the clustering that knows torch. A goal says how good responses are and which way
responses should go (arrays, see :mod:`objective`); the engine carries that slope back through the
model to pixels. One pass forward and one back serve a step of all stimuli.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.methods.celltypes.ascent import Ascent, Climbed, Goal, Stimuli
from pipeline.methods.celltypes.constraints import Constraints
from pipeline.methods.celltypes.objective import Floats

Tensor = Any  # torch.Tensor
Respond = Callable[[Tensor], Tensor]
"""Stimuli (stimulus, channel, frame, y, x) to responses (stimulus, unit), differentiable."""

MOST_HALVINGS = 5
NOISE_SHARE = 1e-3
"""Of the norm: what is added once to a stimulus without slope."""
STOP_OVER = 10
"""Steps over which the smoothed objective must rise."""


@dataclass(slots=True, eq=False)
class Engine:
    """Climbs through one model under one set of constraints."""

    respond: Respond
    constraints: Constraints
    device: str = "cpu"
    batch: int = 256
    """Most stimuli in one pass; halved where memory runs out."""
    halvings: int = field(default=0, init=False)
    """How often it was halved."""

    def responses(self, stimuli: Stimuli) -> Floats:
        """Responses to given stimuli, shape (stimulus, unit)."""
        with torch.no_grad():
            return _array(self._in_pieces(lambda piece: self.respond(piece), self._tensor(stimuli)))

    def project(self, stimuli: Stimuli) -> Stimuli:
        """Stimuli within the constraints."""
        return np.asarray(self.constraints.project(self._tensor(stimuli)).cpu(), dtype=np.float32)

    def climb(
        self, stimuli: Stimuli, goal: Goal, ascent: Ascent, rng: np.random.Generator
    ) -> Climbed:
        """Stimuli that are better by the goal.

        Each step is followed by the projection on the constraints. Where a value or slope is not
        finite the last finite stimulus comes back and its rate is halved, five times at most; a
        stimulus without slope gets a little noise once.

        Parameters
        ----------
        stimuli
            Where to start, shape (stimulus, channel, frame, y, x).
        goal
            What to climb.
        ascent
            How.
        rng
            For that noise.
        """
        state = _State.start(self._tensor(stimuli), ascent)
        project = self.constraints.projection(state.x)
        for step in range(ascent.steps):
            rows = np.flatnonzero(state.going)
            if not rows.size:
                break
            # Most steps are of all stimuli: then nothing is picked out and put back.
            every = rows.size == len(state.x)
            x = state.x if every else state.x[rows]
            value, slope = self._slope(x, goal, rows, ascent, step)
            state.take(step, rows, value)
            size = slope.flatten(1).norm(dim=1)
            usable = self._guarded(state, rows, value, _array(size), rng)
            state.finish(step, rows, ascent)
            moving = usable & state.going[rows]
            if not moving.any():
                continue
            if every and moving.all():
                state.safe = x
                state.x = project(x + self._step(slope, size, state.share, ascent, step))
                continue
            chosen = rows[moving]
            state.safe, state.x = state.safe.clone(), state.x.clone()
            state.safe[chosen] = x[moving]
            state.x[chosen] = project(
                x[moving]
                + self._step(slope[moving], size[moving], state.share[chosen], ascent, step)
            )
        return self._climbed(state)

    def _step(
        self, slope: Tensor, size: Tensor, share: Floats, ascent: Ascent, step: int
    ) -> Tensor:
        """What is added to stimuli whose slopes have this size."""
        through = step / max(ascent.steps - 1, 1)
        last = ascent.rate if ascent.last_rate is None else ascent.last_rate
        rate = ascent.rate + (last - ascent.rate) * through
        if ascent.gradient_blur > 0:
            slope = _blurred(slope, ascent.gradient_blur * (1 - through / 2))
            size = slope.flatten(1).norm(dim=1)
        whole = bool((share == 1).all())
        if ascent.kind == "sgd":
            if whole:
                return rate * slope
            scale = torch.full((len(slope),), rate, dtype=slope.dtype, device=slope.device)
        else:
            scale = rate * (self.constraints.norm or 1.0) / size
        if not whole:
            scale = scale * slope.new_tensor(share)
        return scale.view(-1, 1, 1, 1, 1) * slope

    def _slope(
        self, x: Tensor, goal: Goal, rows: NDArray[np.intp], ascent: Ascent, step: int
    ) -> tuple[Floats, Tensor]:
        """Value of some stimuli, and the slope of each along its own pixels."""
        values = np.full(len(rows), np.nan)

        def one(piece: Tensor, places: slice) -> Tensor:
            piece = piece.detach().requires_grad_()
            responses = self.respond(piece)
            seen = _array(responses)
            finite = np.asarray(np.isfinite(seen).all(axis=1))
            if finite.all():
                value, along = goal(seen, rows[places])
            else:
                value, along = goal(np.where(finite[:, None], seen, 0), rows[places])
                value = np.where(finite, value, np.nan)
            values[places] = value
            outputs, weights = [responses], [responses.new_tensor(along)]
            for weight, term in ((ascent.smoothness, roughness), (ascent.variation, variation)):
                if weight > 0:
                    outputs.append(term(piece))
                    weights.append(torch.full_like(outputs[-1], -weight))
            return torch.autograd.grad(outputs, piece, weights)[0]

        return values, self._in_places(one, x)

    def _guarded(
        self,
        state: _State,
        rows: NDArray[np.intp],
        value: Floats,
        size: Floats,
        rng: np.random.Generator,
    ) -> NDArray[np.bool_]:
        """Which stimuli can take a step; the others are set back, nudged or frozen.

        ``size`` is that of their slopes.
        """
        broken = np.logical_not(np.isfinite(size) & np.isfinite(value))
        flat = ~broken & (size == 0)
        if not (broken.any() or flat.any()):
            return np.ones(len(rows), dtype=bool)
        # Stimuli of the steps before are kept beside those that are set back or nudged.
        state.x = state.x.clone()
        for row in rows[broken]:
            state.x[row] = state.safe[row]
            state.share[row] /= 2
            state.failures[row] += 1
            if state.failures[row] > MOST_HALVINGS:
                state.freeze(row, "optimisation_diverged")
        for row in rows[flat]:
            if state.nudged[row]:
                state.freeze(row, "flat_objective")
                continue
            state.nudged[row] = True
            noise = state.x.new_tensor(rng.standard_normal(tuple(state.x.shape[1:])))
            share = NOISE_SHARE * (self.constraints.norm or 1.0)
            state.x[row] = self.constraints.project(
                (state.x[row] + share * noise / noise.norm())[None]
            )[0]
        return np.asarray(~broken & ~flat, dtype=np.bool_)

    def _climbed(self, state: _State) -> Climbed:
        with torch.no_grad():
            responses = _array(self._in_pieces(lambda piece: self.respond(piece), state.x))
        return Climbed(
            stimuli=np.asarray(state.x.cpu(), dtype=np.float32),
            responses=responses,
            trace=state.trace,
            flags=tuple(state.flags),
        )

    def _tensor(self, stimuli: Stimuli) -> Tensor:
        return torch.as_tensor(np.asarray(stimuli, dtype=np.float32)).clone().to(self.device)

    def _in_pieces(self, work: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        return self._in_places(lambda piece, _: work(piece), x)

    def _in_places(self, work: Callable[[Tensor, slice], Tensor], x: Tensor) -> Tensor:
        """Work on as many stimuli at once as memory holds."""
        while True:
            places = [slice(at, at + self.batch) for at in range(0, len(x), self.batch)]
            try:
                if len(places) == 1:
                    return work(x, places[0])
                return torch.cat([work(x[place], place) for place in places])
            except torch.cuda.OutOfMemoryError:
                if self.batch == 1:
                    raise MemoryError("One stimulus does not fit into the device.") from None
                self.batch //= 2
                self.halvings += 1


@dataclass(slots=True, eq=False)
class _State:
    """Where an ascent stands."""

    x: Tensor
    safe: Tensor
    trace: Floats
    smooth: Floats
    """Smoothed values, shape (stimulus, step)."""
    going: NDArray[np.bool_]
    share: Floats
    failures: NDArray[np.int64]
    nudged: NDArray[np.bool_]
    flags: list[str]

    @classmethod
    def start(cls, x: Tensor, ascent: Ascent) -> _State:
        n = len(x)
        return cls(
            x=x,
            safe=x.clone(),
            trace=np.full((n, ascent.steps), np.nan),
            smooth=np.full((n, ascent.steps), np.nan),
            going=np.ones(n, dtype=bool),
            share=np.ones(n),
            failures=np.zeros(n, dtype=np.int64),
            nudged=np.zeros(n, dtype=bool),
            flags=[""] * n,
        )

    def take(self, step: int, rows: NDArray[np.intp], value: Floats) -> None:
        """Note the values of a step."""
        self.trace[rows, step] = value

    def finish(self, step: int, rows: NDArray[np.intp], ascent: Ascent) -> None:
        """Let stimuli go that no longer rise."""
        value = self.trace[rows, step]
        before = self.smooth[rows, step - 1] if step else value
        past = np.where(np.isfinite(before), before, value)
        self.smooth[rows, step] = ascent.smoothing * past + (1 - ascent.smoothing) * value
        if ascent.kind == "normalised" and step >= STOP_OVER:
            rise = self.smooth[rows, step] - self.smooth[rows, step - STOP_OVER]
            self.going[rows[rise < ascent.tolerance]] = False

    def freeze(self, row: int, flag: str) -> None:
        """Take a stimulus out for good."""
        self.going[row] = False
        self.flags[row] = flag


LAPLACIAN = ((0.25, 0.5, 0.25), (0.5, -3.0, 0.5), (0.25, 0.5, 0.25))


def roughness(stimuli: Tensor) -> Tensor:
    """Mean squared response to the 3 x 3 Laplacian with mirrored borders, shape (stimulus,)."""
    n, channels, frames, height, width = stimuli.shape
    kernel = stimuli.new_tensor(LAPLACIAN).view(1, 1, 3, 3)
    images = torch.nn.functional.pad(
        stimuli.reshape(n * channels * frames, 1, height, width), (1, 1, 1, 1), mode="reflect"
    )
    return torch.nn.functional.conv2d(images, kernel).reshape(n, -1).square().mean(dim=1)


def variation(stimuli: Tensor) -> Tensor:
    """Mean absolute difference of neighbours along x, y and time, summed, shape (stimulus,)."""
    return sum(
        stimuli.diff(dim=axis).abs().flatten(1).mean(dim=1)
        for axis in (2, 3, 4)
        if stimuli.shape[axis] > 1
    )


def _blurred(slope: Tensor, sigma: float) -> Tensor:
    """Slopes smoothed by a Gaussian in space."""
    reach = max(1, int(np.ceil(3 * sigma)))
    tap = torch.arange(-reach, reach + 1, dtype=slope.dtype, device=slope.device)
    kernel = torch.exp(-0.5 * (tap / sigma) ** 2)
    kernel = kernel / kernel.sum()
    images = slope.reshape(-1, 1, *slope.shape[3:])
    images = torch.nn.functional.conv2d(images, kernel.view(1, 1, -1, 1), padding=(reach, 0))
    images = torch.nn.functional.conv2d(images, kernel.view(1, 1, 1, -1), padding=(0, reach))
    return images.reshape(slope.shape)


def _array(tensor: Tensor) -> Floats:
    return np.asarray(tensor.detach().cpu(), dtype=np.float64)
