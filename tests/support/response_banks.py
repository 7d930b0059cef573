"""Units whose responses to any stimulus are known in closed form."""

from __future__ import annotations

import numpy as np
import torch


def bank(filters, gain, bias, nonlinearity):
    """Linear filters, then a nonlinearity: stimuli (s, 1, 1, y, x) to responses (s, unit)."""
    weights = torch.as_tensor(np.asarray(filters, dtype=np.float32)).flatten(1)
    gain, bias = (torch.as_tensor(np.asarray(v, dtype=np.float32)) for v in (gain, bias))
    shapes = {
        "identity": lambda v: v,
        "softplus": torch.nn.functional.softplus,
        "relu": torch.relu,
    }

    def respond(stimuli):
        return shapes[str(nonlinearity)](gain * (stimuli.flatten(1) @ weights.T) + bias)

    return respond
