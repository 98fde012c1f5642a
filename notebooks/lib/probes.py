"""Looking into the network while it works: the features, queries and keys of every transformer, copied as they pass by.

Letters: N frames, C channels of a feature map, (h, w) its grid, H heads, L = h·w places of a frame, M keys, K drags.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from IPython.display import display
from torch import Tensor

from puppetmaster_core.drags import Drags
from puppetmaster_core.encoding import cells
from puppetmaster_core.latents.field import GRID
from puppetmaster_core.latents.motion import MotionCodec
from puppetmaster_core.model import DragUNet
from puppetmaster_core.model.modulation import modulate
from puppetmaster_core.model.transformer import DragTransformer
from puppetmaster_core.presets import cell_size


@dataclass(frozen=True, eq=False)
class Glimpse:
    """What one transformer saw of one video, the last of the batch, in one forward pass."""

    name: str  # where it sits, as in "down 8×8"
    heads: int  # H
    before: Tensor  # (N, C, h, w), features out of the residual block
    after: Tensor  # the same, modulated (Eq. 3)
    query: Tensor  # (N, L, C) of the spatial self-attention
    key: Tensor  # (1, L, C) where only frame 1 gives keys, else (N, L, C)
    token_query: Tensor | None  # (N, L, C) of the spatial cross-attention, None where it was spared
    token_key: Tensor | None  # (N, 1+K, C), the picture's key first
    token_seen: Tensor | None  # (N, 1+K) bool, False where a drag is absent; None: all are seen

    @property
    def size(self) -> tuple[int, int]:
        return tuple(self.before.shape[-2:])

    def frame_weights(self) -> Tensor:
        """Weights of the spatial self-attention (N, H, L, M); each row adds up to one."""
        return self._weights(self.query, self.key)

    def token_weights(self) -> Tensor | None:
        """Weights of the spatial cross-attention (N, H, L, 1+K), the picture's first; None where it was spared."""
        return None if self.token_query is None else self._weights(self.token_query, self.token_key, self.token_seen)

    def _weights(self, query: Tensor, key: Tensor, seen: Tensor | None = None) -> Tensor:
        q, k = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (query, key))  # (·, H, ·, D)
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        return (scores if seen is None else scores.masked_fill(~seen[:, None, None], -torch.inf)).softmax(-1)


@contextmanager
def watching(net: DragUNet, keep: int = 100) -> Iterator[deque[list[Glimpse]]]:
    """While open, every forward pass adds its glimpses, one per transformer; of passes, the last `keep` are kept.

    Raises ValueError for the static reference, whose rows hold two branches.
    """
    if net.config.attention == "static_reference":
        raise ValueError("attention='static_reference' came, wanted an arm with one branch: all_to_first or spatial")
    passes: deque[list[Glimpse]] = deque(maxlen=keep)
    hooks = [net.register_forward_pre_hook(lambda *_: passes.append([]))]
    for layer, name in zip(net.drag_transformers(), layer_names(net), strict=True):
        hooks += _watch_layer(layer, name, passes)
    try:
        yield passes
    finally:
        for hook in hooks:
            hook.remove()


def layer_names(net: DragUNet) -> list[str]:
    """A name for each of `net.drag_transformers()`: the way through the U-Net, and how often the grid was halved."""
    paths = {id(module): path for path, module in net.named_modules()}
    deepest, names = len(net.down_blocks) - 1, []
    for kind, number, *_ in (paths[id(layer)].split(".") for layer in net.drag_transformers()):
        way = kind.removesuffix("_blocks").replace("mid_block", "middle")
        level = {"down": int, "up": lambda i: deepest - int(i)}.get(way, lambda _: deepest)(number)
        names.append((way, level))
    labels = [f"{way} s/{2**level}" if level else f"{way} s" for way, level in names]
    return [f"{label} ({labels[:i].count(label) + 1})" if labels.count(label) > 1 else label for i, label in enumerate(labels)]


def _watch_layer(layer: DragTransformer, name: str, passes: deque) -> list:
    """Hooks that copy what one transformer computes, and make a Glimpse of it when the transformer is done."""
    seen: dict[str, Tensor] = {}

    def note(what: str, module, args, result) -> None:
        seen[what] = result.detach()

    def enter(module, args, kwargs) -> None:
        seen.clear()
        seen["before"] = (args[0] if args else kwargs["hidden_states"]).detach()

    def leave(module, args, result) -> None:
        context = layer.context
        frames, drags = context.frames, context.conditioning
        rows = {what: tensor[-frames:] for what, tensor in seen.items()}
        if seen["key"].shape[0] != seen["query"].shape[0]:
            rows["key"] = seen["key"][-1:]
        after = modulate(seen["before"], drags.maps[layer.index])[-frames:] if layer.modulation is not None else rows["before"]
        mask = context.token_mask[-1] if context.token_mask is not None and "token_key" in rows else None
        if mask is not None and rows["token_key"].shape[1] != mask.shape[1]:
            mask = None  # the picture's key alone
        passes[-1].append(Glimpse(name, layer.num_attention_heads, after=after, token_seen=mask, **(
            {"token_query": None, "token_key": None} | rows)))

    block = layer.transformer_blocks[0]
    linears = {"query": block.attn1.to_q, "key": block.attn1.to_k, "token_query": block.attn2.to_q, "token_key": block.attn2.to_k}
    hooks = [linear.register_forward_hook(partial(note, what)) for what, linear in linears.items()]
    return [layer.register_forward_pre_hook(enter, with_kwargs=True), layer.register_forward_hook(leave), *hooks]


def grid(pipe) -> tuple[int, int]:
    """(h, w) of what a pipeline diffuses, for pictures of its own size."""
    side = GRID if isinstance(pipe.vae, MotionCodec) else pipe.config.size // cell_size(pipe.vae.config)
    return side, side


# The cell of each place of a path (N, 2), xy in [0, 1]: (N,) as a number of the grid's places.
def _cell_numbers(one: Glimpse, path) -> Tensor:
    (row, col), _ = cells(torch.as_tensor(np.array(path)), one.size)
    return (row * one.size[1] + col).long()


def weights_of(one: Glimpse, path) -> Tensor:
    """Where the cell of a path (N, 2), xy in [0, 1], looks in each frame: weights (N, h, w), the mean over heads."""
    at = _cell_numbers(one, path)
    return one.frame_weights().mean(1)[torch.arange(len(at)), at].unflatten(-1, one.size).cpu()


def weight_at(one: Glimpse, path, place) -> Tensor:
    """The weight (N,) that a path's cells give to the cell of one place (2,), in shares of what an even look would give."""
    row, col = divmod(int(_cell_numbers(one, np.array(place)[None])[0]), one.size[1])
    return weights_of(one, path)[:, row, col] * (one.size[0] * one.size[1])


def modulation_change(net: DragUNet, drags: Drags, size: tuple[int, int]) -> list[dict[str, np.ndarray]]:
    """How far drags move γ_s and β_s (Eq. 3) from what they are without drags, for every transformer.

    For "gamma" (where there is one) and "beta": the length over channels of the difference (N, h, w), in units of the root
    mean square of that length without drags. size: (h, w) of the latents.
    """
    points, present = (tensor[None] for tensor in drags.tensors(net.config.max_drags, net.device))
    with torch.no_grad():
        told = net.condition(points, present, size).maps
        untold = net.condition(points, present & False, size).maps
    changes = []
    for with_drags, without in zip(told, untold, strict=True):
        pairs = {name: (getattr(with_drags, name), getattr(without, name)) for name in ("gamma", "beta")}
        changes.append({name: _relative(*pair) for name, pair in pairs.items() if pair[0] is not None})
    return changes


def _relative(told: Tensor, untold: Tensor) -> np.ndarray:
    unit = untold.square().sum(2).mean().sqrt().clamp_min(1e-12)
    return ((told - untold).norm(dim=2)[0] / unit).float().cpu().numpy()


def follow(widget, trait: str, draw: Callable[[], object]):
    """Show what draw() returns, and show it anew in the same place whenever a trait of the widget changes.

    On a page of the book, where no kernel runs, the first stays. Returns the display's handle.
    """
    shown = display(draw(), display_id=True)

    def redraw(_) -> None:
        try:
            shown.update(draw())
        except ValueError as error:  # nothing drawn, or more drags than the model takes: say so in the figure's place
            shown.update({"text/plain": str(error)}, raw=True)

    widget.observe(redraw, names=trait)
    return shown
