"""Training clips from shards on disk, in the balanced mixture of App. C.1. What cannot be read is left out, with its reason kept.

Letters: N frames, K drags.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import Tensor
from tqdm import tqdm
from tqdm.contrib.concurrent import thread_map

from puppetmaster_core.assets.gltf.errors import TEXTURE
from puppetmaster_core.clips.drag_sampling import PAPER, DragRules, draw_paths
from puppetmaster_core.clips.features import Features, cache_features
from puppetmaster_core.clips.mixture import Mixture
from puppetmaster_core.clips.records import ClipError
from puppetmaster_core.clips.shards import ClipStore, damage
from puppetmaster_core.clips.sources import WATCH_SEEDS
from puppetmaster_core.files import write_json
from puppetmaster_core.training.checkpoint import saving
from puppetmaster_core.training.config import TrainingError
from puppetmaster_core.training.distributed import this_process

LOST = "its asset lost a texture, so its colours are wrong: mend the file and render again, or train with --untextured"
LABELS = ("displacement", "field_parts", "drags")  # of which drags are drawn


class ShardClips:
    """The clips of some folders that `puppetmaster render` made, drawn in the balanced mixture of App. C.1.

    Groups without clips give their share to the others. Clips of assets that lost a texture are left out of the mixture, as their
    colours are wrong, unless `untextured` asks for them. So is a clip that cannot be read, for as long as the run folder is used.
    left_out-DIGEST.json there says why; such a clip keeps its number, and another's frames stand for its own. All clips are tried
    at the first start: what is damaged later is an error where it is drawn. Raises ClipError or TrainingError for folders
    without whole clips of the given frames and size, and for procedural assets that are kept for judging.
    """

    def __init__(self, folders: Sequence[Path], size: int, frames: int, cache: Path, untextured: bool = False):
        """cache: a folder that says which clips cannot be read, as all are tried once only, and why some are left out."""
        self.stores = [ClipStore(folder) for folder in folders]
        for store in self.stores:
            _check_store(store, size, frames)
        self._place = [(store, number) for store in self.stores for number in range(len(store))]
        self.left_out = self._unreadable(cache / f"unreadable-{self._stored}.json")
        lost = [i for i, notes in enumerate(self._column("notes")) if TEXTURE in (notes or ()) and not untextured]
        self.left_out |= {number: LOST for number in lost if number not in self.left_out}
        if self.left_out:
            self._leave_out(cache / f"left_out-{self._stored}.json")

    def __len__(self) -> int:
        return len(self._place)

    @property
    def digest(self) -> str:
        """Of the clips that are stored, and of which are left out: a mended clip makes other latents, and another run."""
        return _digest([self._stored, *map(str, self.left_out)]) if self.left_out else self._stored

    @cached_property
    def _stored(self) -> str:
        columns = map(self._column, ("shard", "key", "length"))
        return _digest(f"{shard}/{key}/{length}" for shard, key, length in zip(*columns, strict=True))

    def _column(self, name: str) -> list:
        """One column of the index, a value a clip."""
        return [value for store in self.stores for value in store.column(name)]

    @cached_property
    def groups(self) -> dict[str, int]:
        """How many clips there are of each group of the mixture."""
        names, counts = np.unique(self._groups(), return_counts=True)
        return {str(name): int(count) for name, count in zip(names, counts, strict=True)}

    def frames(self, number: int, some: slice = slice(None)) -> np.ndarray:
        store, own = self._place[number]
        return store.frames(own, some)

    def labels(self, number: int, names: Sequence[str]) -> dict[str, np.ndarray]:
        store, own = self._place[number]
        return store.labels(own, names)

    def drags(self, number: int, rng: np.random.Generator, rules: DragRules = PAPER) -> np.ndarray:
        """Drags (K, N, 2) of a clip, drawn anew as `sample_drags` does."""
        labels = self.labels(number, LABELS)
        return draw_paths(*(labels[name] for name in LABELS), rng, rules)

    def features(self, vae, image_encoder=None, until: float = math.inf) -> Callable[[int], tuple[Tensor, Tensor]] | None:
        """What a model sees of a clip by its number, as `Features` has it, encoded on first use; None: out of time."""
        cached = {}
        for store in self.stores:
            with saving(store.folder / "features", "features cached so far are kept"):
                made = cache_features(store.folder, vae, image_encoder, until=until)
            if made is None:
                return None
            cached[store.folder] = Features(store.folder, made)

        def of(number: int) -> tuple[Tensor, Tensor]:
            store, own = self._place[number]
            return cached[store.folder][own]

        return of

    def mixture(self, seed: int) -> Mixture:
        try:
            return Mixture.of(self._groups(), seed)
        except ValueError as error:
            raise TrainingError(f"{self.stores[0].folder}: got no clip with a drag, expected some: {error}") from None

    def _groups(self) -> np.ndarray:
        groups = np.array(self._column("group"), dtype=object)
        groups[np.array(self._column("drags")) == 0] = "no drag"
        for number, reason in self.left_out.items():
            groups[number] = TEXTURE if reason == LOST else "cannot be read"
        return groups.astype(str)

    def _unreadable(self, path: Path) -> dict[int, str]:
        """Which clips cannot be read, and why: all are tried once, and `path` keeps what was found."""
        try:
            return {int(number): str(reason) for number, reason in json.loads(path.read_text(encoding="utf-8")).items()}
        except (OSError, ValueError, AttributeError):
            pass
        reasons = thread_map(self._damage, range(len(self)), desc="reading clips", mininterval=5, tqdm_class=tqdm)
        found = {number: reason for number, reason in enumerate(reasons) if reason}
        if len(found) < len(self):
            with saving(path):
                write_json(path, found)
        return found

    def _leave_out(self, path: Path) -> None:
        """Write which clips are left out, say so, and let the first that is not stand for them. Raises TrainingError for all."""
        first = next(iter(self.left_out.values()))
        if len(self.left_out) == len(self):
            raise TrainingError(f"got no clip that can be used, expected some; the first: {first}")
        with saving(path):
            write_json(path, [{"clip": number, "cause": reason} for number, reason in self.left_out.items()])
        if this_process().is_main_process:
            said = f"left out: {len(self.left_out)} of {len(self)} clips, listed in {path}; the first: {first}"
            tqdm.write(said, file=sys.stderr)
        whole = next(place for number, place in enumerate(self._place) if number not in self.left_out)
        for number in self.left_out:
            self._place[number] = whole

    def _damage(self, number: int) -> str:
        """Why a clip's frames or labels cannot be read; "": they can."""
        try:
            self.frames(number)
            self.labels(number, LABELS)
        except ClipError as error:
            return str(error)
        return ""


def _digest(words: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:8]


def _check_store(store: ClipStore, size: int, frames: int) -> None:
    """Raise TrainingError unless the clips fit, their shards are whole, and none is kept for judging."""
    if not len(store):
        raise TrainingError(f"{store.folder}: got no clips, expected some: make them with puppetmaster render")
    for name, expected in (("size", size), ("frames", frames)):
        if odd := sorted(set(store.column(name)) - {expected}):
            raise TrainingError(f"{store.folder}: got clips with {name} {odd[0]}, expected {expected}: render them with --{name} "
                                f"{expected}")
    kept = [asset for asset, seed, source in zip(*(store.column(c) for c in ("asset", "seed", "source")), strict=True)
            if source.startswith("procedural") and seed >= WATCH_SEEDS]
    if kept:
        raise TrainingError(f"{store.folder}: got {kept[0]}, but procedural assets with seeds from {WATCH_SEEDS} on are kept for "
                            "judging: render others")
    if wrong := damage(store.folder, store.index):
        raise TrainingError(f"{wrong}, render it again: the same puppetmaster render command does")
