"""From a category and a seed to an asset, in memory."""

from __future__ import annotations

import difflib
import zlib

import numpy as np

from procedural_library.recipes import BAD, CABINET, GOOD, Recipe
from puppetmaster_core.assets import AnimatedAsset, AssetSourceError

GENERATION = 1  # raise it when a seed no longer gives what it gave: it is written into every file
CATEGORIES: dict[str, Recipe] = GOOD | BAD | {CABINET.name: CABINET}
GROUPS: dict[str, tuple[str, ...]] = {
    **{group: tuple(r.name for r in CATEGORIES.values() if r.group == group)
       for group in dict.fromkeys(r.group for r in CATEGORIES.values())},
    "good": tuple(GOOD), "all": (*GOOD, *BAD),
}


class UnknownCategory(AssetSourceError):
    """A name that is neither a category nor a group; the message names the nearest."""


def make_asset(category: str, seed: int) -> AnimatedAsset:
    """Asset number `seed` (0 ≤ seed) of a category: the same whenever and wherever it is made.

    It is a RiggedAsset, a cabinet an ArticulatedAsset. It fits the unit cube, and its animation is called "move". `category` is
    GObjaverse's label; `provenance` says {"source": "procedural:CATEGORY", "generation", "seed", "licence", "kind", "good",
    "shape"}, where `kind` is "good" or how the animation is bad, and `shape` the category the object is of. Raises
    UnknownCategory, AssetSourceError.
    """
    if category not in CATEGORIES:
        several = categories_of(category)  # or says what is near
        raise UnknownCategory(f"got {category!r}, a group of categories, expected one of them: {', '.join(several)}")
    if seed < 0:
        raise AssetSourceError(f"got seed {seed}, expected 0 or more")
    recipe = CATEGORIES[category]
    own = [] if recipe is CABINET else [zlib.crc32(category.encode())]  # cabinets are older than the library
    rng = np.random.default_rng([*own, seed])
    rig = recipe.build(rng)
    shape = getattr(rig, "shape", category)
    kind = category if category in BAD else "good"
    provenance = {"source": f"procedural:{category}", "generation": GENERATION, "seed": int(seed), "licence": "CC0-1.0",
                  "kind": kind, "good": kind == "good", "shape": shape}
    return rig.finish(CATEGORIES[shape].label, provenance)


def categories_of(name: str) -> tuple[str, ...]:
    """The categories a name stands for: itself, or a group's; of several names with commas between, each once. Raises
    UnknownCategory."""
    if "," in name:
        return tuple(dict.fromkeys(category for one in name.split(",") for category in categories_of(one.strip())))
    if name in CATEGORIES:
        return (name,)
    if name in GROUPS:
        return GROUPS[name]
    known = [*CATEGORIES, *GROUPS]
    near = difflib.get_close_matches(name, known, 3, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
    raise UnknownCategory(f"got category {name!r}, expected one of the library's: {hint}")
