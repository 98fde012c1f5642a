"""Where animated assets come from: a folder of files, or the procedural library.

Every asset has a number, a name, and a seed of its own that depends on its name and the run's seed only.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from puppetmaster_core.assets import AnimatedAsset, AssetSourceError, asset_source, load_asset

ENDINGS = (".glb", ".gltf")
# Procedural assets with a seed from here on are never trained on: a training run shows its progress on the first, and models are
# judged on the second.
WATCH_SEEDS, TEST_SEEDS = 900_000, 1_000_000


class SourceError(ValueError):
    """A source that holds no assets. The message is one line."""


@dataclass(frozen=True)
class Source:
    """Assets 0 … len − 1. Small and made of plain values, so it goes into the plan of a run and to its workers."""

    kind: str  # "library" or "files"
    names: tuple[str, ...]  # files below `root`, or the library's categories, taken in turn
    count: int
    first: int = 0  # seed of the first procedural asset
    root: str = ""  # the folder of the files

    def __len__(self) -> int:
        return self.count

    def name(self, number: int) -> str:
        """Unique in the source; fit for a key."""
        if self.kind == "files":
            return self.names[number]
        return f"{self.names[number % len(self.names)]}-{self.seed(number):06d}"

    def seed(self, number: int) -> int:
        """Of a procedural asset: each category counts from `first`."""
        return self.first + number // len(self.names)

    def open(self, number: int) -> AnimatedAsset:
        """Read or make asset `number`; its provenance has source, sha256, licence. Raises what reading raises."""
        if self.kind == "library":
            return asset_source().make_asset(self.names[number % len(self.names)], self.seed(number))
        asset = load_asset(Path(self.root, self.names[number]))
        said = dict(_manifest(self.root, self.names[number]))
        asset.category = str(said.pop("category", asset.category))
        asset.provenance = {**asset.provenance, **said}
        return asset


def find_source(text: str, count: int | None = None, first: int = 0) -> Source:
    """A source by what a user wrote: "library" (all good ones), "library:NAME[,NAME]" with categories or groups of them, short
    "cabinets" for "library:cabinet", a folder, or a .glb or .gltf file.

    count: how many assets; the procedural ones are endless, of files None takes all. Raises SourceError.
    """
    kind, _, category = ("library:cabinet" if text == "cabinets" else text).partition(":")
    if kind == "library":
        try:
            names = asset_source().categories_of(category or "good")
        except AssetSourceError as error:
            raise SourceError(str(error)) from None
        return Source("library", names, 100 if count is None else count, first)
    path = Path(text)
    if path.is_file() and path.suffix.lower() in ENDINGS:
        return Source("files", (path.name,), 1, 0, str(path.parent.resolve()))
    if not path.is_dir():
        raise SourceError(f"{text}: no such folder or file, expected a folder of .glb or .gltf files, 'cabinets' or 'library'")
    names = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.suffix.lower() in ENDINGS and p.is_file())
    if not names:
        raise SourceError(f"{text}: got no .glb or .gltf file, expected a folder with some")
    names = names[: count or None]
    strange = [name for name in names if any("\udc80" <= c <= "\udcff" for c in name)]  # bytes that are no UTF-8
    if strange:  # neither the plan nor the index can hold them
        raise SourceError(f"{text}: got the file name {strange[0]!a}, expected names in UTF-8: rename the file")
    return Source("files", tuple(names), len(names), 0, str(path.resolve()))


def asset_rng(seed: int, name: str, *more: int) -> np.random.Generator:
    """A generator for asset `name`: other assets, their order and number do not matter."""
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"), *more])


def content_sha256(asset: AnimatedAsset) -> str:
    """SHA-256 of what a procedural asset looks like and does: its triangles, colours, and vertices at both ends of its clips."""
    digest = hashlib.sha256()
    for array in (asset.faces, asset.uv, asset.material, asset.submodel):
        digest.update(np.ascontiguousarray(array).tobytes())
    for material in asset.materials:
        digest.update(repr(material.color).encode())
        digest.update(b"" if material.texture is None else np.ascontiguousarray(material.texture).tobytes())
    for number, clip in enumerate(asset.clips):
        for t in (0.0, clip.duration):
            digest.update(np.ascontiguousarray(asset.vertices(number, t), "<f8").tobytes())
    return digest.hexdigest()


def _manifest(root: str, name: str) -> dict[str, str]:
    """What a manifest.csv in the file's own folder, or above it up to `root`, says of it: licence, author, category, source."""
    path = PurePosixPath(name)
    for folder in path.parents:  # the nearest first
        rows = _rows(Path(root, folder, "manifest.csv"))
        if found := rows.get(path.relative_to(folder).as_posix()):
            return found
    return {}


def _rows(path: Path) -> dict[str, dict[str, str]]:
    """A manifest's rows by file; none where there is none. Read once, as long as it stays the same file."""
    try:
        state = path.stat()
    except OSError:
        return {}
    return _read_rows(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=64)
def _read_rows(path: Path, *_) -> dict[str, dict[str, str]]:
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        return {row["file"]: {key: row[key] for key in ("licence", "author", "category", "source") if row.get(key)}
                for row in csv.DictReader(file) if row.get("file")}
