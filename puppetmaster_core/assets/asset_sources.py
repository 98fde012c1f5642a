"""Objects that a program makes: a package of its own, found by an entry point, so that the core knows nothing of it."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from types import ModuleType

ENTRY_POINTS = "puppetmaster_core.asset_sources"
LIBRARY = "procedural_library"  # the source that comes with this project


class AssetSourceError(ValueError):
    """A source that is not installed, or what it cannot do with a name or a folder. The message is one line."""


@cache
def asset_source() -> ModuleType:
    """The procedural library; what it offers is listed in its `__init__`. Raises AssetSourceError where it is not installed.

    `make_asset(category, seed)` is the same asset whenever and wherever it is made; CATEGORIES has a label of GObjaverse's and a
    group for each category, GROUPS names several of them ("good", "bad" and "all" among these).
    """
    found = entry_points(group=ENTRY_POINTS)
    if LIBRARY not in found.names:
        raise AssetSourceError(f"the asset source {LIBRARY!r} is not installed: run `python -m pip install -e .` in the checkout")
    return found[LIBRARY].load()
