# %% [markdown]
# # From an animated object to a labelled clip
#
# The model learns from pairs: a short film of an object whose parts move, and a few drags that say how. This chapter makes one
# such pair, step by step, as Section 4 of the paper tells it. An animated 3D file is read and filmed, and the points of its
# surface are followed; some of their paths become drags; all of it goes into a file that training reads.
#
# **Time to run:** about 20 seconds on a laptop without a GPU. **You will see:** what is inside an animated file, where the
# cameras stand, what the renderer hands on beside colours, where every pixel of the first frame goes, why some points are
# likelier to be dragged than others, and which drags go again. **Scale:** no network takes part; small pictures, drawn by the
# fast renderer.

# %% tags=["parameters"]
category = "storage"  # of the procedural library
seed = 6  # another one makes another object
asset_path = ""  # your own .glb or .gltf; empty: one from the library
size = 96  # pixels a side
frames = 14  # of the clip, SVD's number
views = 6  # cameras around the object; the paper's renderings have 12

# %% [markdown]
# ## An animated file
#
# Downloaded objects come as glTF: one `.glb` file with a tree of nodes, meshes that hang on them, and keys that say where a
# node is at which time. Ours is made by a program, but it is written to such a file and read back: from here on it is a file
# like any other. A `manifest.csv` beside it says whose it is; that goes into every clip.

# %%
import tempfile
from pathlib import Path

import numpy as np

from lib import clip_figures as figures
from lib.tables import index_table, parts_table
from procedural_library.folder import file_name, make_library
from puppetmaster_core.clips.sources import find_source

scratch = tempfile.TemporaryDirectory()  # goes when the notebook is closed
folder = Path(scratch.name)
if not asset_path:
    make_library(folder / "assets", [(category, seed)])
    asset_path = folder / "assets" / file_name(category, seed)
source = find_source(str(asset_path))
asset = source.open(0)  # load_asset(asset_path), and what the manifest says of it
print(f"{Path(asset_path).name}: {Path(asset_path).stat().st_size / 1024:.0f} kB")
print(
    f"{len(asset.faces)} triangles, {len(asset.materials)} materials, licence "
    f"{asset.provenance.get('licence')}"
)
for animation in asset.clips:
    print(f"animation {animation.name!r}, {animation.duration:.2f} s")

# %% [markdown]
# Where is every vertex at every time? A reader answers by evaluating the keys and carrying them down the tree (and, in other
# files, by blending bones and morph targets). The triangles stay the same, so vertex 7 is the same spot of the object in all
# frames. That is what makes exact tracks possible later.

# %%
times = asset.sample_times(0, frames)
positions = np.stack([asset.vertices(0, t) for t in times])  # (N frames, V vertices, 3)
print("positions", positions.shape)
parts_table(asset, positions)

# %% [markdown]
# ## Parts over time
#
# Every sub-model of the file is one line of the table. From here on a part that moves has one colour in all figures, and parts
# that stay are grey. Look at the curves on the right: each is one part, and those at zero are the object's body and whatever
# else stays.

# %%
tints = figures.part_colours(asset, positions)
figures.vertices_over_time(asset, positions, times, tints)

# %% [markdown]
# ## Cameras
#
# Two ways of filming, each a named setting. `release` is the authors' script: cameras evenly around the object, twelve of them,
# at random heights and distances. `drag-a-move` is ours, after the look of Drag-a-Move's clips: from the front, a little above,
# the object large in the picture whatever its parts do. Look for the back of the object in the contact sheet: where nothing is
# seen to move there is nothing to learn, and such views are passed over later.

# %%
from puppetmaster_core.render import SETTINGS, render

cameras = {name: SETTINGS[name].cameras(np.random.default_rng(0), positions, views)
           for name in ("release", "drag-a-move")}
figures.camera_places(positions, cameras)

# %%
last = positions[-1:]  # the last frame
figures.contact_sheet(
    {
        f"{c.azimuth:.0f}° around, {c.elevation:.0f}° up": render(
            asset, last, c, size
        ).frames[0]
        for c in cameras["release"]
    }
)

# %% [markdown]
# ## What the renderer hands on
#
# One camera now, and all frames. Beside colours the renderer says, for each pixel, which part is there and how far away it is
# (bright is near), and also which triangle and where on it. Look at the second row: the part ids know nothing of colours, so a
# drawer and the cabinet around it are told apart even where they are the same wood.

# %%
camera = cameras["drag-a-move"][0]
rendering = render(asset, positions, camera, size)
figures.passes(rendering, tints)

# %% [markdown]
# ## Points that travel
#
# A drag begins at a point of the surface that is visible in frame 1. Which one? The paper draws it "with probability
# proportional to the point's total displacement across $N$ frames":
#
# $$ p(i) \propto \sum_{n=2}^{N} \lVert x_i^n - x_i^{n-1} \rVert. $$
#
# ([The formula](../book/equations.md#eq-chance), with what checks it.) Every pixel of frame 1 that shows the object gives one
# point, and its triangle carries it through the animation. Look at a door: the chance grows from nothing at the hinge to its
# greatest at the free edge. On a drawer it is the same everywhere.

# %%
from puppetmaster_core.clips.drag_sampling import displacement
from puppetmaster_core.clips.tracks import SurfacePoints, in_sight, track

# P points, one for each pixel of the object in frame 1
surface = SurfacePoints.visible(rendering)
world = surface.positions(asset, positions)  # (N, P, 3)
# (P, N, 2) in the unit square, (P, N)
tracks, seen = track(world, camera), in_sight(world, camera, asset, positions)
part = asset.submodel[surface.face]  # (P,)

rng = np.random.default_rng(2)
weight = displacement(world)
drawn = rng.choice(len(weight), 200, p=weight / weight.sum())
figures.weight_map(rendering.frames[0], tracks[:, 0], weight, drawn)

# %% [markdown]
# A point can be hidden in a later frame, behind another part or the picture's edge. Its place is known all the same, because it
# is computed from the object and not looked for in the picture. Full dots are seen, rings are hidden.

# %%
some = drawn[:80]
figures.riding(
    rendering.frames,
    tracks[some],
    seen[some],
    [tints[p] for p in part[some]],
    alt="dots riding on the parts of the object as they move",
)

# %% [markdown]
# ## Where everything goes
#
# The same for every pixel of frame 1 at once: the exact displacement $v^n(p) - p$, in frame 1's coordinates. It is what a clip
# keeps for training, and what `tiny` learns to say ([chapter 6](06_training.ipynb)). Left: arrows to where pixels are in the last
# frame. Then the same in colours (direction is hue, length is strength), the parts that frame 1 shows, and which pixels are still
# seen in the end (blue) and which are hidden by then or outside the picture (orange). Look at a part: a drawer has one
# colour, for it slides and grows a little as it comes nearer; a door fades towards its hinge. All the rest is white: it stays.

# %%
from lib.motion_figures import exact_displacement
from puppetmaster_core.clips.displacement import Displacement

# at any size; 64 is what `tiny` sees
exact = Displacement.of(asset, positions, camera, 64)
exact_displacement(rendering.frames[0], exact, tints)

# %% [markdown]
# ## Drags
#
# "One and only one" drag for each group of points that move together: where an object is built of sub-models, each that moves
# gets one. The trajectory is exact, so a door's drag is an arc (left). Drag-a-Move's drags are straight lines with even steps
# between the same ends (right), as people draw them. Look at a door: half-way, the line and the arc are different places. Even
# where both are straight they differ in time, because this object starts and stops slowly. Of a motion that ends where it
# began, a straight drag shows nothing at all.

# %%
from puppetmaster_core.clips.drag_sampling import (
    PAPER,
    VisiblePoints,
    distinct,
    draw_drags,
    straightened,
)

points = VisiblePoints(world, tracks, part, size, len(asset.submodels))
dragged = draw_drags(points, np.random.default_rng(1), PAPER)
colours = [tints[p] for p in part[dragged]]
paths = tracks[dragged]
figures.paths_over(rendering.frames[0], {
    "exact, as the paper's": (paths, colours),
    "straight, as Drag-a-Move's": (straightened(paths), colours),
})

# %%
gap = np.linalg.norm(paths - straightened(paths), axis=-1).max(1) * 256
for k, (p, pixels) in enumerate(zip(part[dragged], gap, strict=True)):
    print(
        f"drag {k + 1}, {asset.submodels[p]}: up to {pixels:.1f} px (of 256) apart in "
        "one frame"
    )

# %% [markdown]
# ## Near duplicates
#
# Drags that are nearly the same say nothing twice. Of two drags $i$ and $j$ a random one goes if
#
# $$ \lVert v_i^{1:N} - v_j^{1:N} \rVert^2 \le \delta, \qquad \delta = 20 N \text{ at } 256 \times 256 \text{ pixels}. $$
#
# ([The rule](../book/equations.md#eq-duplicates), with what checks it.) With one drag a part this seldom happens. To see it
# at work, draw forty points on the part that travels most. Look at the grey ones, which go: each has a neighbour.

# %%
busiest = np.bincount(part, weight, minlength=len(tints)).argmax()
own = np.flatnonzero(part == busiest)
crowd = tracks[rng.choice(own, 40, p=weight[own] / weight[own].sum())]
stays = distinct(crowd, rng, PAPER)
order = np.argsort(~stays, kind="stable")  # grey ones on top
grey = [tints[busiest] if stay else figures.GONE for stay in stays[order]]
figures.paths_over(rendering.frames[0], {
    f"{len(crowd)} drawn, {np.count_nonzero(~stays)} of them go": (crowd[order], grey),
    f"{np.count_nonzero(stays)} stay": (crowd[stays], [tints[busiest]]),
})

# %% [markdown]
# ## All of it in one call
#
# `label` does what the cells above did and returns a `Clip`: the one record that travels from the renderer to training and to
# the metrics.

# %%
from puppetmaster_core.clips.labels import label

clip = label(asset, positions, camera, rendering, np.random.default_rng(1), PAPER)
for name, value in vars(clip).items():
    array = isinstance(value, np.ndarray)
    print(
        f"{name:16}", f"{value.dtype} {value.shape}" if array else type(value).__name__
    )
print(clip.category, clip.camera, sep="\n")
assert np.isfinite(clip.drags).all() and len(clip.drags) <= PAPER.max_drags

# %% [markdown]
# The rules are named settings, the paper's and the released code's among them. This is the heart of it, shown from the package
# itself:

# %%
import inspect

print(inspect.getsource(draw_drags))

# %% [markdown]
# ## A shard on disk
#
# For training, one command films a file or every file of a folder: `puppetmaster render`. Here it films ours from all sides.

# %%
import subprocess
import sys

options = (
    f"--setting release --views {views} --size {size} --frames {frames} --workers 1"
)
command = [
    "render",
    str(asset_path),
    "--output",
    str(folder / "clips"),
    *options.split(),
]
done = subprocess.run([sys.executable, "-m", "puppetmaster_core", *command],
                      capture_output=True, text=True)
assert done.returncode == 0, done.stderr
print(f"puppetmaster {' '.join(command)}\n{done.stdout}".replace(str(folder), "…"))

# %% [markdown]
# In the folder lie WebDataset shards, tar files of lossless pictures and labels, and an index in Parquet with a line for each
# clip, which DuckDB, pandas or Polars read:
#
# ```
# duckdb -c "SELECT category, count(*), avg(drags) FROM 'clips/index/*.parquet' GROUP BY ALL"
# ```
#
# Look at the column `view`: where a number is missing, nothing visible moved in ten tries.

# %%
from puppetmaster_core.clips.shards import ClipStore

store = ClipStore(folder / "clips")
for path in sorted((folder / "clips").rglob("shard-*")):
    print(f"{path.relative_to(folder)}  {path.stat().st_size / 1024:.0f} kB")
index_table(store.index, ("view", "submodels", "drags", "travel", "licence"))

# %% [markdown]
# What is read back is what was filmed, to the bit: the first two clips, made again in memory, agree in every array.

# %%
from itertools import islice

from puppetmaster_core.clips.studio import Filming, film

how = Filming(size=size, frames=frames, views=views, setting="release")
again = (
    shot
    for shot in film(source.open(0), 0, source.name(0), how)
    if shot.clip is not None
)
for number, shot in enumerate(islice(again, 2)):
    assert store.column("key")[number] == shot.key
    for name, value in vars(store[number]).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, getattr(shot.clip, name), err_msg=name)
    print(shot.key, "is the same in the shard and in memory")

# %% [markdown]
# ## A clip as training sees it
#
# The clip out of the shard whose longest drag is longest, with its drags as arrows, and the points that they drag as dots (rings
# where hidden). The network gets the first frame and the drags, and has to draw the other thirteen. In training it does not get
# the same ones each time: a clip also holds the exact displacement of every pixel of frame 1, from which `sample_drags` draws
# others by the same rules.

# %%
from puppetmaster_core import Drags

most = int(np.argmax(store.column("travel")))
stored = store[most]
# where drags begin
column, row = np.clip((stored.drags[:, 0] * size).astype(int), 0, size - 1).T
dragged_tints = [tints[p] for p in stored.part_ids[0][row, column]]
figures.riding(
    stored.frames,
    stored.drags,
    stored.drag_visibility,
    dragged_tints,
    Drags(stored.drags),
    drag_tints=dragged_tints,
    alt="the stored clip, its drags as arrows and the points they drag as dots",
)

# %% [markdown]
# ## What this leaves open
#
# - The paper does not say how little a part may move to count as still. Ours gets no drag where no point of it travels farther
#   than 2 % of the picture's width.
# - "For the rest, we sample a random number of drags": for objects without sub-models, one to five here.
# - Drags start on what frame 1 shows. What comes into sight later has none.
#
# ## Exercise 1: how near is near?
#
# Two drags run side by side, the same distance apart in all frames. How many pixels (of 256 × 256) must that be at least, so
# that both stay? Put your number in place of `None`.

# %%
from lib import exercises

apart = None
print(exercises.near_drags(apart))

# %% [markdown]
# <details><summary>Solution</summary>
#
# The squared distance, summed over $N$ frames, is $N a^2$ for drags $a$ pixels apart. They are near if $N a^2 \le 20 N$, so
# both stay from $a > \sqrt{20} \approx 4.47$ on, however many frames there are: `apart = 20 ** 0.5`.
#
# </details>
#
# ## Exercise 2: the chances, by your own hand
#
# Write a function that takes the places of points in the world, an array of shape ($N$ frames, $P$ points, 3), and returns each
# point's chance ($P$ numbers that add up to one), as Section 4 wants it. Mind the point that goes out and comes back.

# %%
my_chances = None  # def my_chances(world): …
print(exercises.point_chances(my_chances))

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def my_chances(world):
#     steps = np.linalg.norm(np.diff(world, axis=0), axis=-1)  # (N − 1, P)
#     way = steps.sum(axis=0)
#     return way / way.sum()
# ```
#
# The distance between first and last place would not do: a drawer that opens and closes ends where it began.
#
# </details>
