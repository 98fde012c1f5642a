# %% [markdown]
# # The whole idea in one file
#
# Everything the paper adds to a video diffusion network, small enough to read in one sitting: the drag encoding, drag
# modulation, drag tokens, all-to-first attention, the diffusion loss, and sampling with guidance. Nothing of this project's
# package is used, only PyTorch. The world is two shapes on white paper; a drag says where one of them goes.
#
# **Time to run:** about a minute of training on a CPU, then a few seconds; a fraction of that at test size. **You will see:** a
# network learn from nothing that a drag moves one thing and leaves the other alone. **Scale:** a toy of 24 × 24 pixels and a
# third of a million weights.

# %% tags=["parameters"]
steps = 20  # of training; the book takes 700, and with 20 nothing can be seen yet
seed = 0

# %% [markdown]
# ## The world
#
# A clip shows one or two shapes. Some move along a straight line, and each of those has a drag: the path of its centre, from
# $u_k$ in frame 1 to $v_k^N$ in frame $N$. What has no drag stays where it is.

# %%
import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from matplotlib import pyplot as plt
from torch import nn

# pixels a side, frames, drags, pixels a side of a cell, pixels
S, N, K, PATCH, RADIUS = 24, 6, 2, 3, 4.0
COLOURS = torch.tensor(
    [[0.0, 0.45, 0.70], [0.90, 0.62, 0.0], [0.0, 0.62, 0.45], [0.80, 0.47, 0.65]]
)

def draw(centres, colours, square):
    """Shapes (B, K, N, 2) in the unit square, colours (B, K, 3), square or disc (B, K)
    -> video (B, N, 3, S, S) in [0, 1]."""
    pixel = torch.arange(S) + 0.5
    dx = (pixel - S * centres[..., 0, None, None]).abs()  # (B, K, N, 1, S)
    dy = (pixel[:, None] - S * centres[..., 1, None, None]).abs()
    distance = torch.where(
        square[..., None, None, None], torch.maximum(dx, dy), torch.hypot(dx, dy)
    )
    # (B, K, N, 1, S, S), smooth at the rim
    cover = (RADIUS + 0.5 - distance).clamp(0, 1)[:, :, :, None]
    video = torch.ones(len(centres), N, 3, S, S)
    for k in range(K):
        video = video + cover[:, k] * (colours[:, k, None, :, None, None] - video)
    return video

def make_clips(count, rng, alone=0.25):
    """Videos, drags (B, K, N, 2) and which of them there are (B, K). `alone`: how often
    there is a single shape."""
    # start and end of each shape
    ends = 0.18 + 0.64 * torch.rand(count, K, 2, 2, generator=rng)
    moves = torch.rand(count, K, generator=rng) < 0.7
    moves[:, 0] |= ~moves.any(1)
    ends[:, :, 1] = torch.where(moves[..., None], ends[:, :, 1], ends[:, :, 0])
    absent = torch.rand(count, generator=rng) < alone
    # out of the picture
    ends[absent, 1], moves[absent, 1], moves[absent, 0] = -1.0, False, True
    share = torch.linspace(0, 1, N)[:, None]
    paths = (1 - share) * ends[:, :, :1] + share * ends[:, :, 1:]
    colours = COLOURS[torch.rand(count, len(COLOURS), generator=rng).argsort(1)[:, :K]]
    return draw(paths, colours, torch.rand(count, K, generator=rng) < 0.5), paths, moves

# %% [markdown]
# Look at the lines: each is a drag, with a dot where it ends. A shape without one does not move.

# %%
def show(rows, drags):
    """Videos (N, 3, S, S) by name, a row each; drags: (paths, present) by name, drawn
    over the first frame."""
    figure, axes = plt.subplots(
        len(rows), N, figsize=(9, 1.55 * len(rows)), squeeze=False
    )
    for row, (name, video) in zip(axes, rows.items(), strict=True):
        for axis, frame in zip(row, video, strict=True):
            axis.imshow(frame.permute(1, 2, 0).clamp(0, 1).numpy(), extent=(0, 1, 1, 0))
            axis.set(xticks=[], yticks=[])
        row[0].set_ylabel(name, fontsize=9, color="gray")
        paths, present = drags[name]
        for path in paths[present]:
            row[0].plot(
                *path.T.numpy(), color="black", lw=1.5, marker="o", ms=4, markevery=[-1]
            )
    for n, axis in enumerate(axes[0]):
        axis.set_title(f"frame {n + 1}", fontsize=8, color="gray")
    figure.patch.set_alpha(0)
    figure.tight_layout(pad=0.3)
    plt.close(figure)  # shown once, as what the cell returns
    return figure

videos, paths, present = make_clips(3, torch.Generator().manual_seed(seed + 3))
show(
    {f"clip {i + 1}": videos[i] for i in range(3)},
    {f"clip {i + 1}": (paths[i], present[i]) for i in range(3)},
)

# %% [markdown]
# ## Drags become pictures ([App. A](../book/equations.md#eq-encoding))
#
# For a feature map of $s \times s$ cells, each drag is six channels that are $-1$ but in three cells: where it starts, is now,
# and ends. There they hold the point's place inside of the cell, so nothing is lost by coarse cells.
#
# $$ \operatorname{enc}(d_k, s)[n, \lfloor s h \rfloor, \lfloor s w \rfloor]
# = (s h - \lfloor s h \rfloor,\; s w - \lfloor s w \rfloor) $$

# %%
def three_places(points):
    """u, v^n and v^N in every frame: (B, K, N, 2) -> (B, N, K, 3, 2)."""
    v = points.transpose(1, 2)
    return torch.stack([v[:, :1].expand_as(v), v, v[:, -1:].expand_as(v)], dim=3)

def encode(points, present, s):
    """Drags (B, K, N, 2), present (B, K) -> (B, N, 6K, s, s)."""
    place = three_places(points) * s
    cell, at = place.floor().clamp(0, s - 1), torch.arange(s)
    # (B, N, K, 3, s, s)
    here = (cell[..., 1, None, None] == at[:, None]) & (cell[..., 0, None, None] == at)
    here = here & present[:, None, :, None, None, None]
    return torch.where(
        here[..., None, :, :], (place - cell)[..., None, None], -1.0
    ).flatten(2, 4)

encode(paths, present, S // PATCH).shape

# %% [markdown]
# ## Drags steer features ([Eq. 3](../book/equations.md#eq-3)), frames look at the first ([Eq. 4](../book/equations.md#eq-4))
#
# $$ f_s \leftarrow f_s \otimes (1 + \gamma_s) + \beta_s, \qquad
# A_i = \operatorname{softmax}\left( Q_i K_1^\top / \sqrt{D} \right) V_1 $$

# %%
class Modulation(nn.Module):
    """Eq. 3. The last convolution starts at zero, so that at first drags change
    nothing."""
    def __init__(self, channels, hidden=32):
        super().__init__()
        self.conv_in = nn.Conv2d(6 * K, hidden, 3, padding=1)
        self.conv_out = nn.Conv2d(hidden, 2 * channels, 3, padding=1)
        for start in self.conv_out.parameters():
            nn.init.zeros_(start)
    def forward(self, f, code):
        gamma, beta = self.conv_out(F.silu(self.conv_in(code.flatten(0, 1)))).chunk(
            2, dim=1
        )
        return f * (1 + gamma) + beta

class Attention(nn.Module):
    """Queries from one set of vectors (…, L, C), keys and values from another (…, M,
    C)."""
    def __init__(self, channels):
        super().__init__()
        self.norm, self.q = nn.LayerNorm(channels), nn.Linear(channels, channels)
        self.kv, self.out = (
            nn.Linear(channels, 2 * channels),
            nn.Linear(channels, channels),
        )
    def forward(self, x, source):
        return self.out(
            F.scaled_dot_product_attention(self.q(x), *self.kv(source).chunk(2, dim=-1))
        )

class Block(nn.Module):
    """One resolution: convolution, modulation, then attention to frame 1, to the drags'
    tokens, and over time."""
    def __init__(self, c):
        super().__init__()
        self.norm, self.conv, self.noise = (
            nn.GroupNorm(4, c),
            nn.Conv2d(c, c, 3, padding=1),
            nn.Linear(c, c),
        )
        self.modulation = Modulation(c)
        self.token = nn.Sequential(
            nn.Linear(3 * (c + 2), c), nn.SiLU(), nn.Linear(c, c)
        )
        self.no_token, self.frame = (
            nn.Parameter(torch.zeros(c)),
            nn.Parameter(0.02 * torch.randn(N, 1, c)),
        )
        self.to_first, self.to_tokens, self.over_time = (
            Attention(c),
            Attention(c),
            Attention(c),
        )
    def forward(self, f, points, present, noise):
        batch, s = len(points), f.shape[-1]
        f = f + self.conv(
            F.silu(
                self.norm(f)
                + self.noise(noise).repeat_interleave(N, 0)[..., None, None]
            )
        )
        f = self.modulation(f, encode(points, present, s))
        x = f.flatten(2).mT.unflatten(0, (batch, N))  # (B, N, s², C)
        # all frames' queries in one row, keys and values of frame 1: Eq. 4
        h = self.to_first.norm(x)
        x = x + self.to_first(h.flatten(1, 2), h[:, 0]).unflatten(1, (N, -1))
        x = x + self.to_tokens(self.to_tokens.norm(x), self.tokens(f, points, present))
        # every place looks along its own time
        h = (self.over_time.norm(x) + self.frame).transpose(1, 2)
        x = x + self.over_time(h, h).transpose(1, 2)
        return x.flatten(0, 1).mT.unflatten(2, (s, s))
    def tokens(self, f, points, present):
        """A token a drag and frame, of its three places and the features there: (B, N,
        1 + K, C), the first one zero."""
        places = three_places(points).flatten(0, 1)  # (B·N, K, 3, 2)
        found = F.grid_sample(
            f, places * 2 - 1, align_corners=False, padding_mode="border"
        ).permute(0, 2, 3, 1)
        made = self.token(torch.cat([found, places], dim=-1).flatten(2)).unflatten(
            0, (-1, N)
        )
        made = torch.where(present[:, None, :, None], made, self.no_token)
        return F.pad(made, (0, 0, 1, 0))

class ToyUNet(nn.Module):
    """Noisy videos beside the given picture, in cells of PATCH² pixels, on two
    resolutions."""
    def __init__(self, c=48, raw=6 * PATCH**2):
        super().__init__()
        self.conv_in, self.noise = (
            nn.Conv2d(raw, c, 3, padding=1),
            nn.Sequential(nn.Linear(16, c), nn.SiLU()),
        )
        self.down, self.middle, self.up, self.join = (
            Block(c),
            Block(c),
            Block(c),
            nn.Conv2d(2 * c, c, 1),
        )
        self.out = nn.Sequential(
            nn.Conv2d(c + raw, 3 * c, 1), nn.SiLU(), nn.Conv2d(3 * c, raw // 2, 1)
        )
    def forward(self, x, c_noise, first, points, present):
        waves = c_noise[:, None] * torch.exp2(torch.arange(8) - 3.0)
        told = points, present, self.noise(torch.cat([waves.sin(), waves.cos()], dim=1))
        both = torch.cat([x, first[:, None].expand_as(x)], dim=2).flatten(0, 1)
        cells = F.pixel_unshuffle(both, PATCH)  # (B·N, raw, 8, 8)
        f = self.down(self.conv_in(cells), *told)
        low = F.interpolate(self.middle(F.avg_pool2d(f, 2), *told), scale_factor=2)
        f = self.up(self.join(torch.cat([f, low], dim=1)), *told)
        return F.pixel_shuffle(self.out(torch.cat([f, cells], dim=1)), PATCH).unflatten(
            0, x.shape[:2]
        )

# %% [markdown]
# ## Learning to take noise away ([Eq. 2](../book/equations.md#eq-2))
#
# Noise of a random strength $\sigma$ goes onto a clip; the network sees the noisy clip, its first frame and the drags, and says
# what was there. In one clip of ten the drags are hidden, so that the network also learns what to expect without them. (SVD's
# network answers with $v$, a mixture of clip and noise; this one with the clip, which so small a network learns sooner.)

# %%
def denoise(net, noisy, sigma, first, points, present):
    """The clean video in [−1, 1] that the network sees in `noisy` at noise levels sigma
    (B,)."""
    c_in = (sigma**2 + 1).rsqrt().view(-1, 1, 1, 1, 1)
    return net(c_in * noisy, sigma.log() / 4, first, points, present)

def train(net, steps, seed, batch=8, rate=3e-3):
    """Train on clips made on the fly; the loss of every step."""
    rng, losses = torch.Generator().manual_seed(seed), []
    optimiser = torch.optim.AdamW(net.parameters(), rate, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, rate, total_steps=steps, pct_start=0.1
    )
    for _ in range(steps):
        video, points, present = make_clips(batch, rng)
        x, present = (
            video * 2 - 1,
            present & (torch.rand(batch, 1, generator=rng) >= 0.1),
        )
        sigma = (0.3 + 1.4 * torch.randn(batch, generator=rng)).exp()
        wide = sigma.view(-1, 1, 1, 1, 1)
        answer = denoise(
            net,
            x + wide * torch.randn(x.shape, generator=rng),
            sigma,
            x[:, 0],
            points,
            present,
        )
        loss = ((1 + 1 / wide**2).clamp(max=5) * (answer - x) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
    return losses

torch.manual_seed(seed)
net = ToyUNet()
losses = train(net, steps, seed)
assert all(map(math.isfinite, losses))
print(
    f"{sum(p.numel() for p in net.parameters()):,} weights, {steps} steps, loss "
    f"{losses[0]:.2f} to {losses[-1]:.2f}"
)

# %% [markdown]
# ## From noise to a video ([App. C.2](../book/equations.md#eq-guidance))
#
# Twelve steps from pure noise. Each asks twice, with drags and without, and goes a little further in the direction in which the
# drags change the answer; later frames further than early ones.

# %%
@torch.no_grad()
def sample(net, picture, points, present, seed, levels=12, guidance=1.5):
    """Pictures (B, 3, S, S) in [0, 1] and drags -> videos (B, N, 3, S, S)."""
    sigmas = [
        *(torch.linspace(20 ** (1 / 7), 0.02 ** (1 / 7), levels) ** 7),
        torch.tensor(0.0),
    ]
    first, weight = picture * 2 - 1, torch.linspace(1, guidance, N).view(-1, 1, 1, 1)
    x = sigmas[0] * torch.randn(
        len(picture), N, 3, S, S, generator=torch.Generator().manual_seed(seed)
    )
    for now, then in pairwise(sigmas):
        level = now.expand(len(picture))
        with_drags = denoise(net, x, level, first, points, present)
        without = denoise(net, x, level, first, points, torch.zeros_like(present))
        clean = without + weight * (with_drags - without)
        x = clean + (x - clean) * then / now  # Euler's step
    return (x / 2 + 0.5).clamp(0, 1)

# %% [markdown]
# ## The drag decides
#
# One picture, the same noise, four drags. Look at the last column: what was dragged is where its drag ends.

# %%
starts = torch.tensor([[0.28, 0.5], [0.72, 0.5]])
targets = {"right, up": (1, (0.72, 0.2)), "right, down": (1, (0.72, 0.8)),
           "left, up": (0, (0.28, 0.2)), "left, down": (0, (0.28, 0.8))}
share, drags = (
    torch.linspace(0, 1, N)[:, None],
    starts[None, :, None].repeat(4, 1, N, 1),
)
present = torch.zeros(4, K, dtype=torch.bool)
for i, (k, end) in enumerate(targets.values()):
    drags[i, k], present[i, k] = (
        (1 - share) * starts[k] + share * torch.tensor(end),
        True,
    )
still = draw(
    starts[None, :, None].expand(4, K, N, 2),
    COLOURS[None, :K].expand(4, K, 3),
    torch.tensor([[False, True]] * 4),
)
made = sample(net, still[:, 0], drags, present, seed)
show(
    dict(zip(targets, made, strict=True)),
    {name: (drags[i], present[i]) for i, name in enumerate(targets)},
)

# %% [markdown]
# How well does it follow? On pictures with a single shape, which it has not seen: how far from the drag's end is the middle of
# what is not white in the last frame? Beside it, the same for a video in which nothing moves.

# %%
def middle(frames):
    """Where the middle of what is not white is: (B, 3, S, S) -> (B, 2), xy in pixels.
    """
    ink, at = F.relu((1 - frames).amax(1) - 0.2) + 1e-9, torch.arange(S) + 0.5
    return (
        torch.stack([(ink.sum(1) * at).sum(1), (ink.sum(2) * at).sum(1)], 1)
        / ink.sum((1, 2))[:, None]
    )

videos, paths, present = make_clips(
    32, torch.Generator().manual_seed(seed + 100), alone=1.0
)
made = sample(net, videos[:, 0], paths, present, seed)
wanted = S * paths[:, 0, -1]
missed, unmoved = (
    (middle(frames) - wanted).norm(dim=1).median()
    for frames in (made[:, -1], videos[:, 0])
)
print(
    f"middle of the shape, pixels from the drag's end, median of 32: {missed:.1f}; if "
    f"nothing moved: {unmoved:.1f}"
)
assert steps < 500 or missed < unmoved / 2, "a trained toy follows its drags"

# %% [markdown]
# What this leaves out: a VAE, so that pictures can be large; weights that have seen millions of videos; and objects whose parts
# hang on hinges, so that the path of one point says how a whole part turns. The other chapters are about those.
#
# ## Exercise
#
# A *pin* is a drag that ends where it starts. What happens if both shapes are pinned? Put drags of shape (1, K, N, 2) for
# `None`: the cell checks itself.

# %%
pins = None
if pins is None:
    print("not answered yet: replace None and run the cell again")
else:
    assert pins.shape == (1, K, N, 2) and (pins == pins[:, :, :1]).all(), (
        "a pin is at the same place in every frame"
    )
    moved = (
        sample(net, still[:1, 0], pins, torch.ones(1, K, dtype=torch.bool), seed)[0, -1]
        - still[0, 0]
    )
    print(
        "right; the last frame differs from the first by "
        f"{255 * moved.abs().mean():.0f} of 255 on average"
    )

# %% [markdown]
# <details><summary>Solution</summary>
#
# `pins = starts[None, :, None].repeat(1, 1, N, 1)`
#
# </details>
