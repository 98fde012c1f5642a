# %% [markdown]
# # How drags reach the network: modulation and tokens
#
# The encoding of the last chapter says where drags are. This chapter follows it into the network, by the two ways that Section
# 3.2 gives it: **modulation** scales and shifts the features of every level near the drag (Eq. 3), and **drag tokens** give
# cross-attention something to attend to.
#
# **Time to run:** about 20 seconds on a laptop without a GPU. **You will see:** why a network with new drag layers starts out
# as the old one, how far a drag's word reaches on each level, what a token is made of and which places listen to it, the
# ablation's four networks as four lines of settings, and all maps redrawn for your own drag. **Scale:** `tiny`, the shipped
# model, whose network works on 8 × 8 cells: two levels instead of SVD's four. What it diffuses is motion and not pictures
# (chapter 6); the layers of this chapter are the same.

# %% tags=["parameters"]
model = "tiny"  # a shipped model, a folder, or OWNER/NAME on the hub
picture_path = ""  # your own picture; empty: the one that comes along
drags_path = ""  # its drags, as JSON
seed = 0
quality = "draft"  # of the video that is looked into
# whose parameters the table of arms counts; "svd" is the paper's size
count_scale = "tiny"

# %%
from importlib.resources import files
from pathlib import Path

import torch

from lib import network_figures as figures
from lib import probes
from puppetmaster_core import Drags, PuppetMasterPipeline
from puppetmaster_core.model import DragUNet
from puppetmaster_core.pictures import Placement, open_picture

examples = Path(str(files("puppetmaster_core") / "examples"))
picture = open_picture(picture_path or examples / "cabinet.png")
drags = Drags.from_json(drags_path or examples / "cabinet.json")
# networks see squares: white is added to other shapes
square = Placement.of(picture.size, max(picture.size))
picture, drags = square.pad(picture), square.drags_in(drags)
pipe = PuppetMasterPipeline.from_pretrained(model)
pipe.set_progress_bar_config(disable=True)
unet, names = pipe.unet, probes.layer_names(pipe.unet)
size = probes.grid(pipe)  # (h, w) of what is diffused
print(f"{len(names)} places where drags come in: {', '.join(names)}")

# %% [markdown]
# ## Modulation (Eq. 3)
#
# A feature map $f_s \in \mathbb{R}^{N \times s \times s \times C}$ comes out of a residual block. How could a drag change it?
# *Adding* something can push features one way, and DragAPart does that. *Scaling* can also turn features up or off, whatever
# they are: a part that is about to leave its place can be told to fade. Adaptive normalisation does both:
#
# $$ f_s \leftarrow f_s \otimes \big(\mathbf{1} + \gamma_s(\mathcal{D}^s_{\text{enc}})\big)
# + \beta_s(\mathcal{D}^s_{\text{enc}}). $$
#
# ([Eq. 3](../book/equations.md#eq-3), with what checks it.) $\gamma_s$ and $\beta_s$ are maps as large as $f_s$, with their
# own values at every place, channel and frame. A few convolutions compute them from the encoding. Here is all of it:

# %%
import inspect

from puppetmaster_core.model.modulation import DragModulation, modulate

print(inspect.getsource(modulate))
print(inspect.getsource(DragModulation))

# %% [markdown]
# ## Starting from zero
#
# SVD knows how videos look. New layers with random weights would wreck its features on day one, and training would first have
# to repair them. So the last convolution starts at zero (App. C.1): $\gamma = \beta = 0$, and $f_s \leftarrow f_s$ to the bit.
#
# But does a layer that starts at zero learn? Let $h$ be what goes into the last convolution, $W$ its weights, $o = W h$. Then
#
# $$ \frac{\partial L}{\partial W} = \frac{\partial L}{\partial o}\, h^\top \neq 0, \qquad
# \frac{\partial L}{\partial h} = W^\top \frac{\partial L}{\partial o} = 0. $$
#
# The last layer learns from the first step on, and those before it as soon as it is no longer zero. (One of the tests of
# [Eq. 3](../book/equations.md#eq-3) holds the start at zero.)

# %%
from puppetmaster_core.encoding import encode_drags

torch.manual_seed(seed)
fresh = DragModulation(encoding_channels=30, channels=64, hidden=(32, 48))
features = torch.randn(drags.frames, 64, 8, 8)
out = modulate(features, fresh(encode_drags(drags, 8)[None]))
print("features unchanged, to the bit:", torch.equal(out, features))
out.square().mean().backward()
sizes = {
    name: p.grad.abs().max().item()
    for name, p in fresh.named_parameters()
    if name.endswith("weight")
}
for name, largest in sizes.items():
    print(f"{name:16} largest gradient {largest:.1e}")
assert torch.equal(out, features)
assert sizes.pop("conv_out.weight") > 0 and not any(sizes.values())

# %% [markdown]
# The whole network, before any training: whatever the drags, its output is the same to the bit. That holds for modulation. Drag
# tokens, further down, have no such zero: they join a softmax, and the mere presence of another key changes it.

# %%
from puppetmaster_core.bench import problem
from puppetmaster_core.presets import TINY

for tokens in (False, True):
    one = problem(
        type(TINY)(**vars(TINY) | {"unet": TINY.unet | {"drag_tokens": tokens}})
    )
    with torch.no_grad():
        args = [x[1:] if x.ndim else x for x in one.args]
        told = one.net(
            *args, one.net.condition(one.points, one.present, one.size)
        ).sample
        untold = one.net(
            *args, one.net.condition(one.points, ~one.present, one.size)
        ).sample
    print(
        f"drag_tokens={tokens}: an untrained network's output moves by "
        f"{(told - untold).abs().max():.1e}"
    )
    assert torch.equal(told, untold) == (not tokens)

# %% [markdown]
# ## After training: what a drag says on each level
#
# The maps of the shipped model, for the drawer's drag. Drawn is how far $\gamma_s$ and $\beta_s$ move away from what they are
# *without* drags (the length of the difference over all channels; 1 means as long as they are without). A column is a place in
# the network, `s` the finest grid, `s/2` half of it. Look at the bright cells: they surround the dot ($v^n$) and the cross
# ($u$), and from frame to frame they should go with the dot. Look also at the numbers: levels differ much in how loudly they
# are told.

# %%
changes = probes.modulation_change(unet, drags, size)
shown_frames = (1, pipe.config.frames // 2, pipe.config.frames)
figures.modulation_maps(names, changes, drags, shown_frames)

# %% [markdown]
# How far does a drag's word reach? Each of the $m$ convolutions passes it on by one cell, so $\gamma_s$ and $\beta_s$ can
# differ only where $u$, $v^n$ or $v^N$ is at most $m$ cells away: on a coarse level that is the whole picture, on a fine one
# its neighbourhood. What lies farther away hears of the drag through the layers behind, attention above all.

# %%
from puppetmaster_core.encoding import cells

convolutions = 2 + len(unet.drag_transformers()[0].modulation.blocks)
# one that rests in the corner, so that there is somewhere far away
tail = Drags(drags.points[:1] * 0 + 0.03)
corner = probes.modulation_change(unet, tail, size)
for name, change in zip(names, corner, strict=True):
    moved = change["beta"].any(0)
    (row, col), _ = cells(torch.tensor(tail.points[0, 0]), moved.shape)
    far = (
        abs(torch.arange(moved.shape[0])[:, None] - row).maximum(
            abs(torch.arange(moved.shape[1]) - col)
        )
        > convolutions
    )
    assert not moved[far.numpy()].any()
    print(
        f"{name:10} {moved.shape[0]} × {moved.shape[1]} cells: {moved.mean():4.0%} of "
        "them hear of it directly"
    )

# %% [markdown]
# ## Drag tokens
#
# Every transformer of SVD has a cross-attention layer, from the days when it read text. In SVD it reads one key, CLIP's
# embedding of the picture. A softmax over one key is 1: whatever a place asks, it gets the same value. That is a bias, and
# knows nothing of places. With $K$ drag tokens beside it there are $1 + K$ keys, and asking makes sense.
#
# A token is made, for each drag and each frame, of two kinds of things at each of $u_k$, $v_k^n$ and $v_k^N$: the network's own
# features there, which know *what* is being dragged, and an embedding of the place, which knows *where*.

# %%
from puppetmaster_core.model.tokens import DragTokens, drag_positions, sample_features

print(inspect.getsource(drag_positions), inspect.getsource(sample_features), sep="\n")
print(inspect.getsource(DragTokens.forward))
first, cfg = unet.drag_transformers()[0].tokens.mlp[0], unet.config
parts = (
    f"{len(cfg.token_positions)} places × ({unet.drag_transformers()[0].in_channels} "
    f"+ {cfg.token_position_channels})"
)
print(
    f"{names[0]}: {parts} = {first.in_features} numbers go into a token, "
    f"{cfg.cross_attention_dim} come out"
)

# %% [markdown]
# Places are given as sines and cosines of eight wavelengths, each half of the one before. Two embeddings are alike if their
# places are near. Look at the right: one peak, at the place itself, high enough to tell a handle from the door's edge, over a
# comb of echoes where the shorter wavelengths meet again. The perceptron has to tell the peak from its echoes, which the longer
# ones allow.

# %%
figures.place_kernels(unet.config.token_position_channels, [(0.3, 0.4), (0.7, 0.6)])

# %% [markdown]
# ## Who listens to a token?
#
# Now look inside while a video is made. `watching` puts hooks on every transformer and copies its queries and keys as they
# pass. The map shows, for each place of a frame, the share of cross-attention's weight that goes to a drag's token instead of
# the picture's key; an even share between picture and one drag would be half. Look for layers that shut drags out, for layers
# that listen everywhere, and for layers in which some places listen and others do not: only those make use of having two keys.

# %%
with probes.watching(unet) as passes:
    video = pipe(picture, drags, seed=seed, quality=quality)
glimpses = passes[len(passes) // 2]  # one per transformer, in the middle step
frame = pipe.config.frames
weights = [one.token_weights() for one in glimpses]  # (N, H, L, 1 + K_max) each
maps = [
    w[frame - 1].mean(0).unflatten(0, one.size).numpy()
    for w, one in zip(weights, glimpses, strict=True)
]
figures.token_maps(names, maps, video.frames, frame, drags)

# %% [markdown]
# ## Drags that are not there
#
# The model takes up to five drags, and here most are absent. The paper has $1 + K$ keys: a key that is not there has no
# weight. So absent drags are masked before the softmax, and their weight is exactly zero:

# %%
present = len(drags)
for w in weights:
    assert (w[..., 1 + present :] == 0).all() and torch.allclose(
        w.sum(-1), torch.ones(())
    )
print(
    f"weights of {unet.config.max_drags - present} absent drags, summed over "
    "everything:",
    sum(w[..., 1 + present :].sum().item() for w in weights),
)

# %% [markdown]
# The released code has no mask: there an absent drag is a token of zeros. Its key is zero (these layers have no bias), it
# scores $q \cdot 0 = 0$, and $e^0 = 1$ takes part in the softmax. The same weights, with and without the mask. Look at the grey
# part: that much of the answer is *nothing*, and it shrinks as drags are added. A network can learn to live with that, but not
# to have it switched on later.

# %%
from lib.paper_figures import remade

unmasked = DragUNet.from_config(unet.config, token_mask=False).eval()
unmasked.load_state_dict(unet.state_dict())
released_way = remade(pipe, unet=unmasked)
with probes.watching(unmasked) as passes:
    released_way(picture, drags, seed=seed, quality=quality)
others = [one.token_weights() for one in passes[len(passes) // 2]]
shares = {
    title: torch.stack([w.mean((0, 1, 2)) for w in ws]).numpy()
    for title, ws in (
        ("masked, as in the paper", weights),
        ("zeros, as released", others),
    )
}
assert (shares["zeros, as released"][:, 1 + present :] > 0).all()
figures.key_shares(names, shares, present)

# %% [markdown]
# ## Now you
#
# Change the drag and watch the maps: of the encoding beside the picture, and of $\beta_s$ and $\gamma_s$ in the figure below,
# which the notebook draws anew whenever you let go. Try a pin; a long and a short drag from the same place; two drags that
# cross.

# %%
from puppetmaster_core.editor import DragEditor

editor = DragEditor(
    picture, drags, pipeline=pipe, presets={"the drawer": drags}, seed=seed
)
editor

# %%
def maps_of_what_is_drawn():
    drawn = editor.drags
    return figures.modulation_maps(
        names, probes.modulation_change(unet, drawn, size), drawn, [frame]
    )

shown = probes.follow(editor, "record", maps_of_what_is_drawn)

# %% [markdown]
# A cell can change it, too: the same drag, mirrored. The bright cells change sides.

# %%
mirrored = Drags(drags.points * (-1, 1) + (1, 0))
flipped = probes.modulation_change(unet, mirrored, size)
figures.modulation_maps(names, flipped, mirrored, [frame])

# %% [markdown]
# ## The ablation as settings
#
# Table 2 compares four networks. Here they are four settings of one class: no file was copied, and the arms that the authors'
# code cannot run any more can be run here. Look at what each step costs: scaling is one wider convolution a level, the end
# location two channels a drag, tokens a small perceptron.

# %%
from lib.tables import table
from puppetmaster_core.presets import SVD

arms = {
    "A: shift only, no end location": {
        "modulation": "shift",
        "end_location": False,
        "drag_tokens": False,
    },
    "B: shift and scale, no end location": {
        "end_location": False,
        "drag_tokens": False,
    },
    "C: shift and scale, end location": {"drag_tokens": False},
    "D: C and drag tokens": {},
}
preset, counts = {"tiny": TINY, "svd": SVD}[count_scale], {}
for arm, settings in arms.items():
    with torch.device("meta"):  # shapes without numbers
        counts[arm] = sum(
            p.numel() for p in DragUNet(**preset.unet | settings).parameters()
        )
more = [b - a for a, b in zip(counts.values(), list(counts.values())[1:], strict=False)]
assert all(extra > 0 for extra in more)
rows = [
    (
        arm,
        str(arms[arm] or "the defaults"),
        f"{count:,}",
        f"+{extra:,}" if extra else "",
    )
    for (arm, count), extra in zip(counts.items(), [0, *more], strict=True)
]
table(
    ("arm", "settings", f"parameters ({count_scale})", "more than the line above"), rows
)

# %% [markdown]
# What the paper measured, each arm trained on Drag-a-Move alone (Table 2; the column %WD counts videos that move the wrong way,
# among a hundred). Look at the step from A to B, in every column, and at the last column's last line. These are the paper's
# numbers; ours, of other clips at another scale, are on the page on claims.

# %%
from puppetmaster_core.evaluation.paper import TABLE_2

head = ("arm", "PSNR", "SSIM", "LPIPS", "FVD", "motion error", "% wrong direction")
table(head, [(arm, *map(str, TABLE_2[arm])) for arm in arms])

# %% [markdown]
# ## Exercise 1: Eq. 3 by your own hand
#
# Write a function of $f$, $\gamma$ and $\beta$, all of shape ($N$, $C$, $s$, $s$), that returns the new $f$.

# %%
from lib import exercises

my_modulation = None  # def my_modulation(f, gamma, beta): …
print(exercises.modulated(my_modulation))

# %% [markdown]
# <details><summary>Solution</summary>
#
# ```python
# def my_modulation(f, gamma, beta):
#     return f * (1 + gamma) + beta
# ```
#
# Why $1 + \gamma$ and not $\gamma$: so that the zero-initialised network passes features on instead of erasing them.
#
# </details>
#
# ## Exercise 2: how many keys?
#
# Two drags, $K_{\max} = 5$. Over how many keys does a place's softmax run, in the paper, and in the released code?

# %%
in_the_paper, in_the_released_code = None, None
print(exercises.keys_seen(in_the_paper, in_the_released_code))

# %% [markdown]
# <details><summary>Solution</summary>
#
# `in_the_paper, in_the_released_code = 3, 6`: the picture's and one for each of the two drags; the picture's and five, three of
# them zeros.
#
# </details>
