# %% [markdown]
# # The paper's figures, made again
#
# Ten figures carry the paper. Here is a counterpart of each, made by the code of this book while the page was built: smaller,
# drawn from what can be had without a download, and where something cannot be had yet, saying so. Each figure has a line that
# names the scale it was made at. Read it first: a figure of `tiny` shows how a mechanism acts, not how well the paper's model
# does.
#
# **Time to run:** about half a minute on a laptop without a GPU. **You will see:** a gallery; the network, drawn by asking it
# what it is made of; animations that training keeps and drops; results beside what is trivial; a trained network with parts
# taken out; a training run; pictures of the wrong size; what seeds, drags and backgrounds change, and failures.
# **Scale:** `tiny`, pictures of 64 × 64 pixels, but for Figure 2, which may be of any scale, and Figure 8.

# %% tags=["parameters"]
model = "tiny"  # a shipped model, a folder, or OWNER/NAME on the hub
quality = "draft"  # draft, good or paper
steps = 2  # sampling steps; 0: as many as the quality has
seed = 0
count = 2  # unseen cabinets in the gallery
kinds = ["human", "flag"]  # of the procedural library, in Figure 5
curated = ["door", "bird", "spin", "explode"]  # in Figure 3
drawn_scale = "tiny"  # whose network Figure 2 draws; "svd" is the paper's size
sizes = [64, 128]  # pixels a side in Figure 8
seeds = 2  # in Figure 9
backgrounds = 2  # in Figure 10
# other methods' videos of Figure 4's picture: {"DragNUWA": "others/dragnuwa.mp4"}
methods = {}
arms = {}  # trained ablation arms for Figure 6: {"A": "runs/arm_a/pipeline"}
# run folders for Figure 7: {"curated": "runs/hq", "not curated": "runs/all"}
curation_runs = {}

# %%
import numpy as np

from lib import paper_figures as paper
from lib import scenes
from lib.figures import moving, strip
from puppetmaster_core import PuppetMasterPipeline

pipe = PuppetMasterPipeline.from_pretrained(model)
pipe.set_progress_bar_config(disable=True)
how = {"quality": quality, "steps": steps or None, "seed": seed}
made = paper.made_by(pipe, model, **how)
print(made)

# %% [markdown]
# ## Figure 1: a gallery
#
# The paper opens with part-level motion, prompted by arrows, on real pictures. Ours opens with the first cabinets of a set that
# no training has seen. None was picked by hand. Look at the arrow's end in the last frame: is the dragged part there? And look
# at the rest: does it stay?

# %%
unseen = scenes.cabinets(count, pipe.config.size, pipe.config.frames)
gallery = {scene.name: pipe(scene.picture, scene.drags, **how) for scene in unseen}
moving(gallery, size=176, alt="cabinets whose parts are dragged", made=made)

# %% [markdown]
# How often the part goes the right way, and how right it looks, is counted on many more of them. From the ledger:

# %%
from puppetmaster_core.evaluation.ledger import claim

for name in (
    "cabinets.tiny.right_direction",
    "cabinets.tiny.psnr_moving",
    "cabinets.static_copy_beside_tiny.psnr_moving",
):
    one = claim(name)
    print(f"{one.what}: {one.figure}" + (f" ({one.clips} clips)" if one.clips else ""))

# %% [markdown]
# ## Figure 2: the network, drawn from the code
#
# The paper's overview marks three additions to SVD's network: (A) modulation, (B) drag tokens, (C) all-to-first attention. Nobody
# drew the picture below. It asks a `DragUNet` for its blocks, each block for its layers, and one forward pass without numbers
# for the sizes. Look where A, B and C sit: in every layer that has attention, [Eq. 3](../book/equations.md#eq-3) before
# [Eq. 4](../book/equations.md#eq-4), and nowhere else.

# %% mystnb={"image": {"alt": "The U-Net as boxes in the shape of a U, with a column of lettered tiles for each layer"}}
from lib import architecture
from puppetmaster_core.bench import problem
from puppetmaster_core.presets import SVD, TINY

# on the meta device: shapes without numbers
network = problem({"tiny": TINY, "svd": SVD}[drawn_scale], "meta")
blocks = architecture.stations(network)
architecture.drawn(network, blocks, drawn_scale)

# %%
letters = {
    layer: "".join(architecture.KINDS[kind][0] for kind in layer)
    for one in blocks
    for layer in one.layers
}
print("kinds of layers:", ", ".join(sorted(set(letters.values()))))
assert all(
    {"modulation", "all_to_first", "tokens"} <= set(layer)
    for layer in letters
    if "time" in layer
)

# %% [markdown]
# ## Figure 3: curation
#
# The paper shows animations that its two filters drop and one that stays, with its drags. Ours shows objects of the procedural
# library, bad ones among them on purpose, and the first filter: metrics and a forest ([how](04_curation.ipynb)). The second, a
# judge that looks at pictures, needs a server and was not asked. Each row is one animation at the ends of its four quarters. Look
# at the reason above each row, and at what is left of those that stay: a first frame and its drags.

# %%
from puppetmaster_core.curation.forest import Forest

looked_at = paper.judged(curated, Forest.load(), pipe.config.size, pipe.config.frames)
paper.curation_strips(
    looked_at,
    made=f"procedural library, {pipe.config.size} pixels a side; no network takes part",
)

# %% [markdown]
# ## Figure 4: comparison
#
# The paper compares videos of real pictures by other generators. Their weights are downloads, so what stands beside ours here
# is what is trivial: the truth, a copy of frame 1, a blend of the true first and last frames, the same network without drags,
# and the object shifted as a whole along its drag. The last one is a caricature of what the paper says of generators trained
# on real videos, and no method's result. Whoever has other methods' videos gives them as `methods`, and they become rows;
# [the pages on the compared methods](../book/compared/README.md) say how they are made. The picture is the gallery's with the
# longest drag. Look at the moving part and at what it leaves behind: only a method that knows parts changes the one and fills
# in the other.

# %%
from puppetmaster_core.evaluation.metrics import first_last_blend, static_copy
from puppetmaster_core.evaluation.videos import evenly_spaced, read_video, squared

# chosen by what is asked for, not by what came out
scene = max(unseen, key=scenes.reach)
rows = {
    "truth": scene.clip.frames,
    model: gallery[scene.name].frames,
    "without drags": pipe(scene.picture, None, **how).frames,
    "shifted as a whole": scenes.moved_as_a_whole(scene),
    "frame 1, copied": static_copy(scene.clip.frames),
    "first into last": first_last_blend(scene.clip.frames),
}
rows |= {
    name: squared(evenly_spaced(read_video(path), pipe.config.frames), pipe.config.size)
    for name, path in methods.items()
}
strip(rows, count=5, width=7.5, made=made)

# %% [markdown]
# ## Figure 5: results
#
# The paper's are real pictures of people, animals and things. First, objects of the procedural library: what a model was
# trained on its card says, and kinds that are not on it are strange to it.

# %%
things = scenes.objects(kinds, pipe.config.size, pipe.config.frames)
moving(
    {scene.name: pipe(scene.picture, scene.drags, **how) for scene in things},
    size=176,
    alt="objects of the procedural library, dragged",
    made=made,
)

# %% [markdown]
# And two photographs, free of copyright, that come with scikit-image. A model of this size has never seen anything like them, so
# look which pixels it takes for a part: they move sharply, whether they should or not. The paper's model generalises to such
# pictures because SVD has seen millions of them.

# %%
photographs = scenes.photographs(pipe.config.frames)
moving(
    {scene.name: pipe(scene.picture, scene.drags, **how) for scene in photographs},
    size=240,
    alt="a photograph in which something is dragged",
    made=made,
)

# %% [markdown]
# ## Figure 6: ablation samples
#
# The paper trains a network for each design and shows their last and first three frames. The designs are settings here
# ([the table](02_drag_modulation_and_tokens.ipynb)); networks trained with them are given as `arms`. Where none are given, as in
# this run unless a row is named after one, parts are **taken out of the trained network** instead. That is another question: a
# network that grew up with a part misses it more than one that never had it. So do not read Table 2 out of these rows. Look at
# which loss hurts where: without its ways of hearing drags a network should move less or elsewhere; and looking into the frame
# itself instead of frame 1 should cost appearance.

# %%
if arms:
    variants = {
        name: PuppetMasterPipeline.from_pretrained(folder)
        for name, folder in arms.items()
    }
else:
    variants = {
        name: paper.without(pipe, **settings)
        for name, settings in paper.TAKEN_OUT.items()
    }
for one in variants.values():
    one.set_progress_bar_config(disable=True)
samples = {
    name: one(scene.picture, scene.drags, **how).frames
    for name, one in variants.items()
}
strip(
    samples,
    shown=[pipe.config.frames, 1, 2, 3],
    width=6.5,
    made=f"{made}; {'trained arms' if arms else 'parts taken out'}",
)

# %%
if not arms:
    assert np.array_equal(samples["nothing taken out"], gallery[scene.name].frames), (
        "the same weights, the same video"
    )

# %% [markdown]
# ## Figure 7: training curves
#
# The paper's curves are of two trainings, with and without curation, and the one without collapses. That takes two long runs;
# once they are there, `curation_runs` draws them. Until then: the log of the model that comes along, of its denoiser's trainings.
# Its loss jumps, because each step draws its own noise levels; look at the trend, and at the gradient's norm, which is where an
# unstable run would show first.

# %%
import json
from importlib.resources import files
from pathlib import Path

from lib import training_figures
from puppetmaster_core.training.export import curves

shipped = files("puppetmaster_core") / "weights" / "tiny" / "training_log.json"
logs = {name: curves(Path(run) / "denoiser") for name, run in curation_runs.items()}
logs = logs or {
    f"tiny, {name}": log
    for name, log in json.loads(shipped.read_text()).items()
    if name.startswith("denoiser")
}
training_figures.curves(logs, ("loss", "gradient norm"))

# %% [markdown]
# ## Figure 8: the wrong resolution
#
# SVD was trained on 1024 × 576 pixels and fails at 256 × 256: neither convolutions nor attention are indifferent to the size of
# what they see. That is why the paper adds all-to-first attention. `tiny` has another way out: its network sees 64 × 64 pixels
# of whatever it is given, and the motion that comes of it moves the picture's own pixels, at 64, 128 or 256 a side. Below, the
# same weights, and the same cabinet rendered at several sizes. Look at the moving part's edges: they are as sharp as the picture.

# %%
from puppetmaster_core.latents.protocol import MotionLatents

says_motion, other_sizes = isinstance(pipe.latents, MotionLatents), {}
for size in sizes:
    at_size = pipe if says_motion else paper.remade(pipe, size=size)
    again = next(
        one
        for one in scenes.cabinets(count, size, pipe.config.frames)
        if one.name == scene.name
    )
    other_sizes[f"{size} × {size}"] = at_size(again.picture, scene.drags, **how).frames
strip(other_sizes, count=5, width=7.5, made=f"{made}; pictures of the sizes named")

# %% [markdown]
# ## Figure 9: diversity, and failures
#
# **a, b: seeds.** The same picture and drags, other noise. A drag leaves open whatever it does not speak of: what is behind a
# door, and where other parts go. Look for what differs between the films; the drag itself is the same path in all of them.
# `tiny` leaves less open than the paper's model: its noise is about motion only, and what it paints has none.

# %%
by_seed = pipe(
    scene.picture, scene.drags, **how | {"seed": list(range(seed, seed + seeds))}
)
moving(
    {f"seed {seed + i}": video for i, video in enumerate(by_seed)},
    size=176,
    alt="the same drags with other noise",
    made=made,
)

# %% [markdown]
# **c, d: drags.** The same picture and noise, other drags: each of two parts alone, and the first one pulled the other way. Look
# which part answers.

# %%
two_parts = scenes.cabinets(1, pipe.config.size, pipe.config.frames, parts=2)[0]
sets = scenes.dragged_one_by_one(two_parts)
answers = pipe(two_parts.picture, list(sets.values()), **how)
moving(
    dict(zip(sets, answers, strict=True)),
    size=176,
    alt="one picture, other drags",
    made=made,
)

# %% [markdown]
# **e: a drag that no part can follow.** It pulls at the body of the cabinet. The paper's model is made for the motion *of parts*
# and may produce artefacts here. Look whether the body stays, bends, or tears.
#
# **f: parts that must move together.** The paper's failure is a fan whose blades get lost. Look whether the fan keeps its blades
# as it turns.

# %%
fan = scenes.objects(["fan"], pipe.config.size, pipe.config.frames)[0]
failures = {
    "the whole cabinet, dragged": pipe(
        scene.picture, scenes.whole_object_drag(scene), **how
    ),
    "a fan": pipe(fan.picture, fan.drags, **how),
    "the fan, in truth": fan.clip.frames,
}
moving(failures, size=176, alt="cases that the paper names as failures", made=made)

# %% [markdown]
# ## Figure 10: diverse backgrounds
#
# All of the paper's training frames are white behind the object, and so are those of the cabinets. SVD has seen backgrounds; a
# network that learned from nothing has not, unless its recipe had some. The same cabinet, before made ones and before a
# photograph. Look whether the background holds still while the part moves.

# %%
from puppetmaster_core.pictures import open_picture
from puppetmaster_core.render.backgrounds import make_background

side, rng = pipe.config.size, np.random.default_rng(seed)
behind = {
    f"made, {i + 1}": make_background("random", rng, side) for i in range(backgrounds)
}
photograph = open_picture(photographs[0].picture)
behind["a photograph"] = np.asarray(
    photograph.crop((0, 0, min(photograph.size), min(photograph.size))).resize(
        (side, side)
    )
)
before = {
    name: scenes.over_background(scene, picture, name)
    for name, picture in behind.items()
}
videos = {name: pipe(one.picture, one.drags, **how) for name, one in before.items()}
moving(videos, size=176, alt="a cabinet before other backgrounds", made=made)

# %% [markdown]
# ## What is missing
#
# Real results need SVD's weights: [scaling up](12_scaling_up.ipynb) says how to get from here to there, and every figure above
# takes another `model`. Which of the paper's numbers hold here, and which nobody has tried yet, is on [the page on
# claims](../book/claims.md).
#
# ## Exercise: where do seeds disagree?
#
# Write a function from the videos of several seeds, an array of shape ($M$ seeds, $N$ frames, $H$, $W$, 3), to a map ($H$, $W$)
# that says for each pixel of the last frame how far the seeds are from each other: 0 where they agree.

# %%
from lib import exercises

my_spread = None  # def my_spread(videos): …
print(exercises.spread_over_seeds(my_spread))

# %% [markdown]
# Draw it for Figure 9's seeds: where is it bright?

# %%
paper.spread_map(my_spread, [video.frames for video in by_seed])

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def my_spread(videos):
#     return videos[:, -1].astype(float).std(axis=0).mean(axis=-1)
# ```
#
# It is bright where the drag leaves something open, and where the network is unsure: at the edges of the moving part, and in
# what the part uncovers, which frame 1 does not show.
#
# </details>
