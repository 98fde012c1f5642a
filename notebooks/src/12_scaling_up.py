# %% [markdown]
# # Scaling up
#
# The chapters so far ran the network with some million parameters. The paper's has 1.68 billion, begins with Stable Video
# Diffusion's weights and learned from renderings of ten thousand animations. The code is the same; this chapter counts what the
# larger scale needs, and shows the way there: SVD's weights, the authors' checkpoint, several GPUs, many machines for the data.
#
# **Time to run:** about 20 seconds on a laptop without a GPU. **You will see:** where 154 million new parameters go, weights
# carried from SVD and to the authors' names and back, what a video and a training run cost in arithmetic, and how work is
# shared without doing anything twice. **Scale:** `svd`, counted on PyTorch's meta device, where tensors have shapes and no
# numbers; weights are carried in a miniature. Nothing was trained at this scale here.

# %% tags=["parameters"]
# whose arithmetic is counted; "svd" is the paper's size and takes a little longer
count_scale = "tiny"
# your GPU's, in bf16, 10¹² operations a second, as its maker says
device_tflops = 100.0
share_reached = 0.35  # of that in training

# %% [markdown]
# ## Where the parameters are
#
# A network on the meta device costs nothing to build, whatever its size. Look at the last two lines: the network that the
# authors released, which is the 1.68 billion of the paper, and the one the paper describes.

# %%
import torch
from diffusers import UNetSpatioTemporalConditionModel

from lib.tables import table
from puppetmaster_core.model import DragUNet
from puppetmaster_core.model.released import RELEASED


def count(net, part=""):
    return sum(p.numel() for name, p in net.named_parameters() if part in name)


with torch.device("meta"):
    svd, released, paper = (
        UNetSpatioTemporalConditionModel(),
        DragUNet(**RELEASED),
        DragUNet(),
    )
table(
    ("network", "drag modulation", "drag tokens", "time ids", "all parameters"),
    [
        (
            name,
            *(
                f"{count(net, part):,}"
                for part in (".modulation.", ".tokens.", "add_embedding", "")
            ),
        )
        for name, net in (
            ("SVD", svd),
            ("released", released),
            ("the paper's settings", paper),
        )
    ],
)

# %%
assert count(svd) == 1_524_623_082 and count(released) == 1_675_809_962
new = count(released, ".modulation.") + count(released, ".tokens.")
print(f"new in the released network: {new:,}, {new / count(svd):.0%} of SVD's")

# %% [markdown]
# ## SVD's weights
#
# With a network, or a folder in diffusers' layout, this is all it takes:
#
# ```python
# pipe = PuppetMasterPipeline.from_pretrained("svd", variant="fp16", dtype=torch.bfloat16)  # downloads, or give a folder
# print(pipe.unet.additions)
# ```
#
# The same in miniature, without a download: SVD's own class with few channels and random weights, saved as diffusers saves it.
# The last convolution of each modulation net starts at zero (App. C.1), and tokens of absent drags are masked, so without drags
# the new network must say what the old one said.

# %%
import tempfile
from dataclasses import replace
from pathlib import Path

CROSS_DOWN, CROSS_UP = (
    "CrossAttnDownBlockSpatioTemporal",
    "CrossAttnUpBlockSpatioTemporal",
)
small = {
    "in_channels": 8,
    "out_channels": 4,
    "block_out_channels": (32, 64),
    "num_attention_heads": (1, 2),
    "layers_per_block": 1,
    "down_block_types": (CROSS_DOWN, "DownBlockSpatioTemporal"),
    "up_block_types": ("UpBlockSpatioTemporal", CROSS_UP),
    "cross_attention_dim": 32,
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 24,
}
scratch = tempfile.TemporaryDirectory()  # goes when the notebook is closed
folder = Path(scratch.name)
torch.manual_seed(0)
theirs = UNetSpatioTemporalConditionModel(**small).eval()
theirs.save_pretrained(folder / "svd" / "unet")
ours = DragUNet.from_svd(
    folder / "svd", modulation_channels=(16, 16), attention="spatial"
).eval()
print(replace(ours.additions, source="a miniature"))

# %%
inputs = (
    torch.randn(1, 4, 8, 8, 8),
    torch.tensor(1.0),
    torch.randn(1, 1, 32),
    torch.tensor([[6.0, 127.0, 0.0]]),
)
with torch.no_grad():
    gap = (theirs(*inputs).sample - ours(*inputs).sample).abs().max().item()
print(f"largest difference without drags: {gap:g}")
assert gap == 0, "SVD's weights, SVD's answer"

# %% [markdown]
# With `attention="all_to_first"`, the paper's and the default, the answer changes from the first step on, though not one
# parameter does: frames now look elsewhere. That is what fine-tuning has to get used to.
#
# ## The authors' checkpoint
#
# One safetensors file, under other names and with the settings of [the page on deviations](../book/deviations.md).
# `from_pretrained("svd", unet="their.safetensors")` takes it, its guidance included. Names are translated both ways, so what is
# trained here can go back into the authors' code:

# %%
from safetensors.torch import save_file

mine = DragUNet(**small | RELEASED | {"modulation_channels": (16, 16)}).eval()
save_file(mine.to_released(), folder / "theirs.safetensors")
back = DragUNet.from_released(
    folder / "theirs.safetensors", **small | {"modulation_channels": (16, 16)}
)
new_names = [
    name
    for name in mine.to_released()
    if "flow_convs" in name or "drag_token_mlps" in name
]
print(*new_names[:4], "…", sep="\n")
assert all(
    torch.equal(tensor, back.state_dict()[name])
    for name, tensor in mine.state_dict().items()
)

# %% [markdown]
# ## What a video costs
#
# Sampling asks the network twice a step, with drags and without. Much of that does not depend on the noise and is computed
# once; what is left out changes nothing ([how, line by line](../book/asking_a_model.md)). Look at the ratio: it is saved at
# every scale.

# %%
from puppetmaster_core.bench import count_step
from puppetmaster_core.presets import SVD, TINY

preset = {"tiny": TINY, "svd": SVD}[count_scale]
steps = count_step(preset)
first, last = next(iter(steps.values())), list(steps.values())[-1]
table(
    ("a guided step", "operations / 10⁹", "of the first"),
    [
        (name, f"{flops / 1e9:,.2f}", f"{flops / first:.2f}")
        for name, flops in steps.items()
    ],
)

# %%
assert all(
    less <= more
    for more, less in zip(steps.values(), list(steps.values())[1:], strict=False)
)
seconds = preset.steps * last / (device_tflops * 1e12)
print(
    f"{preset.steps} steps of {count_scale}: {preset.steps * last / 1e12:,.1f} · 10¹² "
    "operations,"
)
print(
    f"at least {seconds:.2g} s on a device of {device_tflops:g} · 10¹² a second, the "
    "decoder not counted"
)

# %% [markdown]
# That is a floor. A network of this kind also moves tens of gigabytes a step through memory; whoever wants to know measures:
# `puppetmaster bench --scale paper --device cuda --compile`.
#
# ## What a training run costs
#
# App. C.1: 12,500 updates of 64 clips, on one A6000, in about ten days. A backward pass is twice a forward pass; with
# activations computed again to save memory, a training step is four forward passes.

# %%
from puppetmaster_core.bench import counted, problem

# of the guided step's two videos, one
forward = counted(lambda: (p := problem(preset, "meta")).step(p.apart()))[1] / 2
recipe = SVD.training["denoiser"]
clips = recipe["steps"] * recipe["batch_size"]
total = 4 * forward * clips
print(f"{clips:,} clips through {count_scale}: {total:.3g} operations,")
days = total / (device_tflops * 1e12 * share_reached) / 86400
print(f"{days:.2g} days at {share_reached:.0%} of {device_tflops:g} · 10¹² a second")
if count_scale == "svd":
    print(f"the paper's ten days are {total / (10 * 86400) / 1e12:.0f} · 10¹² a second")

# %% [markdown]
# Memory decides sooner than time. In float32 each parameter comes with its gradient, Adam's two moments and the moving average:

# %%
parts = {"weights": 4, "gradients": 4, "Adam's moments": 8, "moving average": 4}
for name, size in parts.items():
    print(f"{name:16} {size * count(paper) / 1e9:5.1f} · 10⁹ bytes")
print(
    f"{'together':16} {sum(parts.values()) * count(paper) / 1e9:5.1f} · 10⁹ bytes, "
    "and activations"
)

# %% [markdown]
# ## Several GPUs
#
# ```
# accelerate launch --num_processes 4 -m puppetmaster_core train --scale svd --weights svd \
#     --data clips/objaverse --accumulate 16 --output runs/svd
# ```
#
# Four processes, sixteen rounds each: 64 clips an update, as before. [The page on training](../book/training.md) has the rest.
# What must not happen is that two processes see the same clips, or that a run which was stopped sees them again. Each draw's
# clip follows from its number and the seed alone, so processes need not talk about it:

# %%
import numpy as np

from puppetmaster_core.clips.mixture import WEIGHTS, Mixture

groups = np.repeat(list(WEIGHTS), 200)  # a thousand clips, as many of each group
mixture = Mixture.of(groups, seed=0)
alone = mixture.draws(0, 64)
shared = [
    mixture.draws(16 * step + 4 * process, 4)  # of a batch of 16, each takes four
    for step in range(4)
    for process in range(4)
]
assert np.array_equal(np.concatenate(shared), alone), "four draw what one would have"
often = {
    name: float((groups[mixture.draws(0, 20000)] == name).mean()) for name in WEIGHTS
}
table(
    ("group (App. C.1)", "wanted", "drawn"),
    [(name, WEIGHTS[name], often[name]) for name in WEIGHTS],
)

# %% [markdown]
# ## Many machines for the data
#
# Curating and rendering are many small jobs, some of which hang or die, as files from the internet do. Each asset is worked on
# in a process of its own with a time limit and a memory limit; a shard appears whole or not at all; a second start goes on
# where the first stopped. On one machine, on a Ray cluster (`pip install 'puppetmaster-core[scale-out]'`), or on machines that
# only share a disk:
#
# ```
# puppetmaster curate models/ --output runs/curation --workers 16
# RAY_ADDRESS=HOST:PORT puppetmaster curate models/ --output runs/curation --engine ray
# puppetmaster curate models/ --output runs/curation --rank 3 --world-size 8
# puppetmaster render models/ --size 256 --views 12 --setting release --engine ray --output clips/objaverse
# ```
#
# What would it cost? Time a few, then draw from those times. Here with made-up ones: most animations take a second, some hang
# until the limit of two minutes. Look at the hours on many cores: they stop falling where the slowest single asset decides.

# %%
from lib.costs import simulate

rng = np.random.default_rng(0)
# seconds
made_up = np.where(rng.random(500) < 0.02, 120.0, rng.lognormal(0.0, 0.6, 500))
bills = [
    simulate(made_up, 40_000, cores, dollars_a_core_hour=0.04)
    for cores in (2, 16, 128, 1024)
]
table(("cores", "hours", "core hours", "dollars at 0.04 a core hour"),
      [(bill.cores, bill.hours, bill.core_hours, bill.dollars) for bill in bills])

# %% [markdown]
# The paper gives one price: about 500 dollars for asking GPT-4V about every animation that the forest kept (App. B.1). [The
# chapter on curation](04_curation.ipynb) measures instead of making up.
#
# ## Exercise
#
# You have eight GPUs that hold two clips each at a time. What must `--accumulate` be for the paper's batch of 64? Replace
# `None` and run the cell.

# %%
accumulate = None
if accumulate is None:
    print("not answered yet: replace None and run the cell again")
else:
    assert 8 * 2 * accumulate == recipe["batch_size"], (
        f"{8 * 2 * accumulate} clips an update, wanted {recipe['batch_size']}"
    )
    print("right: any split into processes and rounds makes the same update")

# %% [markdown]
# <details><summary>Solution</summary>
#
# `accumulate = 4`: eight processes, two clips, four rounds.
#
# </details>
