"""Small networks for tests: DragUNet and SVD's own, with inputs and drags."""

import torch
import torch.nn.functional as F
from diffusers import UNetSpatioTemporalConditionModel
from safetensors.torch import load_file, save_file
from torch import nn

from puppetmaster_core.model import DragUNet
from puppetmaster_core.model.modulation import DragModulation

CROSS_DOWN, CROSS_UP = "CrossAttnDownBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"
SMALL = {
    "down_block_types": (CROSS_DOWN, "DownBlockSpatioTemporal"), "up_block_types": ("UpBlockSpatioTemporal", CROSS_UP),
    "block_out_channels": (32, 64), "num_attention_heads": (2, 4), "layers_per_block": 1, "cross_attention_dim": 16,
}
SMALL_TIMES = {"addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 24}
SMALL_DRAGS = {"modulation_channels": (4, 8), "token_position_channels": 8}
TWO_LEVELS = {"in_channels": 6, "out_channels": 3, **SMALL, **SMALL_TIMES}
THREE_LEVELS = TWO_LEVELS | {
    "down_block_types": (CROSS_DOWN, CROSS_DOWN, "DownBlockSpatioTemporal"),
    "up_block_types": ("UpBlockSpatioTemporal", CROSS_UP, CROSS_UP),
    "block_out_channels": (32, 32, 64), "num_attention_heads": (2, 2, 4),
}
SHAPES = [(1, 1, 8, 8), (1, 3, 8, 8), (2, 14, 8, 8), (1, 25, 4, 6), (3, 3, 7, 10)]  # (B, N, h, w)


def network(dtype=torch.float32, levels=TWO_LEVELS, **settings) -> DragUNet:
    torch.manual_seed(0)
    net = DragUNet(**levels | SMALL_DRAGS | {"max_drags": 3} | settings)
    return nn.Module.to(net, dtype).eval()


# Re-draws what starts at zero, as if trained.
def trained(net: DragUNet) -> DragUNet:
    for layer in (module for module in net.modules() if isinstance(module, DragModulation)):
        nn.init.normal_(layer.conv_out.weight, std=0.1)
        nn.init.normal_(layer.conv_out.bias, std=0.1)
    return net


def inputs(batch, frames, h, w, dtype=torch.float32, seed=1):
    g = torch.Generator().manual_seed(seed)
    sample = torch.randn(batch, frames, 6, h, w, generator=g, dtype=dtype)
    return (
        sample,
        torch.randn(batch, generator=g, dtype=dtype),
        torch.randn(batch, 1, 16, generator=g, dtype=dtype),
        torch.rand(batch, 3, generator=g, dtype=dtype),
    )


def drags(batch, frames, present=(True, True, False), seed=2):
    g = torch.Generator().manual_seed(seed)
    points = torch.rand(batch, len(present), frames, 2, generator=g) * 1.4 - 0.2  # some leave the image
    return points, torch.tensor(present).expand(batch, -1)


class PlainAllToFirst:
    """All-to-first written for this test alone: every frame attends to frame 1 of its video."""

    def __init__(self, frames):
        self.frames = frames

    def __call__(self, attn, x, encoder_hidden_states=None, attention_mask=None):
        rows, length, channels = x.shape
        videos = rows // self.frames
        first = x.reshape(videos, self.frames, length, channels)[:, 0]
        q, k, v = (
            y.reshape(videos, -1, attn.heads, channels // attn.heads).transpose(1, 2)
            for y in (attn.to_q(x), attn.to_k(first), attn.to_v(first))
        )
        return attn.to_out[0](F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(rows, length, channels))


# SVD's own network with the weights of `net`, its spatial self-attention all-to-first.
def svd_like(net: DragUNet, frames: int, levels) -> UNetSpatioTemporalConditionModel:
    svd = UNetSpatioTemporalConditionModel(**levels)
    weights = {name: x for name, x in net.state_dict().items() if ".modulation." not in name and ".tokens." not in name}
    svd.load_state_dict(weights, strict=True)
    svd.set_attn_processor(
        {
            name: PlainAllToFirst(frames) if ".transformer_blocks" in name and ".attn1." in name else processor
            for name, processor in svd.attn_processors.items()
        }
    )
    return nn.Module.to(svd, net.conv_in.weight.dtype).eval()


def rewrite(path, change):
    """change(tensors) done to a file of weights."""
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})
