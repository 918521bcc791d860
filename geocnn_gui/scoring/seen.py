"""What a model had seen of the cells it predicted: a sparse file beside the map.

It is a label archive (a zip of one .npy per chunk that holds anything, `numpy.load` reads it)
with one more member, "seen.json". Values: 0 new, 1 trained on, 2 held out for the score,
3 not trained on because too near to what was kept from it.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationError

from geocnn_gui.data.identity import fingerprint_of, identity_of
from geocnn_gui.errors import GeoCNNError, UnreadableFile
from geocnn_gui.files import write_bytes
from geocnn_gui.labels.archive import archive_bytes, read_archive_bytes
from geocnn_gui.labels.store import LabelSnapshot, LabelStore
from geocnn_gui.models.ground import HELD_OUT, NEAR, TRAINED, GroundCard, ground_of
from geocnn_gui.models.spec import Spec
from geocnn_gui.models.weights import read_card, read_grounds

if TYPE_CHECKING:
    from pathlib import Path

    from geocnn_gui.data.source import Source
    from geocnn_gui.models.weights import TrainingSummary
    from geocnn_gui.scoring.compare import Comparison

#: The file in the folder of a prediction.
SEEN_FILE = "seen.npz"
_ABOUT = "seen.json"
_LARGEST_CARD = 10_000_000
#: Above this share of cells seen in training, labels count as those of the training.
_NEARLY_ALL = 0.9


class CardScores(Spec):
    """What a model's card says of its scores; see `models.weights.TrainingSummary`."""

    holdout_iou: float | None = None
    holdout_interval: tuple[float, float] | None = None
    holdout_units: int = 0
    holdout_by: str = ""
    holdout_optimistic: bool = False
    leaky_iou: float | None = None
    test_iou: float | None = None
    test_interval: tuple[float, float] | None = None
    test_units: int = 0

    @classmethod
    def of(cls, said: TrainingSummary) -> CardScores:
        """Take them from a card."""
        return cls(**{name: getattr(said, name) for name in cls.model_fields})


class SeenCard(Spec):
    """What seen.json says: which model predicted which data, and what it had seen of them.

    Without `known` the model does not tell which cells it was trained on. `labels_digests` are
    those of all its training labels. `transposed` cells are in the order of a picture with
    samples down, not in that of the source. `map_digest` is the `fingerprint_of` the map.
    """

    version: Literal[1] = 1
    model: str
    model_sha256: str
    source: str
    identity: str
    known: bool
    labels_digests: tuple[str, ...] = ()
    trained_on: tuple[GroundCard, ...] = ()
    values: dict[str, str] = Field(
        default={"0": "new", "1": "trained on", "2": "held out", "3": "near those"}
    )
    trained_cells: int = 0
    held_out_cells: int = 0
    #: The score of the run that left the held-out cells out; whether the network saved has seen
    #: them since.
    holdout_iou: float | None = None
    refit: bool = False
    scores: CardScores = CardScores()
    transposed: bool = False
    map: str = ""
    map_digest: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """Which cells of a map its model had seen: `cells` hold the values of a `Ground`."""

    card: SeenCard
    cells: LabelSnapshot

    @classmethod
    def by_model(cls, model: Path, source: Source) -> Seen:
        """Return what a model file has seen of a source; raises `ModelMismatch`."""
        card, grounds = read_card(model), read_grounds(model)
        ground = ground_of(grounds, source)
        cells = LabelSnapshot(source.shape) if ground is None else ground.seen
        counts = cells.counts
        with model.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        about = SeenCard(
            model=model.name, model_sha256=digest, source=source.name,
            identity=identity_of(source), known=bool(grounds),
            labels_digests=tuple(g.labels_digest for g in card.grounds)
            or card.training.labels_digest,
            trained_on=card.grounds, trained_cells=counts.get(TRAINED, 0),
            held_out_cells=counts.get(HELD_OUT, 0), holdout_iou=card.training.holdout_iou,
            refit=card.training.refit, scores=CardScores.of(card.training),
        )  # fmt: skip
        return cls(about, cells)

    def for_map(self, path: Path, *, transposed: bool) -> Seen:
        """Return what lies beside a map: for its bytes, and in the order of its cells."""
        about = {"map": path.name, "map_digest": fingerprint_of(path), "transposed": transposed}
        cells = transpose(self.cells) if transposed else self.cells
        return Seen(self.card.model_copy(update=about), cells)

    def save(self, path: Path) -> None:
        """Write to a file, all or nothing; raises `CannotWrite`."""
        data = io.BytesIO(archive_bytes(self.cells))
        with zipfile.ZipFile(data, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_ABOUT, self.card.model_dump_json(indent=1))
        write_bytes(path, data.getvalue())

    @classmethod
    def load(cls, path: Path, shape: tuple[int, ...]) -> Seen:
        """Read a file that `save` wrote for a map of `shape`.

        Raises
        ------
        UnreadableFile, LabelsMismatch
            When it is damaged or missing, from a newer version, or for another shape.
        """
        try:
            data = path.read_bytes()
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if archive.getinfo(_ABOUT).file_size > _LARGEST_CARD:
                    raise ValueError("seen.json is too large")
                card = SeenCard.model_validate_json(archive.read(_ABOUT))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, ValidationError) as error:
            raise _damaged(path) from error
        cells = read_archive_bytes(data, path, shape)
        if set(cells.counts) - {TRAINED, HELD_OUT, NEAR}:
            raise _damaged(path)
        return cls(card, cells)


def seen_path(path: Path) -> Path:
    """Return where the file beside a map lies: "map.tif.seen.npz"."""
    return path.with_name(f"{path.name}.seen.npz")


def seen_beside(path: Path, shape: tuple[int, ...]) -> tuple[Seen | None, str]:
    """Return what the model of a map had seen, and a sentence where that is not known."""
    beside = seen_path(path)
    if not beside.exists():
        return None, f"There is no {beside.name}: which cells were trained on is not known."
    try:
        seen = Seen.load(beside, shape)
    except GeoCNNError as error:
        return None, f"Which cells were trained on is not known: {error}"
    if seen.card.map_digest != fingerprint_of(path):
        sentence = f"{beside.name} belongs to another state of {path.name}"
        return None, f"{sentence}: which cells were trained on is not known."
    return seen, unknown(seen)


def unknown(seen: Seen) -> str:
    """Say that a model tells nothing of its training; "" where it does."""
    if seen.card.known:
        return ""
    return f"{seen.card.model} does not say which cells it was trained on."


def transpose(cells: LabelSnapshot) -> LabelSnapshot:
    """Return the cells of a 2-D grid with its two axes swapped."""
    from geocnn_gui.data.source import Window

    store = LabelStore(cells.shape[::-1])
    for window in cells.labelled_windows():
        store.write(Window(window.offset[::-1], window.size[::-1]), cells.read(window).T)
    return store.snapshot()


def cautions(
    seen: Seen | None, comparison: Comparison, labels: tuple[LabelSnapshot, ...]
) -> tuple[str, ...]:
    """Return why the figures may be too good; `labels` are the truth in every form it had."""
    if seen is None or not comparison.cells():
        return ()
    card, said = seen.card, []
    share = (comparison.cells("trained") + comparison.cells("held_out")) / comparison.cells()
    if _are_known(card, labels):
        said.append("The model was trained on these very labels: expect less where it has none.")
    elif card.known and share >= _NEARLY_ALL:
        said.append(
            f"The model has seen {share:.0%} of these labels in training: "
            "expect less where it has none."
        )
    if card.refit and comparison.cells("held_out"):
        honest = (
            "" if card.holdout_iou is None
            else f"; its honest figure is the held-out score {card.holdout_iou:.2f} from training"
        )  # fmt: skip
        said.append(f"The final network was fitted to the held-out cells too{honest}.")
    return tuple(said)


def _are_known(card: SeenCard, labels: tuple[LabelSnapshot, ...]) -> bool:
    known = set(card.labels_digests)
    turned = (transpose(each) for each in labels) if card.transposed else labels
    return any(each.digest in known for each in turned)


def _damaged(path: Path) -> UnreadableFile:
    return UnreadableFile(f"{path} is damaged", "predict again to have it written anew")
