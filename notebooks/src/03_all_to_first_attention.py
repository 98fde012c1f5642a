# %% [markdown]
# # Every frame looks at the first: all-to-first attention
#
# Fine-tuned on small synthetic videos, SVD greys its backgrounds and smears its objects; only the first frame, which it merely
# has to copy, stays clean. Section 3.3 makes use of that: in every self-attention layer, every frame looks into frame 1, and
# nowhere else. This chapter derives Eq. 4, holds the fast form to the slow one, and shows where a place of a moving part looks.
#
# **Time to run:** about 20 seconds on a laptop without a GPU. **You will see:** a trick that makes fourteen attentions one, the
# difference between fast and slow (none), the attention of a chosen point into frame 1 on each level, the arms that
# Table 2 compares, and what each costs. **Scale:** `tiny`, the shipped model: $8 \times 8$ places a frame, and $4 \times 4$
# below.

# %% tags=["parameters"]
model = "tiny"  # a shipped model, a folder, or OWNER/NAME on the hub
picture_path = ""  # your own picture; empty: the one that comes along
drags_path = ""  # its drags, as JSON
seed = 0
# of the video that is looked into: more than the model needs, to see what changes on
# the way
steps = 4
# whose operations the last section counts; "svd" is the paper's size
count_scale = "tiny"

# %% [markdown]
# ## From self-attention to Eq. 4
#
# A frame has $L = s \times s$ places. In SVD's spatial self-attention each place of frame $i$ asks all places of the **same**
# frame:
#
# $$ A_i = \operatorname{softmax}\!\left(\frac{Q_i K_i^\top}{\sqrt D}\right) V_i,
# \qquad Q_i, K_i, V_i \in \mathbb{R}^{L \times D}. $$
#
# Row $l$ of the softmax holds $L$ weights that add up to one: how much place $l$ takes from each place it may look at. If frame
# $i$ is noisy, so is all that it can take. Now let it ask the clean frame instead. Keep the queries, and throw away the keys
# and values of all frames but the first:
#
# $$ A_i = \operatorname{softmax}\!\left(\frac{Q_i K_1^\top}{\sqrt D}\right) V_1. \tag{4} $$
#
# ([Eq. 4](../book/equations.md#eq-4), with what checks it; the paper counts frames from 0 here and writes $K[0]$.) Shapes do
# not change and no parameter is added: SVD's weights fit as they are. Here it is, frame by frame, to be read rather than run:

# %%
import inspect

import torch

from puppetmaster_core.model import attention

print(inspect.getsource(attention.softmax_attention))
print(inspect.getsource(attention.all_to_first_reference))

# %% [markdown]
# ## Fourteen attentions in one
#
# $Q_1, \dots, Q_N$ ask the same keys. A row of the softmax knows nothing of other rows. So stack the queries of all frames, and
# one call over $N \cdot L$ queries and $L$ keys gives all of $A$. Nothing is copied: the obvious way, repeating $K_1$ and $V_1$
# for every frame, holds $N$ times the keys and values.

# %%
print(inspect.getsource(attention.attend_folded))
print(inspect.getsource(attention.all_to_first))

# %% [markdown]
# The two must agree, in their results and in their gradients. Numbers in double precision, three videos of fourteen frames:

# %%
generator = torch.Generator().manual_seed(seed)
frames, heads, places, channels = 14, 2, 64, 32
q, k, v = (
    torch.randn(
        3 * frames, heads, places, channels, generator=generator, dtype=torch.float64
    ).requires_grad_()
    for _ in range(3)
)
fast, slow = (
    way(q, k, v, frames)
    for way in (attention.all_to_first, attention.all_to_first_reference)
)
print(f"results differ by at most {(fast - slow).abs().max():.0e}")
for name, ours, wanted in zip(
    "qkv",
    torch.autograd.grad(fast.square().sum(), (q, k, v)),
    torch.autograd.grad(slow.square().sum(), (q, k, v)),
    strict=True,
):
    print(f"gradients of {name} by at most {(ours - wanted).abs().max():.0e}")
    assert torch.allclose(ours, wanted, atol=1e-12)
assert torch.allclose(fast, slow, atol=1e-13)

# %% [markdown]
# ## Where does a place look?
#
# The weights of Eq. 4 can be drawn: for one place of frame $n$, a map over frame 1. The interesting place is $v^n$, where the
# dragged point is by now. What it shows should come from $u$, where the point was in frame 1: that is how the paper explains
# that drags and all-to-first attention help each other. Does this model do that?

# %%
from importlib.resources import files
from pathlib import Path

from lib import network_figures as figures
from lib import probes
from puppetmaster_core import Drags, PuppetMasterPipeline
from puppetmaster_core.pictures import Placement, open_picture

examples = Path(str(files("puppetmaster_core") / "examples"))
picture = open_picture(picture_path or examples / "cabinet.png")
drags = Drags.from_json(drags_path or examples / "cabinet.json")
# networks see squares: white is added to other shapes
square = Placement.of(picture.size, max(picture.size))
picture, drags = square.pad(picture), square.drags_in(drags)
pipe = PuppetMasterPipeline.from_pretrained(model)
pipe.set_progress_bar_config(disable=True)
names = probes.layer_names(pipe.unet)
with probes.watching(pipe.unet) as passes:  # copies queries and keys as they pass
    video = pipe(picture, drags, seed=seed, steps=steps)
print(f"{len(passes)} steps, {len(passes[0])} transformers in each: {', '.join(names)}")

# %% [markdown]
# The left column asks, at the dot; the others answer, level by level, brighter where more weight lies, half-way from noise to
# video. The cross is $u$. Look whether the bright cells lie near the cross while the dot moves away from it; look also for
# layers that look elsewhere, and always at the same cells: not every layer carries pictures. An even look at everything would
# give each cell 1 part in 64, or in 16 on the coarse level.

# %%
def looks(glimpses, path):
    """For each transformer, where the cell of path (N, 2) in each frame looks: (N, h,
    w)."""
    return [probes.weights_of(one, path).numpy() for one in glimpses]

path, shown_frames = drags.points[0], (1, frames // 2, frames)
half_way = passes[len(passes) // 2]
figures.attention_into_first(
    picture, video.frames, names, looks(half_way, path), path, shown_frames, path[0]
)

# %% [markdown]
# Numbers for the same question: the weight on $u$'s own cell, as a multiple of what an even look would give it, in the last
# frame and over the steps from noise to video. Above the dotted line, $v^N$ looks at $u$ more than at other places.

# %%
towards_u = [
    [probes.weight_at(one, path, path[0])[-1] for one in glimpses]
    for glimpses in passes
]
figures.over_steps(
    names,
    torch.tensor(towards_u).numpy(),
    "weight on u's cell, in even shares",
    level=1.0,
)

# %%
strongest = torch.tensor(towards_u).amax(0)
for name, share in zip(names, strongest.tolist(), strict=True):
    print(
        f"{name:10} at its strongest {share:4.1f} even shares: "
        f"{'looks back at u' if share > 2 else 'no sign of it'}"
    )

# %% [markdown]
# The paper's explanation is a hope about what training will find, not a property of Eq. 4, and it is about networks that draw:
# what $v^n$ shows has to be fetched from $u$. `tiny` does not draw. It says where the pixels of frame 1 go, in frame 1's own
# coordinates, so what it has to say of the dragged part stands at $u$ in *every* frame, and at $v^n$ there is nothing to fetch.
# (What was there before is a matter for the painter.) Where no layer looks back, that is why; and what is known of the picture
# comes in beside the noise of every frame anyway. A claim about mechanisms is best checked on the model at hand.

# %% [markdown]
# ## Now you
#
# Draw another drag and press *Generate*. When the take is there, the figure below is drawn anew from a look into the network
# with your drag, its dot, and its cross. Try the body of the cabinet, which cannot move, and a pin.

# %%
from puppetmaster_core.editor import DragEditor

editor = DragEditor(
    picture, drags, pipeline=pipe, presets={"the drawer": drags}, seed=seed
)
editor

# %%
def look_at_the_last_take():
    take = editor.takes[-1] if editor.takes else None
    if take is None:
        told, shown, seen = drags, video, half_way
    else:
        with probes.watching(pipe.unet) as again:
            told, shown = (
                take.drags,
                pipe(picture, take.drags, seed=take.seed, steps=steps),
            )
        seen = again[len(again) // 2]
    way = told.points[0]
    return figures.attention_into_first(
        picture, shown.frames, names, looks(seen, way), way, [frames], way[0]
    )

shown = probes.follow(editor, "shown_takes", look_at_the_last_take)

# %% [markdown]
# A cell can ask from another place, too. `ask` is any place of the picture, here on the cabinet's right side, which stays. What
# should such a place look at? Itself: `ask` is also marked by the cross.

# %%
ask = torch.tensor([0.72, 0.60])
still = ask.expand(frames, 2).numpy()
figures.attention_into_first(
    picture, video.frames, names, looks(half_way, still), still, [frames], ask
)

# %% [markdown]
# ## What it is compared with
#
# Table 2 compares three ways for a frame to attend. They have one signature, `(q, k, v, frames)`, and a network takes one by
# its name. `spatial` is SVD's own. `static_reference` runs a second, clean video through the same network, the picture repeated
# $N$ times, and lets frame $i$ ask frame $i$ there. Each has its slow reference, too:

# %%
for name, arm in attention.ATTENTION_ARMS.items():
    # the static reference wants as many clean videos as noised ones
    rows = [x[: 2 * frames] for x in (q, k, v)]
    gap = (
        (arm.attend(*rows, frames) - attention.SLOW_REFERENCES[name](*rows, frames))
        .abs()
        .max()
    )
    print(f"{name:17} differs from its slow reference by {gap:.0e}")
    assert gap < 1e-13
print(
    inspect.getsource(attention.spatial),
    inspect.getsource(attention.static_reference),
    sep="\n",
)

# %% [markdown]
# What the paper measured, all trained with conditioning C on Drag-a-Move alone. Look at PSNR. No attention to the reference is
# worse than the static reference, and both are far behind; so it is not the reference alone that helps, but where it comes
# from: frame 1 of the *same* branch, made of the features that the network knows. These are the paper's numbers; ours, of other
# clips at another scale, are on the page on claims.

# %%
from lib.tables import table
from puppetmaster_core.evaluation.paper import TABLE_2

head = (
    "attention",
    "PSNR",
    "SSIM",
    "LPIPS",
    "FVD",
    "motion error",
    "% wrong direction",
)
table(
    head,
    [
        (arm, *map(str, figures_of))
        for arm, figures_of in TABLE_2.items()
        if "attention" in arm
    ],
)

# %% [markdown]
# ## What it costs
#
# Per layer, the scores $Q K^\top$ are $N \cdot L^2$ products either way. But keys and values are projected for one frame
# instead of $N$, so all-to-first attention is *cheaper* than what it replaces, a little. The static reference doubles the
# batch, and everything with it. Counted, not timed, for one guided step of the whole network:

# %%
from dataclasses import replace

from puppetmaster_core.bench import count_step
from puppetmaster_core.presets import SVD, TINY

# with every other saving
preset, last = {"tiny": TINY, "svd": SVD}[count_scale], "+ positions of frames once"
# the static reference is a video, so each arm gets the picture's latents (§3.1)
given = {"in_channels": 2 * preset.unet["out_channels"]}
counts = {
    arm: count_step(
        replace(preset, unet=preset.unet | given | {"attention": arm}),
        which=lambda name: name == last,
    )[last]
    for arm in attention.ATTENTION_ARMS
}
assert counts["all_to_first"] < counts["spatial"] < counts["static_reference"]
figures.bars(
    f"one guided step at the size of {count_scale}",
    "floating-point operations / 10⁹",
    {name: count / 1e9 for name, count in counts.items()},
)

# %% [markdown]
# ## Exercise 1: who hears of whom?
#
# One layer of all-to-first attention on five frames. You change what comes in for frame 3. Which frames come out changed? And
# if you change frame 1? Answer with sets, such as `{2, 4}`.

# %%
from lib import exercises

if_frame_3_changes, if_frame_1_changes = None, None
print(exercises.frames_that_change(3, if_frame_3_changes))
print(exercises.frames_that_change(1, if_frame_1_changes))

# %% [markdown]
# <details><summary>Solution</summary>
#
# `if_frame_3_changes, if_frame_1_changes = {3}, {1, 2, 3, 4, 5}`. Frame 3 gives nobody keys or values, only its own queries.
# Frame 1 gives them to all. That later frames agree with each other is left to the temporal layers.
#
# </details>
#
# ## Exercise 2: Eq. 4 by your own hand
#
# Write a function of $q$, $k$, $v$, each of shape ($N$, $L$, $D$), one video and one head, that returns $A$.

# %%
my_attention = None  # def my_attention(q, k, v): …
print(exercises.own_all_to_first(my_attention))

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def my_attention(q, k, v):
#     scores = torch.einsum("nld,md->nlm", q, k[0]) / q.shape[-1] ** 0.5
#     return scores.softmax(-1) @ v[0]
# ```
#
# </details>
