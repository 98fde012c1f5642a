"""Where a VAE that is trained from nothing begins: at the principal components of picture patches, not at noise.

The best linear code of 8×8 patches in 48 numbers keeps far more of a 64-pixel cabinet than random weights had learned after 40
minutes on a CPU, 34 dB against 28.
Diffusers' VAE can hold it: residual blocks that add nothing yet, and between them what `_linear_head` sets up. Training goes
on from there.

Letters: C feature channels, L latent channels, D values of a patch.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderKLTemporalDecoder
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D, TemporalResnetBlock
from torch import Tensor, nn

from puppetmaster_core.latents.linear import LinearCode
from puppetmaster_core.presets import patch_size

LEVEL = 30.0  # of the constant features beside the signals, in standard deviations of a signal: far above all of them
LOG_VARIANCE = -6.0  # of the posterior at the start, where latents have about unit variance


def can_start_principal(vae: AutoencoderKLTemporalDecoder) -> bool:
    """Whether a latent cell is one patch, and the features hold every latent twice, with both signs, beside a constant."""
    config, channels = vae.config, vae.config.block_out_channels
    groups = vae.encoder.conv_norm_out.num_groups
    return len(channels) == 1 and config.latent_channels <= groups * ((channels[0] // groups - 1) // 2)


@torch.no_grad()
def start_principal(vae: AutoencoderKLTemporalDecoder, pictures: Tensor) -> None:
    """Set the weights so that E gives the leading principal components of patches, and D puts the patches back together.

    pictures (B, 3, H, W) in [−1, 1]: some hundred of the training set. Latents have unit variance on average. Only for a VAE of
    which `can_start_principal` is true.
    """
    linear = LinearCode.of(pictures, vae.config.latent_channels, patch_size(vae.config))
    axes, mean, scale = linear.axes, linear.mean, linear.encode(pictures).square().mean().sqrt()  # (L, D), (D,)
    for module in vae.modules():  # residual branches begin silent
        if isinstance(module, ResnetBlock2D | TemporalResnetBlock):
            _silence(module.conv2)
        elif isinstance(module, Attention):
            _silence(module.to_out[0])
    to_code, from_code = axes / scale, axes.T * scale  # (L, D), (D, L)
    _linear_head(vae.encoder, to_code, -to_code @ mean)
    code = torch.eye(len(axes)).to(axes)
    _read_out(vae.encoder, torch.cat([code, 0 * code]), torch.tensor([0.0, LOG_VARIANCE]).repeat_interleave(len(code)))
    nn.init.dirac_(vae.quant_conv.weight)
    nn.init.zeros_(vae.quant_conv.bias)
    _linear_head(vae.decoder, code, torch.zeros(len(code)))
    _read_out(vae.decoder, from_code, mean)
    nn.init.dirac_(vae.decoder.time_conv_out.weight)
    nn.init.zeros_(vae.decoder.time_conv_out.bias)


def _silence(layer: nn.Module) -> None:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)


# silu(x) − silu(−x) = x: a value that is there with both signs passes SiLU unharmed. A constant in every group, far above the
# values, makes the group norm a fixed scale, and the pairs leave the group's mean alone.
def _linear_head(network: nn.Module, weight: Tensor, bias: Tensor) -> None:
    """First layer and last norm of an encoder or decoder: signals weight (L, D) @ x + bias (L,), each with both signs."""
    norm, first = network.conv_norm_out, network.conv_in
    plus, minus, level = _places(network, len(weight))
    _silence(first)
    for places, sign in ((plus, 1.0), (minus, -1.0)):
        first.weight[places, :, 1, 1], first.bias[places] = sign * weight, sign * bias.to(weight)
    first.bias[level] = LEVEL
    size = norm.num_channels // norm.num_groups  # the norm sees a signal s as (s − LEVEL/size) / deviation
    deviation = LEVEL * (size - 1) ** 0.5 / size
    norm.weight.fill_(deviation)
    norm.bias.fill_(LEVEL / size)


def _read_out(network: nn.Module, weight: Tensor, bias: Tensor) -> None:
    """The last convolution: weight (D, L) @ signals + bias (D,)."""
    plus, minus, _ = _places(network, weight.shape[1])
    _silence(network.conv_out)
    network.conv_out.weight[:, plus, 1, 1], network.conv_out.weight[:, minus, 1, 1] = weight, -weight
    network.conv_out.bias.copy_(bias)


def _places(network: nn.Module, signals: int) -> tuple[Tensor, Tensor, Tensor]:
    """Channels of the signals, of the same with the other sign, and of the constants: one a group, behind its pairs."""
    norm = network.conv_norm_out
    size = norm.num_channels // norm.num_groups
    pairs = (size - 1) // 2
    first = torch.arange(signals) // pairs * size + torch.arange(signals) % pairs * 2
    return first, first + 1, torch.arange(norm.num_groups) * size + size - 1
