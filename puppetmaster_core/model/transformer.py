"""One transformer of SVD's U-Net with the drags' two inputs: modulation before it, tokens in its cross-attention."""

import torch
import torch.nn.functional as F
from diffusers.models.embeddings import TimestepEmbedding
from diffusers.models.transformers.transformer_temporal import TransformerSpatioTemporalModel
from torch import Tensor, nn

from .attention import FrameAttention, TokenAttention
from .context import ForwardContext
from .modulation import DragModulation, modulate
from .tokens import DragTokens


class FramePositions(nn.Module):
    """SVD's embedding of the frames' numbers, with its parameters: read from the conditioning where that has it.

    numbers: (B·N, C), sin-cos of the frames' numbers -> (B·N, C).
    """

    def __init__(self, plain: TimestepEmbedding, context: ForwardContext, index: int) -> None:
        super().__init__()
        self.linear_1, self.act, self.linear_2 = plain.linear_1, plain.act, plain.linear_2
        self.context, self.index = context, index

    def forward(self, numbers: Tensor) -> Tensor:
        drags = self.context.conditioning
        if drags is None or drags.positions is None:
            return self.embed(numbers)
        return drags.positions[self.index].repeat(self.context.batch, 1)

    def embed(self, numbers: Tensor) -> Tensor:
        return self.linear_2(self.act(self.linear_1(numbers)))


class NoTimeIds(nn.Module):
    """In place of SVD's embedding of the time ids: nothing is added."""

    def forward(self, embedding: Tensor) -> Tensor:
        return embedding.new_zeros(())


class DragTransformer(TransformerSpatioTemporalModel):
    """SVD's spatio-temporal transformer, with its parameter names, plus `modulation` (Eq. 3) and `tokens` (§3.2).

    index: which of the conditioning's modulation maps is this layer's.
    """

    @classmethod
    def like(cls, plain: TransformerSpatioTemporalModel, config, context: ForwardContext, index: int, with_drags: bool):
        """The drag version of a transformer that diffusers built, from the same arguments and the network's settings."""
        attn2 = plain.transformer_blocks[0].attn2
        new = cls(
            plain.num_attention_heads,
            plain.attention_head_dim,
            in_channels=plain.in_channels,
            out_channels=plain.out_channels,
            num_layers=len(plain.transformer_blocks),
            cross_attention_dim=attn2.cross_attention_dim,
        )
        new.index, new.context, new.modulation, new.tokens = index, context, None, None
        new.time_pos_embed = FramePositions(new.time_pos_embed, context, index)
        if with_drags:
            new.add_drag_layers(config)
        for spatial, temporal in zip(new.transformer_blocks, new.temporal_transformer_blocks, strict=True):
            spatial.attn1.set_processor(FrameAttention(config.attention, context))
            spatial.attn2.set_processor(TokenAttention(False, context))
            temporal.attn2.set_processor(TokenAttention(True, context))
        return new

    def add_drag_layers(self, config) -> None:
        """New drag layers as the settings want them, on the device that is torch's default now."""
        if config.modulation != "none":
            scale, encoding_channels = config.modulation == "scale_shift", config.max_drags * (6 if config.end_location else 4)
            self.modulation = DragModulation(encoding_channels, self.in_channels, config.modulation_channels, scale)
        if config.drag_tokens:
            self.tokens = DragTokens(
                self.in_channels,
                self.transformer_blocks[0].attn2.cross_attention_dim,
                config.token_positions,
                config.token_embedding,
                config.token_position_channels,
                config.token_hidden,
                config.token_detach,
            )

    def frame_positions(self, numbers: Tensor) -> Tensor:
        """What is added to the features of the frames with these numbers (N,), from 0 on: (N, C), whatever the noise level."""
        return self.time_pos_embed.embed(self.time_proj(numbers).to(self.time_pos_embed.linear_1.weight.dtype))

    def forward(self, hidden_states: Tensor, encoder_hidden_states=None, image_only_indicator=None, return_dict=True):
        """Modulate (Eq. 3), then SVD's transformer, its cross-attention with drag tokens.

        hidden_states: (B·N, C, h, w) from the residual block; encoder_hidden_states: (B·N, 1, D), the CLIP token.
        """
        drags = self.context.conditioning
        if self.modulation is not None:
            hidden_states = modulate(hidden_states, drags.maps[self.index])
        if self.tokens is not None and self.context.tokens:
            encoder_hidden_states = self._with_tokens(hidden_states, encoder_hidden_states)
        return super().forward(hidden_states, encoder_hidden_states, image_only_indicator, return_dict)

    def _with_tokens(self, features: Tensor, clip: Tensor) -> Tensor:
        """(B·N, 1, D) -> (B·N, 1+K, D): tokens behind the CLIP token, zeros where a video is known to have no drags."""
        drags, none = self.context.conditioning, self.context.undragged
        rows, most = none * self.context.frames, drags.points.shape[1]
        padded = [F.pad(clip[:rows], (0, 0, 0, most))] if none else []
        if none < self.context.batch:
            tokens = self.tokens(features[rows:], drags.points[none:], drags.present[none:])
            padded.append(torch.cat([clip[rows:], tokens], dim=1))
        return torch.cat(padded) if len(padded) > 1 else padded[0]
