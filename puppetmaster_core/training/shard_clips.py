"""Training clips from shards on disk, in the balanced mixture of App. C.1. What cannot be read is left out, with its reason kept.

Letters: N frames, P candidate tracks.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np
from tqdm import tqdm

from puppetmaster_core.assets.gltf.errors import TEXTURE
from puppetmaster_core.clips.cabinets import WATCH_SEEDS
from puppetmaster_core.clips.mixture import Mixture
from puppetmaster_core.clips.records import ClipError
from puppetmaster_core.clips.shards import ClipStore, damage
from puppetmaster_core.files import read_arrays, whole_file, write_json
from puppetmaster_core.training.crew import crew
from puppetmaster_core.training.records import saving
from puppetmaster_core.training.settings import TrainingError

LOST = "its asset lost a texture, so its colours are wrong: mend the file and render again, or train with --untextured"
PATHS = ("tracks", "track_parts", "starts", "left_out", "reasons")  # arrays of a run folder's paths-DIGEST.npz


class ShardClips:
    """The clips of some folders that `puppetmaster render` made, drawn in the balanced mixture of App. C.1.

    Groups without clips give their share to the others. Clips of assets that lost a texture are left out of the mixture, as their
    colours are wrong, unless `untextured` asks for them. So is a clip that cannot be read, for as long as the run folder is used.
    left_out-DIGEST.json there says why; such a clip keeps its number, and another's frames stand for its own. All clips are tried
    at the first start: what is damaged later is an error where it is drawn. Raises TrainingError for folders without whole clips
    of the given frames and size, and for procedural assets that are kept for judging.
    """

    def __init__(self, folders: Sequence[Path], size: int, frames: int, cache: Path, untextured: bool = False):
        """cache: a folder for the tracks of all clips, which are then read from there, and for why clips are left out."""
        try:
            self.stores = [ClipStore(folder) for folder in folders]
            for store in self.stores:
                _check_store(store, size, frames)
            self._frames = frames
            self._place = [(store, number) for store in self.stores for number in range(len(store))]
            self._tracks, self._parts, self._starts, self.left_out = self._read_paths(cache / f"paths-{self._stored}.npz")
            if not untextured:
                self.left_out |= {number: LOST for number in self._lost() if number not in self.left_out}
            if len(self.left_out) == len(self):
                raise ClipError(f"no clip came that can be used, wanted some; the first: {next(iter(self.left_out.values()))}")
            self._leave_out(cache / f"left_out-{self._stored}.json")
        except ClipError as error:
            raise TrainingError(str(error)) from error

    def __len__(self) -> int:
        return len(self._place)

    @property
    def digest(self) -> str:
        """Of the clips that are stored, and of which are left out: a mended clip makes other latents, and another run."""
        return _digest([self._stored, *map(str, self.left_out)]) if self.left_out else self._stored

    @cached_property
    def _stored(self) -> str:
        keys = (f"{shard}/{key}/{length}" for store in self.stores
                for shard, key, length in zip(*(store.column(name) for name in ("shard", "key", "length")), strict=True))
        return _digest(keys)

    @cached_property
    def groups(self) -> dict[str, int]:
        """How many clips there are of each group of the mixture."""
        names, counts = np.unique(self._groups(), return_counts=True)
        return {str(name): int(count) for name, count in zip(names, counts, strict=True)}

    def frames(self, number: int, some: slice = slice(None)) -> np.ndarray:
        store, own = self._place[number]
        return store.frames(own, some)

    def paths(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        here = slice(self._starts[number], self._starts[number + 1])
        return self._tracks[here], self._parts[here]

    def mixture(self, seed: int) -> Mixture:
        try:
            return Mixture.of(self._groups(), seed=seed, allow_missing=True)
        except ValueError as error:
            raise TrainingError(f"{self.stores[0].folder}: no clip with a drag came, wanted some: {error}") from None

    def _lost(self) -> list[int]:
        """The clips whose assets lost a texture."""
        notes = [notes for store in self.stores for notes in store.column("notes")]
        return [number for number, kinds in enumerate(notes) if TEXTURE in (kinds or ())]

    def _groups(self) -> np.ndarray:
        groups = np.array([group for store in self.stores for group in store.column("group")], dtype=object)
        groups[np.diff(self._starts) == 0] = "no drag"
        for number, reason in self.left_out.items():
            groups[number] = TEXTURE if reason == LOST else "cannot be read"
        return groups.astype(str)

    def _read_paths(self, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[int, str]]:
        """Tracks and parts of all clips, where each clip's begin (n + 1,), and which clips are left out and why."""
        arrays = read_arrays(path, PATHS)
        if arrays is None:
            with ThreadPoolExecutor() as pool:
                read = list(tqdm(pool.map(self._read, range(len(self))), total=len(self), desc="reading clips", mininterval=5))
            tracks, parts, reasons = zip(*read, strict=True)
            lost = [number for number, reason in enumerate(reasons) if reason]
            if len(lost) == len(self):
                raise ClipError(f"no clip came that can be read, wanted some; the first: {reasons[0]}")
            arrays = [np.concatenate(tracks), np.concatenate(parts), np.cumsum([0, *map(len, tracks)]), np.array(lost, int),
                      np.array([reasons[number] for number in lost], str)]
            with saving(path), whole_file(path) as partial, open(partial, "wb") as file:
                np.savez(file, **dict(zip(PATHS, arrays, strict=True)))
        return *arrays[:3], dict(zip(arrays[3].tolist(), arrays[4].tolist(), strict=True))

    def _read(self, number: int) -> tuple[np.ndarray, np.ndarray, str]:
        """Tracks and parts of a clip, or none and why, where they or a frame cannot be read."""
        store, own = self._place[number]
        try:
            store.frames(own)
            labels = store.labels(own, PATHS[:2])
        except ClipError as error:
            return np.zeros((0, self._frames, 2), np.float32), np.zeros(0, np.int16), str(error)
        return labels["tracks"], labels["track_parts"], ""

    def _leave_out(self, path: Path) -> None:
        """Write which clips are left out, say so, and let the first that is not stand for them."""
        if not self.left_out:
            return
        with saving(path):
            write_json(path, [{"clip": number, "cause": reason} for number, reason in self.left_out.items()])
        if crew().is_main_process:
            tqdm.write(f"left out: {len(self.left_out)} of {len(self)} clips, listed in {path}; the first: "
                       f"{next(iter(self.left_out.values()))}", file=sys.stderr)
        whole = next(number for number in range(len(self)) if number not in self.left_out)
        for number in self.left_out:
            self._place[number] = self._place[whole]


def _digest(words: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:8]


def _check_store(store: ClipStore, size: int, frames: int) -> None:
    """Raise TrainingError or ClipError unless the clips fit, their shards are whole, and none is kept for judging."""
    if not len(store):
        raise ClipError(f"{store.folder}: no clips came, wanted some: make them with puppetmaster render")
    for name, wanted in (("size", size), ("frames", frames)):
        if odd := sorted(set(store.column(name)) - {wanted}):
            raise TrainingError(f"{store.folder}: clips with {name} {odd[0]} came, this model wants {wanted}: render them with "
                                f"--{name} {wanted}")
    kept = [asset for asset, seed, source in zip(*(store.column(c) for c in ("asset", "seed", "source")), strict=True)
            if source.startswith("procedural") and seed >= WATCH_SEEDS]
    if kept:
        raise TrainingError(f"{store.folder}: {kept[0]} came, but procedural assets with seeds from {WATCH_SEEDS} on are kept "
                            "for judging: render others")
    if wrong := damage(store.folder, store.index):
        raise ClipError(f"{wrong}, render it again: the same puppetmaster render command does")
