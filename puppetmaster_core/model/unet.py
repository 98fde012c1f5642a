"""DragUNet (§3): SVD's U-Net with drag modulation, drag tokens and all-to-first attention.

Shapes: B batch, N frames, K drags, C channels, (h, w) the latent grid.
"""

import inspect
import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from os import PathLike

import torch
from diffusers.configuration_utils import register_to_config
from diffusers.models.modeling_utils import ModelMixin  # noqa: F401, diffusers looks for it here when it loads a DragUNet
from diffusers.models.unets.unet_spatio_temporal_condition import (
    UNetSpatioTemporalConditionModel,
    UNetSpatioTemporalConditionOutput,
)
from diffusers.utils.accelerate_utils import apply_forward_hook
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from puppetmaster_core.drags import pad_drags
from puppetmaster_core.encoding import encode_drags

from .checks import check_config
from .conditioning import DragConditioning, halved
from .context import ForwardContext
from .prediction import clean_to_v
from .reference import beside_static_reference
from .released import RELEASED, check_released, read_released, released_name
from .svd import align_weights, read_svd, with_drags
from .transformer import DragTransformer, NoTimeIds

CROSS_DOWN, CROSS_UP = "CrossAttnDownBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"


class DragUNet(UNetSpatioTemporalConditionModel):
    """SVD's U-Net (diffusers' arguments, parameter names and forward), told where the drags go.

    max_drags: K_max. drag_encoding, end_location: conventions of `encode_drags`; without end locations c = 4.
    modulation: "scale_shift" (Eq. 3), "shift" or "none"; modulation_channels: widths of its convolutions.
    drag_tokens: whether cross-attention sees a token per drag. token_positions: the places a token reads, among
    u, vn, vN. token_embedding: sin-cos of "points" or, between them, of "cells"; token_position_channels: its width.
    token_hidden: width of the token's perceptron (None: that of the tokens). token_detach: no gradient from tokens
    into features. token_mask: absent drags are masked, or else are tokens of zeros.
    attention: an arm of `ATTENTION_ARMS`. reference_scale: what "static_reference" multiplies image latents by to
    have latents of a video (SVD: 0.18215, residual latents: 0). modulate_mid: whether the middle block gets drags.
    time_ids: whether frame rate, motion bucket and noise augmentation count. up_norm_eps: of the group norms in the
    residual blocks of the up blocks with cross-attention (None: diffusers').
    prediction: what the layers compute, "v" as SVD's or the "clean" latents; what comes out is v all the same.
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
        token_embedding: str = "points",
        token_position_channels: int = 64,
        token_hidden: int | None = None,
        token_detach: bool = False,
        token_mask: bool = True,
        attention: str = "all_to_first",
        reference_scale: float = 0.18215,
        modulate_mid: bool = True,
        time_ids: bool = True,
        up_norm_eps: float | None = None,
        prediction: str = "v",
    ) -> None:
        check_config(dict(self.config))
        svds = inspect.signature(UNetSpatioTemporalConditionModel.__init__).parameters
        super().__init__(**{name: value for name, value in self.config.items() if name in svds})
        self.context = ForwardContext()
        index = 0
        for block, _ in self._blocks():
            with_drags = modulate_mid or block is not self.mid_block
            for i, plain in enumerate(block.attentions):
                block.attentions[i] = DragTransformer.like(plain, self.config, self.context, index, with_drags)
                index += 1
        if not time_ids:
            self.add_embedding = NoTimeIds()
        if up_norm_eps is not None:
            for norm in (m for block in self.up_blocks if hasattr(block, "attentions") for m in block.resnets.modules()):
                if isinstance(norm, nn.GroupNorm):
                    norm.eps = up_norm_eps

    def _blocks(self) -> Iterator[tuple[nn.Module, int]]:
        """The blocks with transformers, each with how often its grid was halved."""
        deepest = len(self.down_blocks) - 1
        blocks = [*enumerate(self.down_blocks), (deepest, self.mid_block)]
        blocks += [(deepest - i, block) for i, block in enumerate(self.up_blocks)]
        return ((block, level) for level, block in blocks if hasattr(block, "attentions"))

    def drag_transformers(self) -> list[DragTransformer]:
        """Every transformer, in the order of `DragConditioning.maps`."""
        return [transformer for block, _ in self._blocks() for transformer in block.attentions]

    @classmethod
    def from_pretrained(cls, *args, **options):
        """As diffusers' own, with weights that lie in memory as those of the network that was saved."""
        loaded = super().from_pretrained(*args, **options)
        align_weights(loaded[0] if isinstance(loaded, tuple) else loaded)
        return loaded

    @classmethod
    def from_released(cls, source: Mapping[str, Tensor] | str | PathLike, **config) -> "DragUNet":
        """The authors' checkpoint, in their convention: released names to tensors, or a safetensors file of them.

        config: what differs from SVD's sizes, in this class's names (`released_config` translates the authors'). Raises
        ValueError for tensors that are not this network's.
        """
        with torch.device("meta"):
            net = cls(**RELEASED | config)
        net.load_state_dict(read_released(source, net.state_dict()), strict=True, assign=True)
        return align_weights(net.eval())

    @classmethod
    def from_svd(cls, source: str | PathLike, *, variant: str | None = None, torch_dtype: torch.dtype = torch.float32,
                 seed: int = 0, **options) -> "DragUNet":
        """SVD's network with new drag layers, App. C.1: they change nothing but its cross-attention yet.

        source: SVD's folder in diffusers' layout, or OWNER/NAME on the hub. options: diffusers' for the hub, and this
        class's settings. Sets `.additions` (printed, they say what was added), and logs them. Raises ValueError.
        """
        config = {name: options.pop(name) for name in set(options) & inspect.signature(cls.__init__).parameters.keys()}
        net = with_drags(cls, read_svd(source, variant, torch_dtype, **options), str(source), seed, config)
        logging.getLogger(__name__).info("%s", net.additions)
        return net

    def to_released(self) -> dict[str, Tensor]:
        """The state dict under the names of the authors' code. Raises ValueError for settings that their code does not have."""
        check_released(self.config)
        return {released_name(name): tensor for name, tensor in self.state_dict().items()}

    @apply_forward_hook  # a network that waits on the CPU (diffusers' offloading) comes to its GPU for this too
    def condition(self, points: Tensor, present: Tensor, size: tuple[int, int],
                  numbers: Tensor | None = None) -> DragConditioning:
        """All gamma_s and beta_s of Eq. 3 for a latent grid of `size` (h, w), which no noise level changes.

        points: (B, K, N, 2), xy in [0, 1]; K may be below max_drags. present: bool (B, K), or (B, N, K) frame by frame.
        numbers: (N,), which frames of a longer video these are, where they are not frames 0 to N − 1.
        """
        if present.ndim == 2:
            present = present[:, None].expand(-1, points.shape[2], -1)
        points, present = pad_drags(points, present, self.config.max_drags)
        convention = (self.config.drag_encoding, self.config.max_drags, present, self.config.end_location)
        encodings, maps = {}, []
        for block, level in self._blocks():
            for transformer in block.attentions:
                if transformer.modulation is not None and level not in encodings:
                    code = encode_drags(points, halved(size, level), *convention)
                    encodings[level] = code.to(self.conv_in.weight.dtype)
                maps.append(transformer.modulation and transformer.modulation(encodings[level]))
        return DragConditioning(tuple(maps), points, present, tuple(size), positions=self._positions(points.shape[2], numbers))

    @apply_forward_hook
    def null_conditioning(self, batch: int, frames: int, size: tuple[int, int], blank: bool = False) -> DragConditioning:
        """No drags at all, for guidance, App. C.1: every frame of every video alike, so one frame is computed.

        blank: these videos will get an embedding of zeros as well, as the released code's do.
        """
        points = torch.zeros(1, self.config.max_drags, 1, 2, device=self.conv_in.weight.device)
        one = replace(self.condition(points, points[:, :, 0, 0] > 0, size), undragged=1, blank=blank)
        return replace(one.expand(batch, frames), positions=self._positions(frames))

    def _positions(self, frames: int, numbers: Tensor | None = None) -> tuple[Tensor, ...]:
        if numbers is None:
            numbers = torch.arange(frames, device=self.conv_in.weight.device)
        return tuple(transformer.frame_positions(numbers) for transformer in self.drag_transformers())

    def prepare(self, conditioning: DragConditioning) -> DragConditioning:
        """A conditioning with what `forward` would otherwise add in every call: before many calls with the same one."""
        if self.config.attention != "static_reference" or conditioning.reference:
            return conditioning
        no_drags = self.null_conditioning(conditioning.batch, conditioning.frames, conditioning.size)
        return replace(DragConditioning.cat([conditioning, no_drags]), reference=True)

    def enable_gradient_checkpointing(self, gradient_checkpointing_func=None) -> None:
        ours = partial(checkpoint, use_reentrant=False, context_fn=self.context.replay)
        super().enable_gradient_checkpointing(gradient_checkpointing_func or ours)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float | int,
        encoder_hidden_states: Tensor,
        added_time_ids: Tensor,
        conditioning: DragConditioning | None = None,
        return_dict: bool = True,
    ):
        """v (B, N, C, h, w) of Eq. 2, as `.sample` or, without return_dict, alone in a tuple.

        sample: (B, N, C_in, h, w), noisy latents and image latents side by side. timestep: c_noise, one number or (B,).
        encoder_hidden_states: (B, 1, D). added_time_ids: (B, 3). conditioning: of `condition`; None: no drags.
        """
        batch, frames, *_ = sample.shape
        shortcut = conditioning is not None and not torch.is_grad_enabled()  # else SVD's to the bit; gradients everywhere
        if conditioning is None:
            conditioning = replace(self.null_conditioning(batch, frames, tuple(sample.shape[-2:])), positions=None)
        if (conditioning.batch, conditioning.frames) != (batch, frames):  # torch would not see that rows are of other videos
            raise ValueError(
                f"got drags of {conditioning.batch} videos of {conditioning.frames} frames, the sample has {batch} of {frames}: "
                "make them with condition() for this sample"
            )
        args = (sample, timestep, encoder_hidden_states, added_time_ids)
        if not self.config.time_ids:
            args = (sample, timestep, encoder_hidden_states, sample.new_zeros(batch, 1))
        if self.config.attention == "static_reference":
            args = beside_static_reference(*args, self.config.out_channels, self.config.reference_scale)
            conditioning = self.prepare(conditioning)
        self.context.fill(conditioning, self.config.token_mask, shortcut)
        try:
            (result,) = super().forward(*args, return_dict=False)
        finally:
            self.context.clear()
        result = result[:batch]
        if self.config.prediction == "clean":
            result = clean_to_v(result, sample, timestep)
        return UNetSpatioTemporalConditionOutput(sample=result) if return_dict else (result,)
