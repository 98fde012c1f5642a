"""The categories: what there is, which of GObjaverse's labels it has, and how it is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from procedural_library import bad
from procedural_library.articulated import Builder
from procedural_library.categories import (
    appliances,
    beasts,
    birds,
    books,
    boxes,
    buckets,
    butterflies,
    cabinets,
    clocks,
    crawlers,
    curtains,
    diggers,
    doors,
    fans,
    fish,
    flags,
    flowers,
    lamps,
    laptops,
    levers,
    lids,
    people,
    plants,
    plush,
    safes,
    scissors,
    snakes,
    storage,
    tables,
    tentacles,
    toilets,
    vehicles,
    wheels,
)
from procedural_library.rig import Rig


@dataclass(frozen=True)
class Recipe:
    """One category of the library."""

    name: str
    label: str  # GObjaverse's name for such things
    group: str
    build: Callable[[np.random.Generator], Rig | Builder]


GOOD = {r.name: r for r in (
    Recipe("storage", "Furnitures", "furniture", storage.build),
    Recipe("table", "Furnitures", "furniture", tables.build),
    Recipe("dishwasher", "Electronics", "furniture", appliances.dishwasher),
    Recipe("oven", "Electronics", "furniture", appliances.oven),
    Recipe("microwave", "Electronics", "furniture", appliances.microwave),
    Recipe("washer", "Electronics", "furniture", appliances.washer),
    Recipe("refrigerator", "Electronics", "furniture", appliances.refrigerator),
    Recipe("safe", "Furnitures", "furniture", safes.safe),
    Recipe("box", "Daily-Used", "furniture", boxes.carton),
    Recipe("chest", "Furnitures", "furniture", boxes.chest),
    Recipe("bucket", "Daily-Used", "furniture", buckets.bucket),
    Recipe("bin", "Daily-Used", "furniture", buckets.bin_),
    Recipe("toilet", "Furnitures", "furniture", toilets.toilet),
    Recipe("laptop", "Electronics", "furniture", laptops.laptop),
    Recipe("door", "Furnitures", "furniture", doors.doorway),
    Recipe("human", "Human-Shape", "bodies", people.human),
    Recipe("robot", "Human-Shape", "bodies", people.robot),
    Recipe("quadruped", "Animals", "bodies", beasts.quadruped),
    Recipe("bird", "Animals", "bodies", birds.bird),
    Recipe("butterfly", "Animals", "bodies", butterflies.butterfly),
    Recipe("fish", "Animals", "bodies", fish.fish),
    Recipe("octopus", "Animals", "bodies", tentacles.octopus),
    Recipe("snake", "Animals", "bodies", snakes.snake),
    Recipe("crawler", "Animals", "bodies", crawlers.crawler),
    Recipe("scissors", "Daily-Used", "daily", scissors.scissors),
    Recipe("fan", "Electronics", "daily", fans.fan),
    Recipe("lamp", "Daily-Used", "daily", lamps.lamp),
    Recipe("lid", "Daily-Used", "daily", lids.lid),
    Recipe("lever", "Daily-Used", "daily", levers.lever),
    Recipe("book", "Daily-Used", "daily", books.book),
    Recipe("clock", "Daily-Used", "daily", clocks.clock),
    Recipe("wheel", "Buildings&&Outdoor", "daily", wheels.wheel),
    Recipe("vehicle", "Transportations", "daily", vehicles.truck),
    Recipe("digger", "Transportations", "daily", diggers.digger),
    Recipe("flag", "Daily-Used", "soft", flags.flag),
    Recipe("curtain", "Daily-Used", "soft", curtains.curtain),
    Recipe("plant", "Plants", "soft", plants.plant),
    Recipe("flower", "Plants", "soft", flowers.flower),
    Recipe("plush", "Daily-Used", "soft", plush.plush),
)}

# The set that `tiny` was first trained on, simpler than "storage" and with joints that can be posed: only by its own name.
CABINET = Recipe("cabinet", "Furnitures", "cabinets", cabinets.cabinet)

# The label of these is that of the object they are made from.
BAD = {name: Recipe(name, "", "bad", partial(make, recipes=GOOD)) for name, make in {
    "static": bad.static, "tiny": bad.tiny, "translation": bad.translation, "spin": bad.spin, "scaling": bad.scaling,
    "explode": bad.explode, "teleport": bad.teleport, "jitter": bad.jitter,
}.items()}
