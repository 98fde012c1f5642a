"""One transformer of SVD's U-Net with the drags' two inputs: modulation before it, tokens in its cross-attention."""

import torch
from diffusers.models.transformers.transformer_temporal import TransformerSpatioTemporalModel
from torch import Tensor

from .attention import FrameAttention, TokenAttention
from .context import ForwardContext
from .modulation import DragModulation, modulate
from .tokens import DragTokens


class DragTransformer(TransformerSpatioTemporalModel):
    """SVD's spatio-temporal transformer, with its parameter names, plus `modulation` (Eq. 3) and `tokens` (§3.2).

    index: which of the conditioning's modulation maps is this layer's.
    """

    # The drag version of a transformer that diffusers built, from the same arguments and the network's settings.
    @classmethod
    def like(cls, plain: TransformerSpatioTemporalModel, config, context: ForwardContext, index: int, with_drags: bool):
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
        if with_drags and config.modulation != "none":
            scale, encoding_channels = config.modulation == "scale_shift", config.max_drags * (6 if config.end_location else 4)
            new.modulation = DragModulation(encoding_channels, plain.in_channels, config.modulation_channels, scale)
        if with_drags and config.drag_tokens:
            new.tokens = DragTokens(
                plain.in_channels,
                attn2.cross_attention_dim,
                config.token_positions,
                config.token_embedding,
                config.token_position_channels,
                config.token_hidden,
                config.token_detach,
            )
        for spatial, temporal in zip(new.transformer_blocks, new.temporal_transformer_blocks, strict=True):
            spatial.attn1.set_processor(FrameAttention(config.attention, context))
            spatial.attn2.set_processor(TokenAttention(False, context))
            temporal.attn2.set_processor(TokenAttention(True, context))
        return new

    # hidden_states: (B·N, C, h, w) from the residual block; encoder_hidden_states: (B·N, 1, D), the CLIP token.
    def forward(self, hidden_states: Tensor, encoder_hidden_states=None, image_only_indicator=None, return_dict=True):
        drags = self.context.conditioning
        if self.modulation is not None:
            hidden_states = modulate(hidden_states, drags.maps[self.index])
        if self.tokens is not None and self.context.tokens:
            tokens = self.tokens(hidden_states, drags.points, drags.present)
            encoder_hidden_states = torch.cat([encoder_hidden_states, tokens], dim=1)
        return super().forward(hidden_states, encoder_hidden_states, image_only_indicator, return_dict)
