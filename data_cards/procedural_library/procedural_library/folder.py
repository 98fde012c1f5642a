"""A folder of library assets: one .glb each, and `manifest.csv`, which says what each one is.

The manifest's columns are those of other sets of animated files (file, category, licence, author, source), and more.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from procedural_library.articulated import rigged
from procedural_library.glb import extras_of, to_glb
from procedural_library.make import make_asset
from puppetmaster_core.assets import AnimatedAsset, AssetSourceError
from puppetmaster_core.files import whole_file

MANIFEST = "manifest.csv"
COLUMNS = ("file", "category", "source", "shape", "kind", "good", "seed", "generation", "licence", "author", "animation",
           "duration", "submodels", "moving", "parts", "vertices", "triangles", "textures", "bytes", "sha256")


class LibraryError(AssetSourceError):
    """A folder that cannot take the library. The message is one line."""


def planned(categories: Iterable[str], count: int, seed: int) -> list[tuple[str, int]]:
    """(category, seed) of `count` assets: the categories in turn, each counting up from `seed`."""
    categories = tuple(categories)
    return [(categories[i % len(categories)], seed + i // len(categories)) for i in range(count)]


def file_name(category: str, seed: int) -> str:
    """What an asset's file is called."""
    return f"{category}-{seed:06d}.glb"


def describe(asset: AnimatedAsset) -> dict:
    """What the file says of itself: where it comes from, what is in it, and whether its animation is good."""
    asset = rigged(asset)
    kinds = {"node": any(c.path != "weights" for c in asset.channels), "skin": any(p.bones for p in asset.parts),
             "morph": any(p.morphs is not None for p in asset.parts)}
    return {**asset.provenance, "category": asset.category, "author": "puppetmaster-core",
            "animation": "+".join(k for k, there in kinds.items() if there), "duration": round(asset.clips[0].duration, 4),
            "submodels": len(asset.submodels), "moving": len(asset.moving), "parts": "; ".join(asset.submodels),
            "vertices": len(asset.rest), "triangles": len(asset.faces),
            "textures": sum(m.texture is not None for m in asset.materials)}


def glb_bytes(category: str, seed: int) -> bytes:
    """The file of one asset: the same bytes whenever it is made."""
    asset = make_asset(category, seed)
    return to_glb(asset, describe(asset))


def check_folder(folder: str | os.PathLike) -> None:
    """Raise LibraryError unless `folder` is absent, empty, or holds nothing but what make_library writes."""
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise LibraryError(f"{folder}: this is a file, expected a folder for the assets: choose another name")
    if not folder.is_dir():
        return
    others = sorted(p.name for p in folder.iterdir() if not _ours(p))
    if others:
        raise LibraryError(f"{folder}: holds other things ({', '.join(others[:3])}{', …' if len(others) > 3 else ''}), "
                           "expected a new folder or one of an earlier `assets make`: choose another name")


def _ours(path: Path) -> bool:
    if path.name == MANIFEST:
        with open(path, newline="", encoding="utf-8", errors="replace") as file:
            return next(csv.reader(file), []) == list(COLUMNS)
    if path.suffix != ".glb":
        return path.name.startswith(".") and path.suffix == ".partial"  # what a killed run left
    head, _, seed = path.stem.rpartition("-")
    return bool(head) and seed.isdigit()


def make_library(folder: str | os.PathLike, plan: list[tuple[str, int]], *,
                 progress: Callable[[Iterable], Iterable] = iter) -> list[dict]:
    """Write the planned assets into `folder` and their rows into its manifest; returns the rows, in the plan's order.

    Assets that are there already are kept, so that a run which was stopped goes on; rows of other assets in the folder stay.
    Raises LibraryError where the folder holds other things or an asset made by another version, OSError.
    """
    folder = Path(folder)
    check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows = [_placed(folder, category, seed) for category, seed in progress(plan)]
    listed = {row["file"]: row for row in [*_listed(folder), *rows]}
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    table.writeheader()
    table.writerows(listed[name] for name in sorted(listed))
    with whole_file(folder / MANIFEST) as partial:
        partial.write_text(text.getvalue(), encoding="utf-8")
    return rows


def _placed(folder: Path, category: str, seed: int) -> dict:
    """One asset's file, made unless it is there; returns its row."""
    path = folder / file_name(category, seed)
    if path.exists():
        data = path.read_bytes()
        if data != glb_bytes(category, seed):
            raise LibraryError(f"{path}: another file of this name is there: choose another folder, or delete it")
    else:
        data = glb_bytes(category, seed)
        with whole_file(path) as partial:
            partial.write_bytes(data)
    return row_of(path.name, data)


def row_of(name: str, data: bytes) -> dict:
    """The manifest's row of a file. Raises ValueError where it is not one of the library's."""
    return {**extras_of(data), "file": name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _listed(folder: Path) -> Iterator[dict]:
    path = folder / MANIFEST
    if path.is_file():
        with open(path, newline="", encoding="utf-8") as file:
            yield from (row for row in csv.DictReader(file) if (folder / row["file"]).is_file())

