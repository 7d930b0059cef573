"""Simulated recordings with known truth, written as NWB files.

Simulations (``cortex``, ``retina``, and the connectome's own) make numbers; ``recordings`` makes
recordings of them, as a lab would have; ``write`` writes files.
"""

from pipeline.stages.demo.recordings import SEED, SESSION_START, worm_recording
from pipeline.stages.demo.write import write_demo

__all__ = ["SEED", "SESSION_START", "worm_recording", "write_demo"]
