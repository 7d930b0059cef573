"""Simulated sessions as the recordings that a lab would have made of them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.core.provenance import Provenance
from pipeline.core.recording import (
    About,
    BehaviourSeries,
    Recording,
    SampledActivity,
    StimulusMovie,
)
from pipeline.core.views import TraceEnsemble
from pipeline.methods.celltypes.simulate import CHANNELS, PIXEL_UM
from pipeline.methods.trsa.simulate import REGIONS
from pipeline.stages.demo.cortex import Cortex
from pipeline.stages.demo.retina import Retina
from pipeline.stages.run_context import StageRun

SEED = 2402
"""The simulations' own seed, so that the demo is the same whatever the run's seed."""
SESSION_START = datetime(2024, 1, 1, 12, tzinfo=UTC)
ELECTRODES_A_REGION = 16
ELECTRODE_PITCH_UM = 20.0


def worm_recording(view: TraceEnsemble) -> Recording:
    """A simulated view of a worm's head."""
    return Recording(
        id=view.recording,
        activity=SampledActivity(
            values=view.values,
            valid=view.valid,
            time=view.time,
            value_unit=view.value_unit,
            signal="dff",
        ),
        units=_unit_table(view.unit, region="head", identity=view.identity),
        trials=pd.DataFrame(
            {"start_s": pd.Series(dtype=float), "stop_s": pd.Series(dtype=float), "condition": []}
        ).astype({"condition": "str"}),
        epochs=view.epochs,
        intervals={},
        stimuli={},
        behaviour={},
        about=_about(
            "worms",
            view.recording,
            species="Caenorhabditis elegans",
            sex="XX",
            age="P3D",
            device="simulation",
            indicator="GCaMP6s (simulated)",
        ),
        provenance=_provenance("worms", view.recording),
    )


def cortex_recording(session: Cortex) -> Recording:
    """A simulated session of three areas, as the sorted units of one probe."""
    truth = session.geometries
    units = _unit_table(truth.unit, region=truth.region[truth.region_of_unit])
    place = np.arange(truth.unit.size) % ELECTRODES_A_REGION
    units["electrode"] = truth.region_of_unit * ELECTRODES_A_REGION + place
    return Recording(
        id="mouse-1",
        activity=session.spikes,
        units=units,
        trials=session.trials,
        epochs=session.epochs,
        intervals={},
        stimuli={},
        behaviour={
            "running_speed": BehaviourSeries(
                values=session.speed[:, None], time=session.speed_time, value_unit="cm/s"
            )
        },
        about=_about(
            "cortex", "mouse-1", species="Mus musculus", sex="F", age="P120D", device="probe"
        ),
        provenance=_provenance("cortex", "mouse-1"),
    )


def probe_electrodes() -> pd.DataFrame:
    """The electrodes of the simulated cortex, one row each, from the surface downwards."""
    location = np.repeat(REGIONS, ELECTRODES_A_REGION)
    return pd.DataFrame(
        {
            "location": pd.Series(location.tolist(), dtype="str"),
            "group": pd.Series(["shank"] * location.size, dtype="str"),
            "rel_x": np.zeros(location.size),
            "rel_y": ELECTRODE_PITCH_UM * np.arange(location.size),
        }
    )


def retina_recording(session: Retina) -> Recording:
    """A simulated retina on an array of electrodes below the screen."""
    truth = session.truth
    units = _unit_table(truth.unit, region="retina")
    for axis, name in enumerate(("x_um", "y_um")):
        units[name] = PIXEL_UM * truth.centre[:, axis]
    movies = {
        f"movie_{channel}": StimulusMovie(
            values=session.levels[:, index].astype(np.float32),
            time=session.frame_time,
            value_unit="grey level (0 to 255)",
        )
        for index, channel in enumerate(CHANNELS)
    }
    return Recording(
        id="retina-1",
        activity=session.spikes,
        units=units,
        trials=session.trials,
        epochs=session.epochs,
        intervals={"movie_blocks": session.blocks},
        stimuli=movies,
        behaviour={},
        about=_about(
            "retina", "retina-1", species="Mus musculus", sex="M", age="P60D", device="array"
        ),
        provenance=_provenance("retina", "retina-1"),
    )


def _unit_table(
    names: NDArray[np.str_],
    *,
    region: str | NDArray[np.str_],
    identity: NDArray[np.str_] | None = None,
) -> pd.DataFrame:
    """The columns every recording has; all units are good, as far as a lab could say."""
    called = np.full(names.size, "") if identity is None else identity
    return pd.DataFrame(
        {
            "unit_id": pd.Series(names.tolist(), dtype="str"),
            "region": pd.Series(np.broadcast_to(region, names.shape).tolist(), dtype="str"),
            "identity": pd.Series(called.tolist(), dtype="str"),
            "identity_certain": called != "",
            "good": np.ones(names.size, dtype=bool),
            "reason": pd.Series([""] * names.size, dtype="str"),
        }
    )


def _about(experiment: str, recording: str, **told: str) -> About:
    return About(
        nwb_identifier=f"simulated-{experiment}-{recording}",
        session_id=recording,
        subject=f"simulated-{recording}",
        strain="none (simulated)",
        lab="none (simulated)",
        institution="none (simulated)",
        **told,
    )


def _provenance(experiment: str, recording: str) -> Provenance:
    run = StageRun(stage="demo", experiment=experiment, recording=recording)
    return run.provenance(settings={"simulation": experiment}, inputs={}, seed=SEED)
