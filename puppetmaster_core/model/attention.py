"""All-to-first attention (Eq. 4), the arms it is compared with, and cross-attention with drag tokens (§3.2).

Shapes: B batch, N frames, H heads, L = h·w places of a frame, M keys, D channels of a head, K drags.
Every arm has one signature, `(q, k, v, frames)`: q is (B·N, H, L, D), k and v are (B·N, H, L, D) or, where the arm
reads frame 1 only, (B, H, L, D). The result has the shape of q.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import AttnProcessor2_0
from torch import Tensor

from .context import ForwardContext


def attend_folded(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention where R rows of q share a row of k and v: (B·R, H, L, D) with (B, H, M, D), one fused call, no copy."""
    groups = k.shape[0]
    folded = q.unflatten(0, (groups, -1)).transpose(1, 2)  # (B, H, R, L, D)
    rows = folded.shape[2]
    out = F.scaled_dot_product_attention(folded.flatten(2, 3), k, v, attn_mask=mask)
    return out.unflatten(2, (rows, -1)).transpose(1, 2).flatten(0, 1)


def first_frames(x: Tensor, frames: int) -> Tensor:
    """Frame 1 of every video: (B·N, ...) -> (B, ...)."""
    return x.unflatten(0, (-1, frames))[:, 0]


def all_to_first(q: Tensor, k: Tensor, v: Tensor, frames: int) -> Tensor:
    """All-to-first attention, Eq. 4: A_i = softmax(Q[i] K[0]^T / sqrt(D)) V[0], for all frames i at once.

    q: (B·N, H, L, D); k, v: the same, or frame 1's alone, (B, H, L, D). Returns (B·N, H, L, D).
    """
    if k.shape[0] == q.shape[0]:
        k, v = first_frames(k, frames), first_frames(v, frames)
    return attend_folded(q, k, v)


def spatial(q: Tensor, k: Tensor, v: Tensor, frames: int) -> Tensor:
    """Table 2, "No attention with the reference": spatial self-attention, each frame to itself; all (B·N, H, L, D)."""
    return F.scaled_dot_product_attention(q, k, v)


def static_reference(q: Tensor, k: Tensor, v: Tensor, frames: int) -> Tensor:
    """The static reference video, §5.3: frame i of both branches attends to frame i of the reference.

    q, k, v: (2·B·N, H, L, D), B noised videos, then B reference videos, whose keys and values know nothing of the noise.
    """
    clean = slice(q.shape[0] // 2, None)
    return torch.cat([F.scaled_dot_product_attention(branch, k[clean], v[clean]) for branch in q.chunk(2)])


@dataclass(frozen=True)
class AttentionArm:
    """One way for a frame to attend: the function, and whether only frame 1 gives keys and values."""

    attend: Callable[[Tensor, Tensor, Tensor, int], Tensor]
    first_frame_only: bool


ATTENTION_ARMS = {
    "all_to_first": AttentionArm(all_to_first, first_frame_only=True),
    "spatial": AttentionArm(spatial, first_frame_only=False),
    "static_reference": AttentionArm(static_reference, first_frame_only=False),
}


def softmax_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention as a formula, without a fused call: q (B, H, L, D), k and v (B, H, M, D)."""
    return (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1) @ v


def all_to_first_reference(q: Tensor, k: Tensor, v: Tensor, frames: int) -> Tensor:
    """Eq. 4 as written, frame by frame: the slow reference of `all_to_first`."""
    q, k, v = (x.unflatten(0, (-1, frames)) for x in (q, k, v))
    return torch.stack([softmax_attention(q[:, i], k[:, 0], v[:, 0]) for i in range(frames)], dim=1).flatten(0, 1)


def spatial_reference(q: Tensor, k: Tensor, v: Tensor, frames: int) -> Tensor:
    """Row by row: the slow reference of `spatial`."""
    return torch.cat([softmax_attention(*row) for row in zip(q.split(1), k.split(1), v.split(1), strict=True)])


def static_reference_reference(q: Tensor, k: Tensor, v: Tensor, frames: int) -> Tensor:
    """Row by row: the slow reference of `static_reference`."""
    rows = q.shape[0] // 2
    clean = [rows + i % rows for i in range(2 * rows)]
    return torch.cat([softmax_attention(q[i : i + 1], k[j : j + 1], v[j : j + 1]) for i, j in enumerate(clean)])


SLOW_REFERENCES = {
    "all_to_first": all_to_first_reference,
    "spatial": spatial_reference,
    "static_reference": static_reference_reference,
}


def _split_heads(x: Tensor, heads: int) -> Tensor:
    """(rows, length, H·D) -> (rows, H, length, D)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def _project_out(attn: torch.nn.Module, x: Tensor) -> Tensor:
    """(rows, H, length, D) -> the layer's output projection of (rows, length, H·D)."""
    x = attn.to_out[0](x.transpose(1, 2).flatten(2))
    return attn.to_out[1](x)


class FrameAttention:
    """Processor of the spatial self-attention layers: applies one arm of `ATTENTION_ARMS` (§3.3)."""

    def __init__(self, arm: str, context: ForwardContext) -> None:
        self.arm, self.context = arm, context

    def __call__(self, attn, hidden_states: Tensor, encoder_hidden_states=None, attention_mask=None, **_) -> Tensor:
        arm, frames = ATTENTION_ARMS[self.arm], self.context.frames
        source = first_frames(hidden_states, frames) if arm.first_frame_only else hidden_states
        q, k, v = (
            _split_heads(project(x), attn.heads)
            for project, x in ((attn.to_q, hidden_states), (attn.to_k, source), (attn.to_v, source))
        )
        return _project_out(attn, arm.attend(q, k, v, frames))


class TokenAttention:
    """Processor of the cross-attention layers: one CLIP key, which is always seen, and K drag keys (§3.2).

    In a spatial layer the rows are frames, each with its own tokens. In a temporal layer the rows are places, and
    all of a video share the tokens of frame 1, so their keys and values are computed once per video. A video with a
    single key, the picture's, takes that key's value everywhere, whatever its queries.
    """

    def __init__(self, temporal: bool, context: ForwardContext) -> None:
        self.temporal, self.context = temporal, context
        self.without_tokens = AttnProcessor2_0()

    def __call__(self, attn, hidden_states: Tensor, encoder_hidden_states=None, attention_mask=None, **_) -> Tensor:
        tokens, context = encoder_hidden_states, self.context  # (rows, 1+K, D)
        single = tokens.shape[1] == 1
        if single and not context.shortcut:  # no drags: the layer is SVD's, to the bit
            return self.without_tokens(attn, hidden_states, tokens)
        lone, rows = context.batch if single else context.lone, tokens.shape[0] // context.batch
        parts = []
        if lone:
            value = attn.to_v(tokens[: lone * rows : rows, None, :1])  # (lone, 1, 1, C), as a softmax over one key is 1
            value = _project_out(attn, value)  # (lone, 1, C)
            parts.append(value[:, None].expand(-1, rows, hidden_states.shape[1], -1).flatten(0, 1))
        if lone < context.batch:
            parts.append(self._attend(attn, hidden_states[lone * rows :], tokens[lone * rows :], lone))
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _attend(self, attn, hidden_states: Tensor, tokens: Tensor, lone: int) -> Tensor:
        """The videos from number `lone` on: hidden_states (rows, L, C), tokens (rows, 1+K, D)."""
        mask = self.context.token_mask  # (B, N, 1+K)
        if mask is not None:
            mask = mask[lone:]
            mask = (mask[:, 0] if self.temporal else mask.flatten(0, 1))[:, None, None]
        if self.temporal:
            tokens = first_frames(tokens, tokens.shape[0] // (self.context.batch - lone))
        q = _split_heads(attn.to_q(hidden_states), attn.heads)
        k, v = (_split_heads(project(tokens), attn.heads) for project in (attn.to_k, attn.to_v))
        return _project_out(attn, attend_folded(q, k, v, mask))
