"""What one forward pass tells every drag layer beside the arguments that diffusers' blocks hand down.

Shapes: B batch, N frames, K drags.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from .conditioning import DragConditioning


class ForwardContext:
    """One per network, shared by its layers, filled by `DragUNet.forward`. No parameter, never in a state dict.

    conditioning: the videos' drags. batch: B. frames: N. tokens: whether cross-attention sees drag tokens.
    token_mask: (B, N, 1+K) bool, False where a drag is absent, or None where every key is seen.
    undragged: the first so many videos have no drags, and tokens of zeros. shortcut: whether cross-attention with a
    single key may be taken for that key's value. lone: the first so many videos have a single key, the picture's.
    """

    def __init__(self) -> None:
        self.batch, self.frames, self.tokens = 1, 1, False
        self.undragged, self.lone, self.shortcut = 0, 0, False
        self.token_mask: Tensor | None = None
        self.conditioning: DragConditioning | None = None

    def fill(self, conditioning: DragConditioning, masked: bool, shortcut: bool) -> None:
        """For one forward pass. conditioning: of all rows, a static reference's too. masked: whether absent drags are."""
        self.batch, self.frames = conditioning.points.shape[0], conditioning.frames
        self.undragged, self.shortcut = conditioning.undragged, shortcut
        single = self.undragged if masked or conditioning.blank else 0
        self.lone = single if shortcut else 0
        self.tokens = single < self.batch  # without drags, masked tokens change nothing
        self.token_mask = F.pad(conditioning.present, (1, 0), value=True) if masked else None
        self.conditioning = conditioning

    def clear(self) -> None:
        """Let the modulation maps go after the forward pass, and with them their graph."""
        self.conditioning = None

    def replay(self) -> tuple[AbstractContextManager, AbstractContextManager]:
        """For gradient checkpointing: nothing special now, and this state, not a later one, when a block is computed again."""
        return nullcontext(), self._as_it_was(dict(vars(self)))

    @contextmanager
    def _as_it_was(self, then: dict[str, Any]) -> Iterator[None]:
        now = dict(vars(self))
        vars(self).update(then)
        try:
            yield
        finally:
            vars(self).update(now)
