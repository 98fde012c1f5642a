"""DragUNet (§3): SVD's U-Net with drag modulation, drag tokens and all-to-first attention.

Shapes: B batch, N frames, K drags, C channels, (h, w) the latent grid.
"""

from diffusers.configuration_utils import register_to_config
from diffusers.models.modeling_utils import ModelMixin  # noqa: F401, diffusers looks for it here when it loads a DragUNet
from diffusers.models.unets.unet_spatio_temporal_condition import UNetSpatioTemporalConditionModel
from torch import Tensor, nn

from puppetmaster_core.encoding import encode_drags

from .checks import check_config, check_drags, check_inputs
from .conditioning import DragConditioning
from .context import BlockCheckpoint, ForwardContext
from .modulation import DragModulation
from .tokens import DragTokens
from .transformer import DragTransformer

CROSS_DOWN, CROSS_UP = "CrossAttnDownBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"


class DragUNet(UNetSpatioTemporalConditionModel):
    """SVD's U-Net (diffusers' arguments, parameter names and forward), told where the drags go.

    max_drags: K_max. drag_encoding, end_location: conventions of `encode_drags`; without end locations c = 4.
    modulation: "scale_shift" (Eq. 3), "shift" or "none"; modulation_channels: widths of its convolutions.
    drag_tokens: whether cross-attention sees a token per drag. token_positions: the places a token reads, among
    u, vn, vN. token_position_channels: width of each place's embedding. token_hidden: width of the token's
    perceptron (None: that of the tokens). token_sampling: "bilinear" or "nearest". token_detach: no gradient from
    tokens into features. token_mask: absent drags are masked, or else are tokens of zeros.
    attention: an arm of `ATTENTION_ARMS`. modulate_mid: whether the middle block gets the drags too.
    """

    @register_to_config
    def __init__(
        self,
        sample_size: int | None = None,
        in_channels: int = 8,
        out_channels: int = 4,
        down_block_types: tuple[str, ...] = (CROSS_DOWN, CROSS_DOWN, CROSS_DOWN, "DownBlockSpatioTemporal"),
        up_block_types: tuple[str, ...] = ("UpBlockSpatioTemporal", CROSS_UP, CROSS_UP, CROSS_UP),
        block_out_channels: tuple[int, ...] = (320, 640, 1280, 1280),
        addition_time_embed_dim: int = 256,
        projection_class_embeddings_input_dim: int = 768,
        layers_per_block: int | tuple[int, ...] = 2,
        cross_attention_dim: int | tuple[int, ...] = 1024,
        transformer_layers_per_block: int | tuple[int, ...] = 1,
        num_attention_heads: int | tuple[int, ...] = (5, 10, 20, 20),
        num_frames: int = 25,
        max_drags: int = 5,
        drag_encoding: str = "paper",
        end_location: bool = True,
        modulation: str = "scale_shift",
        modulation_channels: tuple[int, ...] = (256, 320, 320),
        drag_tokens: bool = True,
        token_positions: tuple[str, ...] = ("u", "vn", "vN"),
        token_position_channels: int = 64,
        token_hidden: int | None = None,
        token_sampling: str = "bilinear",
        token_detach: bool = False,
        token_mask: bool = True,
        attention: str = "all_to_first",
        modulate_mid: bool = True,
    ) -> None:
        check_config(dict(self.config))
        super().__init__(
            sample_size=sample_size,
            in_channels=in_channels,
            out_channels=out_channels,
            down_block_types=down_block_types,
            up_block_types=up_block_types,
            block_out_channels=block_out_channels,
            addition_time_embed_dim=addition_time_embed_dim,
            projection_class_embeddings_input_dim=projection_class_embeddings_input_dim,
            layers_per_block=layers_per_block,
            cross_attention_dim=cross_attention_dim,
            transformer_layers_per_block=transformer_layers_per_block,
            num_attention_heads=num_attention_heads,
            num_frames=num_frames,
        )
        self.context = ForwardContext()
        self.levels: list[int] = []  # of every transformer, in order: how often its grid was halved
        deepest = len(self.down_blocks) - 1
        blocks = [(block, level) for level, block in enumerate(self.down_blocks)]
        blocks += [(self.mid_block, deepest)]
        blocks += [(block, deepest - i) for i, block in enumerate(self.up_blocks)]
        for block, level in blocks:
            for i, plain in enumerate(getattr(block, "attentions", ())):
                block.attentions[i] = self._drag_transformer(plain, with_drags=block is not self.mid_block)
                self.levels.append(level)

    def _drag_transformer(self, plain: nn.Module, with_drags: bool) -> DragTransformer:
        config, modulation, tokens = self.config, None, None
        with_drags = with_drags or config.modulate_mid
        if with_drags and config.modulation != "none":
            encoding_channels = (6 if config.end_location else 4) * config.max_drags
            modulation = DragModulation(
                encoding_channels, plain.in_channels, config.modulation_channels, config.modulation == "scale_shift"
            )
        if with_drags and config.drag_tokens:
            tokens = DragTokens(
                plain.in_channels,
                plain.transformer_blocks[0].attn2.cross_attention_dim,
                config.token_positions,
                config.token_position_channels,
                config.token_hidden,
                config.token_sampling,
                config.token_detach,
            )
        return DragTransformer.like(
            plain,
            index=len(self.levels),
            context=self.context,
            attention=config.attention,
            modulation=modulation,
            tokens=tokens,
        )

    # Every transformer of the network, in the order of `DragConditioning.maps`.
    def drag_transformers(self) -> list[DragTransformer]:
        found = [module for module in self.modules() if isinstance(module, DragTransformer)]
        return sorted(found, key=lambda module: module.index)

    # All gamma_s and beta_s of Eq. 3 for a latent grid of `size` (h, w), which no noise level changes.
    # points: (B, K, N, 2), xy in [0, 1]; present: bool (B, K), or (B, N, K) frame by frame; K may be below max_drags.
    def condition(self, points: Tensor, present: Tensor, size: tuple[int, int]) -> DragConditioning:
        check_drags(points, present, size, self.config.max_drags, self.conv_in.weight.device)
        if present.ndim == 2:
            present = present[:, None].expand(-1, points.shape[2], -1)
        missing = self.config.max_drags - points.shape[1]
        points = nn.functional.pad(points, (0, 0, 0, 0, 0, missing))
        present = nn.functional.pad(present, (0, missing))
        encodings, maps = {}, []
        for transformer, level in zip(self.drag_transformers(), self.levels, strict=True):
            if transformer.modulation is None:
                maps.append(None)
                continue
            if level not in encodings:
                encodings[level] = self._encode(points, present, halved(size, level))
            maps.append(transformer.modulation(encodings[level]))
        return DragConditioning(tuple(maps), points, present, tuple(size))

    def _encode(self, points: Tensor, present: Tensor, size: tuple[int, int]) -> Tensor:
        encoding = encode_drags(
            points,
            size,
            convention=self.config.drag_encoding,
            max_drags=self.config.max_drags,
            present=present,
            end_location=self.config.end_location,
        )
        return encoding.to(self.conv_in.weight.dtype)

    # No drags at all, for guidance (App. C.1): every frame of every video alike, so one frame is computed.
    def null_conditioning(self, batch: int, frames: int, size: tuple[int, int]) -> DragConditioning:
        device = self.conv_in.weight.device
        points = self.conv_in.weight.new_zeros(1, self.config.max_drags, 1, 2)
        present = points.new_zeros(1, self.config.max_drags, dtype=bool, device=device)
        return self.condition(points, present, size).expand(batch, frames)

    def enable_gradient_checkpointing(self, gradient_checkpointing_func=None) -> None:
        super().enable_gradient_checkpointing(gradient_checkpointing_func or BlockCheckpoint(self.context))

    # sample: (B, N, C_in, h, w), noisy latents and image latents side by side; encoder_hidden_states: (B, 1, D);
    # added_time_ids: (B, 3). No conditioning means no drags.
    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float | int,
        encoder_hidden_states: Tensor,
        added_time_ids: Tensor,
        conditioning: DragConditioning | None = None,
        return_dict: bool = True,
    ):
        batch, frames = sample.shape[:2]
        masked = self.config.token_mask
        tokens = not masked or conditioning is not None  # without drags, masked tokens change nothing
        if conditioning is None:
            conditioning = self.null_conditioning(batch, frames, tuple(sample.shape[-2:]))
        check_inputs(sample, conditioning, self.config.in_channels, self.conv_in.weight)
        self.context.fill(conditioning, tokens, masked)
        try:
            return super().forward(sample, timestep, encoder_hidden_states, added_time_ids, return_dict)
        finally:
            self.context.clear()


# The grid after `level` of the U-Net's stride-2 convolutions, which round up.
def halved(size: tuple[int, int], level: int) -> tuple[int, int]:
    h, w = size
    return -(-h // 2**level), -(-w // 2**level)
