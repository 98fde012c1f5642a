# %% [markdown]
# # A library of things that move
#
# The paper learns from 40,000 animated objects that artists made. None of them are ours to pass on, and a book that runs needs
# something to run on. So this project makes its own: cupboards that open, animals that walk, scissors that cut, flowers that
# bloom. Each is a category and a number; the same number gives the same object, bit by bit, for ever.
#
# **Time to run:** about 15 seconds on a laptop without a GPU. **You will see:** a sheet of the library, how one object is
# built, and eight ways in which an animation can be useless. **Scale:** no network takes part; small pictures, drawn by the fast
# renderer.

# %% tags=["parameters"]
count = 24  # objects on the sheet
seed = 0  # number of each category's first object
size = 80  # pixels a side

# %% [markdown]
# ## A contact sheet
#
# The categories in turn, each object at the beginning and a little before the middle of its animation. Look for what moves, and
# for what does not: a drawer slides out of a chest that stands still, a tail beats behind a head that hardly turns. That is the
# motion *of parts* which the paper is about.

# %%
from PIL import Image

from procedural_library import GROUPS, contact_sheet, make_asset
from procedural_library.folder import planned


def sheet(categories, count, columns):
    assets = (
        (f"{category} {number}", make_asset(category, number))
        for category, number in planned(categories, count, seed)
    )
    return Image.fromarray(
        contact_sheet(assets, columns=columns, size=size, moments=(0.0, 0.4))
    )


sheet(GROUPS["good"], count, columns=6)

# %% [markdown]
# A hundred and more a second are made on one core, so nobody needs to store them: training can ask for number
# 123,456 of the category *lamp* and get it. Stored they are standard `.glb` files, which take the very same road as a downloaded
# one:
#
# ```
# puppetmaster assets make --category furniture,human --count 1000 --output assets
# ```

# %%
from lib.tables import table
from procedural_library.recipes import GOOD

names = {
    label: [r.name for r in GOOD.values() if r.label == label]
    for label in dict.fromkeys(r.label for r in GOOD.values())
}
table(
    ["GObjaverse's label", "categories"],
    [[label, ", ".join(own)] for label, own in names.items()],
)

# %% [markdown]
# ## How one is built
#
# A laptop, for example. Numbers are drawn from a generator; boxes are put on parts; a part hangs on a node; a node may move
# about an axis up to its reach. `drive` then decides which of the joints that may move do move, which way and how fast. Where
# there is nothing to bend this is all. People and animals have bones and a skin over them, cloth and plants a few shapes
# between which they change.

# %%
import inspect

from procedural_library.categories import laptops

print(inspect.getsource(laptops.laptop))

# %%
laptop = make_asset("laptop", seed)
print(
    f"parts {laptop.submodels}, moving {laptop.moving}; {len(laptop.faces)} "
    f"triangles, {laptop.clips[0].duration:.2f} s"
)
for channel in laptop.channels:
    print(
        f"keys of {laptop.nodes[channel.target].name!r}: {channel.path}, "
        f"{len(channel.times)} of them"
    )

# %% [markdown]
# ## Bad ones, on purpose
#
# Of the paper's 40,000 animated objects 10,000 are used. The others stand still, drift as a whole, spin, swell, burst, or do what
# no object does. A judge that is to throw them out must have seen some, with the truth known: the library makes these too, from
# good objects whose own motion it takes away. Look for what each name says: one of them does not move at all.

# %%
from lib.clip_figures import film_of
from lib.figures import moving

moving(
    {kind: film_of(make_asset(kind, seed), size) for kind in GROUPS["bad"]},
    size=150,
    alt="an animation that is useless",
)

# %% [markdown]
# Eight simple ways stand here for the many ways in which real animations go wrong. A judge that knows only these knows little
# of, say, a walk that slides over the floor.
#
# ## Exercise: tell them apart
#
# Write a function that takes the places of an object's vertices over time, an array of shape ($N$ times, $V$ vertices, 3), and
# answers `"static"`, `"translation"`, `"spin"` or `"scaling"`. What stays the same when an object glides? And when it spins?

# %%
from lib import exercises

my_judge = None  # def my_judge(positions): …
print(exercises.bad_kinds(my_judge))

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# import numpy as np
#
# def my_judge(positions):
#     some = positions[:, :: max(1, positions.shape[1] // 50)]
#     way = some - some[:1]
#     if np.abs(way).max() < 1e-6:
#         return "static"
#     if np.abs(way - way[:, :1]).max() < 1e-4:  # every vertex goes the same way
#         return "translation"
#     apart = np.linalg.norm(some[:, :, None] - some[:, None], axis=-1)
#     return "spin" if np.abs(apart - apart[:1]).max() < 1e-4 else "scaling"  # lengths stay the same, or do not
# ```
#
# </details>
