"""How a prediction is made: what a user may set, all of it with a default that suits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from geocnn_gui.models.spec import Spec


class PredictionSpec(Spec):
    """The manner of a prediction; what it says changes the cells only in the last digits."""

    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        title="Precision",
        description="Auto takes bfloat16 where it is quicker and names the same classes.",
    )
    engine: Literal["pytorch", "openvino", "onnxruntime"] = Field(
        default="pytorch",
        title="Engine",
        description="What runs the network on the processor; OpenVINO and ONNX Runtime have to "
        "be installed, and are used where they name the same classes.",
    )
    tiling: Literal["auto", "exact", "blended"] = Field(
        default="auto",
        title="Tiling",
        description="Exact equals one pass over the whole; auto blends where that costs double.",
    )
    flips: bool = Field(
        default=False,
        title="Mirror",
        description="See each tile mirrored too and take the mean: steadier, twice the time.",
    )
    thresholds: bool = Field(
        default=False,
        title="Thin classes by their best threshold",
        description="Named from the probability that was best on held-out ground, not only where "
        "likeliest.",
    )
    memory: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=0,
        title="Memory",
        description="Megabytes that it may take; 0 is half of what is free.",
    )
