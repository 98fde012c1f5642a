# %% [markdown]
# # From noise to a video: inference
#
# Training is over, and the weights are fixed. What is left to choose costs nothing to change and decides a lot: which noise
# levels to visit, by which solver, how hard to push towards the drags, and when. This chapter explains the choices, measures
# them, and ends with what makes a step itself cheaper without changing its result.
#
# **Time to run:** about 25 seconds on a laptop without a GPU. **You will see:** where solvers spend their steps, motion as it
# comes out of noise, one drag under weak and strong guidance, quality against time for every setting that was measured, and a
# guided step counted saving by saving. **Scale:** `tiny`, the shipped model; operations are counted at the paper's size, too.

# %% tags=["parameters"]
model = "tiny"  # a shipped model, a folder, or OWNER/NAME on the hub
seed = 0
steps = 4  # sampling steps of what is only looked at: more than this model needs
qualities_shown = ["draft"]  # which of draft, good and paper to draw at the end
# unseen clips for the comparison made here; far too few to tell settings apart
clips = 2
compared = {
    "Euler 3": {"solver": "euler", "steps": 3},
    "DPM-Solver++ 2M 3": {"solver": "dpm++", "steps": 3},
}
# rows of `puppetmaster solvers --output`; empty: the ones that come along, if they do
results = ""
# whose operations the last section counts; "svd" is the paper's size
count_scale = "tiny"
repeats = 1  # of the timings

# %% [markdown]
# ## Noise levels
#
# The network is a denoiser: given $z_\sigma = z_0 + \sigma\epsilon$ and $\sigma$, it says what $z_0$ looks like. From pure
# noise its first answer is the blurred mean of all videos that could follow. So one goes in steps: a little way towards the
# answer, less noise, ask again. In the limit of many steps this follows the differential equation
#
# $$ \frac{\mathrm{d} z}{\mathrm{d} \sigma} = \frac{z - D(z; \sigma)}{\sigma}, $$
#
# ([here](../book/equations.md#eq-sampling) with what checks it; $D$ is the network with its
# [preconditioning](../book/equations.md#eq-preconditioning)), and a *solver* is a way to follow it in few. Euler's goes
# straight along the slope; DPM-Solver++ 2M remembers the last slope as well, which cancels most of the error;
# Align-Your-Steps is Euler's at ten noise levels that were searched for SVD. Look at where steps are spent. SVD's models start
# at $\sigma = 700$ and end at 0.002: coarse layout is settled where $\sigma$ is well above 1, texture below. A model keeps to
# the range that it was trained in, and what `tiny` diffuses has no texture, so its range is shorter at both ends.

# %%
from importlib.resources import files
from pathlib import Path

from lib import sampling_figures as figures
from lib.figures import moving
from puppetmaster_core import Drags, PuppetMasterPipeline
from puppetmaster_core.pictures import open_picture
from puppetmaster_core.sampling import Sampling

examples = Path(str(files("puppetmaster_core") / "examples"))
picture, drags = (
    open_picture(examples / "cabinet.png"),
    Drags.from_json(examples / "cabinet.json"),
)
pipe = PuppetMasterPipeline.from_pretrained(model)
pipe.set_progress_bar_config(disable=True)
ways = {"Euler 25": Sampling("euler", 25), "DPM-Solver++ 2M 10": Sampling("dpm++", 10),
        "Align-Your-Steps 10": Sampling("ays", 10)}
figures.schedules(
    {name: way.scheduler(pipe.scheduler).sigmas.tolist() for name, way in ways.items()},
    (1.0, 50.0),
)

# %% [markdown]
# ## Motion, out of noise
#
# What is $z$? In the paper, a VAE's latents of every frame, and one would have to decode them to see anything. `tiny`
# diffuses motion ([how](../book/equations.md#eq-field)), and that can be drawn as it is. For each pixel of frame 1, on a grid
# of 32 × 32, the drags and one look at the picture already make [a guess](../book/equations.md#eq-guess): the part that a
# drag lies on goes where the drag goes, and turns or grows as a part that looks like this does (left). The network may add
# what is missing, for limbs bend and shafts turn along with their handles (how far `tiny` has learned this says its card);
# and it says anew which pixels move. Direction is a hue, length its strength. Look along a row: noise first, then the answer;
# after the first step most of it is there, which is why this model needs so few.

# %%
import numpy as np

from lib.motion_figures import diffusing
from puppetmaster_core.latents.protocol import MotionLatents
from puppetmaster_core.pictures import to_tensor

passing = []  # what is diffused, after each step


def note(_, step, timestep, kept):
    passing.append(kept["latents"].clone())
    return kept

pipe(picture, drags, seed=seed, steps=steps, solver="euler", callback_on_step_end=note)
levels = Sampling("euler", steps).scheduler(pipe.scheduler).sigmas[1:].tolist()
if isinstance(pipe.latents, MotionLatents):
    seen = pipe.latents.look(
        to_tensor(np.asarray(picture))[None], *pipe.drag_tensors([drags]), [None]
    )
    stages = [f"step {i + 1}, σ = {level:.2g}" for i, level in enumerate(levels)]
    shown = diffusing(passing, seen.known, pipe.vae.config.scale, stages)
else:
    shown = f"{model} diffuses latents of pictures: decode them to see anything"
shown

# %% [markdown]
# ## Guidance over the frames
#
# Trained with a tenth of its clips without drags (App. C.1), the network can answer both ways. Guidance takes the difference
# for what the drags mean, and goes further that way:
#
# $$ v = v_\varnothing + w_n \, (v_{\mathcal{D}} - v_\varnothing). $$
#
# ([The weights](../book/equations.md#eq-guidance), with what checks them.) $w = 1$ is the plain answer with drags. And $w_n$
# grows over the frames (App. C.2): frame 1 is given, so there is nothing to push; the last frame has the farthest to go. This
# is the code, and the paper's weights beside this model's:

# %%
import inspect

from puppetmaster_core.diffusion import frame_guidance, guide

print(inspect.getsource(frame_guidance), inspect.getsource(guide), sep="\n")
own, frames = pipe.config.max_guidance, pipe.config.frames
figures.guidance_weights({"the paper's": frame_guidance(frames).numpy(),
                          "this model's": frame_guidance(frames, 1.0, own).numpy()})

# %% [markdown]
# `tiny`'s weight is 1 throughout, and its second half is spared: a drag's motion is told it before anything is diffused, so
# there is little left to push. Other weights can be asked for. The same noise, the same drag, and three maxima. Look at the
# dragged drawer in the last frames: does it go farther as the weight grows? And look at what pays for it: what should stay
# still. (In a model that draws, colours too: strong guidance drives them past what any picture has.)

# %%
videos = {
    f"up to {weight:g}": pipe(
        picture, drags, seed=seed, solver="dpm++", steps=steps, max_guidance=weight
    )
    for weight in sorted({1.0, own, 2.0, 5.0})
}
moving(videos, size=200, alt="the same drawer under weak and strong guidance")

# %%
from puppetmaster_core.evaluation.metrics import moving_region

for name, video in videos.items():
    changed = moving_region(video.frames)[-1]
    print(f"{name:10} {changed.mean():6.1%} of the last frame differs from the first")

# %% [markdown]
# ## Guidance for some of the steps
#
# Guidance asks twice, so it doubles the cost: here counted with the paper's weights, whatever the model's own are. At very high
# noise the two answers are guesses about layout, and pushing their difference hardly helps; at very low noise everything is
# settled. Asking twice only in between is faster, and elsewhere has been found better, too. What it saves can be counted before
# anything is drawn:

# %%
from puppetmaster_core.evaluation.solvers import SETTINGS, network_videos

calls = {
    name: network_videos(pipe, {"max_guidance": 5.0} | how)
    for name, how in SETTINGS.items()
}
for name, count in calls.items():
    print(f"{name:45} {count:4} videos through the network")
assert (
    calls["DPM-Solver++ 2M 10"] == 20 and calls["DPM-Solver++ 2M 10, no guidance"] == 10
)
assert 50 < calls["Euler 50, guidance at σ 0.2 to 20"] < calls["Euler 50"] == 100

# %% [markdown]
# ## Measured
#
# Time alone decides nothing. Every setting below animates the same unseen cabinets from the same noise, taking turns on
# one machine. Two measures: how right the *moving* region is (PSNR, with a 95 % interval over clips), and the share of
# parts that go the right way. First a smoke run, two solvers at three steps, to see the machinery; its intervals say how
# little a few clips tell.

# %%
from puppetmaster_core.evaluation.solvers import compare_settings, solvers_table

rows = compare_settings(pipe, clips, compared, seed)
print(solvers_table(rows))
assert [row["name"] for row in rows] == list(compared) and all(
    row["seconds"] > 0 for row in rows
)

# %% [markdown]
# And the whole comparison, as `puppetmaster solvers --model tiny --output results/solvers_tiny.json` measured it once on more
# clips. Where that file is missing, the smoke run stands in. Each number is a setting, named in the legend; hollow marks
# spare guidance at some noise levels or at all. Look for the leftmost mark whose interval still overlaps that of the best:
# whatever lies to the right of it only costs time.

# %%
from puppetmaster_core.presets import QUALITIES
from puppetmaster_core.provenance import CHECKOUT

found = figures.measured(
    Path(results) if results else CHECKOUT / "results" / f"solvers_{model}.json"
)
drawn, origin = found or (rows, f"the smoke run above: {clips} clips")
print(origin)
qualities = pipe.config.qualities or QUALITIES
named = {
    row["name"]: quality
    for row in drawn
    for quality, how in qualities.items()
    if row["settings"] == how
}
figures.quality_against_time(drawn, named)

# %% [markdown]
# ## Three words for it
#
# Nobody wants to choose solvers before breakfast. `quality="draft"`, `"good"` or `"paper"` picks settings; a model may bring
# its own, chosen from a comparison as above. `"paper"` always takes App. C.2's 50 steps of Euler's.

# %%
from lib.tables import table as as_table

as_table(
    ("quality", "settings", "videos through the network"),
    [
        (
            name,
            ", ".join(f"{key} {value}" for key, value in how.items()),
            network_videos(pipe, how),
        )
        for name, how in qualities.items()
    ],
)

# %%
shown = {f"{steps} steps": videos[f"up to {own:g}"]}
shown |= {
    quality: pipe(picture, drags, seed=seed, quality=quality)
    for quality in qualities_shown
}
moving(shown, alt="the same drawer at several qualities")

# %% [markdown]
# ## A cheaper step, to the bit
#
# The other way to be faster is to waste nothing. A guided step as released does work that no noise level changes: it encodes
# and convolves the same drags again in every step, for both answers. It repeats keys for every frame. It attends to a single
# key, which is no attention. Each line of the bench takes away one more of these, and none changes the result: that is tested
# in double precision. Times are medians on this machine, in this run, and noisy; operations are counted and exact.

# %%
from puppetmaster_core.bench import bench_table, count_step, guided_step
from puppetmaster_core.presets import SVD, TINY

timed = guided_step(TINY, repeats)
print(bench_table(timed))

# %% [markdown]
# The same as a picture; at the paper's size it is counted on PyTorch's meta device, without weights or time. Look at the first
# step down: at the paper's size the modulation networks are a fifth of the released network's work, and they do not depend on
# the noise at all.

# %%
from lib.network_figures import bars

counts = (
    count_step(SVD) if count_scale == "svd" else {row.name: row.flops for row in timed}
)
assert sorted(counts.values(), reverse=True) == list(counts.values())
figure_of = {name: count / 1e9 for name, count in counts.items()}
bars(
    f"one guided step at the size of {count_scale}",
    "floating-point operations / 10⁹",
    figure_of,
)

# %% [markdown]
# Steps and savings multiply. For one video, as released with Euler's 50 steps, and as `"draft"` does it here, in
# operations of the network:

# %%
released, ours = (list(counts.values())[i] for i in (0, -1))
# a guided step is two videos
slow, fast = 50 * released, network_videos(pipe, qualities["draft"]) / 2 * ours
print(
    f"{slow / 1e12:.3f} and about {fast / 1e12:.3f} TFLOP: {slow / fast:.1f} times less"
)

# %% [markdown]
# `puppetmaster bench --scale tiny --compile` also times the compiled network, and on a GPU the paper's size.
#
# ## Exercise 1: the weight of one frame
#
# The paper's guidance grows from 1 to 5 over 14 frames. What is the weight of frame 8?

# %%
from lib import exercises

weight_of_frame_8 = None
print(exercises.guidance_weight(weight_of_frame_8))

# %% [markdown]
# <details><summary>Solution</summary>
#
# Fourteen frames have thirteen steps between them, and frame 8 is seven of them in: `weight_of_frame_8 = 1 + 4 * 7 / 13`, about
# 3.15.
#
# </details>
#
# ## Exercise 2: count before you wait
#
# Ten steps of DPM-Solver++ over SVD's range, with guidance where $1 \le \sigma \le 50$. How many videos go through the network?
# Read the noise levels off the list.

# %%
# no model's own: SVD's
levels = Sampling("dpm++", 10).scheduler(None).sigmas[:-1].tolist()
print("σ at the ten steps:", ", ".join(f"{level:.3g}" for level in levels))
answer = None
print(
    exercises.network_calls(
        answer, len(levels) + sum(1 <= level <= 50 for level in levels)
    )
)

# %% [markdown]
# <details><summary>Solution</summary>
#
# One for each step, and one more for each that is guided: those at 41, 9.93 and 2.4, so `answer = 13`.
#
# </details>
