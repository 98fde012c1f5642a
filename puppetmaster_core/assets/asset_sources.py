"""Objects that a program makes: packages of their own, found by an entry point, so that the core knows none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Protocol

import numpy as np

from puppetmaster_core.assets.asset import AnimatedAsset

ENTRY_POINTS = "puppetmaster_core.asset_sources"
LIBRARY = "procedural_library"  # the source that comes with this project


class AssetSourceError(ValueError):
    """A source that is not installed, or what it cannot do with a name or a folder. The message is one line."""


class AssetCategory(Protocol):
    """A kind of object."""

    label: str  # GObjaverse's name for such things
    group: str  # the group of categories it belongs to


class AssetSource(Protocol):
    """What an entry point leads to, a module for instance. Wherever it raises, it raises AssetSourceError or OSError."""

    CATEGORIES: Mapping[str, AssetCategory]
    GROUPS: Mapping[str, tuple[str, ...]]  # categories by a name for several of them; "good", "bad" and "all" are always there

    CORRUPTIONS: Mapping[str, object]  # ways to spoil an animation, by name

    def make_asset(self, category: str, seed: int) -> AnimatedAsset:
        """Object number `seed` of a category, the same whenever and wherever it is made."""

    def corrupt(self, asset: AnimatedAsset, clip: int | str, kind: str, seed: int = 0) -> AnimatedAsset:
        """Animation `clip` of any asset, spoilt in a known way: a label whose truth is known."""

    def categories_of(self, name: str) -> tuple[str, ...]:
        """The categories of a name, a group's name, or several with commas between."""

    def planned(self, categories: Iterable[str], count: int, seed: int) -> list[tuple[str, int]]:
        """(category, seed) of `count` objects: the categories in turn, each counting up from `seed`."""

    def check_folder(self, folder) -> None:
        """Raise unless `make_library` can write into `folder`."""

    def contact_sheet(self, assets: Iterable[tuple[str, AnimatedAsset]]) -> np.ndarray:
        """A picture (H, W, 3) uint8 of (caption, asset) pairs."""

    def make_library(self, folder, plan: list[tuple[str, int]], *, progress: Callable[[Iterable], Iterable] = iter) -> list[dict]:
        """Write the planned objects as .glb files and a manifest; returns the manifest's rows."""


@cache
def asset_source(name: str = LIBRARY) -> AssetSource:
    """The installed source of that name. Raises AssetSourceError where there is none."""
    found = entry_points(group=ENTRY_POINTS)
    if name not in found.names:
        installed = ", ".join(sorted(found.names)) or "none"
        raise AssetSourceError(f"got asset source {name!r}, expected one that is installed ({installed}): "
                               "run `python -m pip install -e .` in the checkout")
    return found[name].load()
