"""The verbs both shells call: generators of events, torch imported only when they run."""

from geocnn_gui.inference.map_files import working_folder
from geocnn_gui.training.sections import Pair
from geocnn_gui.workflow.destination import DeviceWish, check_destination
from geocnn_gui.workflow.exporting import export, material_in
from geocnn_gui.workflow.guiding import next_places, suspect_labels
from geocnn_gui.workflow.judging import evaluate, inspect
from geocnn_gui.workflow.live import (
    HeldOut,
    MapWish,
    bundled_backbone,
    learn,
    live_to_file,
    score_live,
)
from geocnn_gui.workflow.predicting import (
    Manner,
    check_tiling,
    predict,
    predict_to_file,
    write_partial,
)
from geocnn_gui.workflow.training import find_rate, plan_split, resume, train

__all__ = [
    "DeviceWish", "HeldOut", "Manner", "MapWish", "Pair", "bundled_backbone", "check_destination",
    "check_tiling", "evaluate", "export", "find_rate", "inspect", "learn", "live_to_file",
    "material_in", "next_places", "plan_split", "predict", "predict_to_file", "resume", "score_live", "suspect_labels", "train",
    "working_folder", "write_partial",
]  # fmt: skip
