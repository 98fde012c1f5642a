"""ST-LPIPS, Ghildyal and Liu 2022: LPIPS that a shift by a pixel does not disturb. Needs no download and no torchvision.

The package `stlpips-pytorch` (the extra `st-lpips`) carries the weights of the networks too, so only its weight file of AlexNet
is read, without pickle; its own code, which imports torchvision, is not. Letters: B pictures, N frames, C channels, S side in
pixels.
"""

from __future__ import annotations

from collections import OrderedDict
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from puppetmaster_core.evaluation.perceptual import MetricError, later_frames
from puppetmaster_core.files import one_line

INSTALL = "pip install 'puppetmaster-core[st-lpips]', or leave ST-LPIPS out"
FILE = Path("weights", "vST0.0", "alex_shift_tolerant.pth")  # in the package


class Blur(nn.Module):
    """Half the resolution without aliasing (Zhang 2019): [1 2 1]² / 16 with stride 2, borders reflected."""

    def __init__(self, channels: int):
        super().__init__()
        self.register_buffer("filt", torch.empty(channels, 1, 3, 3))  # in the weight file, under this name

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), self.filt, stride=2, groups=x.shape[1])


def alexnet() -> list[list[nn.Module]]:
    """AlexNet's convolutions in five parts, each ending in the features that are compared."""
    return [
        [nn.Conv2d(3, 64, 11, padding=2), Blur(64), nn.ReLU()],
        [nn.MaxPool2d(3, 1), Blur(64), nn.Conv2d(64, 192, 5, padding=2), nn.ReLU()],
        [nn.MaxPool2d(3, 1), Blur(192), nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()],
        [nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()],
        [nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()],
    ]


class StLpips:
    """Learned perceptual distance of two videos, 0 to about 1, lower is better: frame by frame, mean over frames 2 to N."""

    def __init__(self, device: str = "cpu"):
        """Raises MetricError where the package is missing or of another version."""
        package = find_spec("stlpips_pytorch")
        if package is None:
            raise MetricError(f"stlpips-pytorch is not installed: {INSTALL}")
        path = Path(package.origin).parent / FILE
        state = torch.load(path, map_location=device, weights_only=True)
        at = count()  # the file counts layers through all parts: slice2.5.weight
        self.parts = nn.ModuleDict({f"slice{k}": nn.Sequential(OrderedDict((str(next(at)), layer) for layer in layers))
                                    for k, layers in enumerate(alexnet(), start=1)})
        try:
            self.parts.load_state_dict({n.removeprefix("net."): t for n, t in state.items() if n.startswith("net.")})
            self.weights = [state[f"lin{k}.model.1.weight"] for k in range(len(self.parts))]  # (1, C, 1, 1) of each part
            self.shift, self.scale = state["scaling_layer.shift"], state["scaling_layer.scale"]
        except (KeyError, RuntimeError) as error:
            raise MetricError(f"{path}: got other weights ({one_line(error)}), expected stlpips-pytorch 0.0.2's: {INSTALL}"
                              ) from error
        self.parts.to(device).eval().requires_grad_(False)
        self.device, self.name = device, "ST-LPIPS (alex)"

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Unit vectors (B, C, h, w) at each place, after each part of the network; pictures (B, 3, S, S) in [−1, 1]."""
        x, found = (pictures - self.shift) / self.scale, []
        for part in self.parts.values():
            x = part(x)
            found.append(x / ((x.square().sum(1, keepdim=True) + 1e-20).sqrt() + 1e-10))  # a gradient at zero too
        return found

    def distance(self, pictures: Tensor, others: Tensor) -> Tensor:
        """(B,) of pictures (B, 3, S, S) in [−1, 1], differentiable: Zhang et al. 2018, Eq. 1."""
        pairs = zip(self.weights, self.features(pictures), self.features(others), strict=True)
        return sum(((a - b).square() * weight).sum(1).mean((1, 2)) for weight, a, b in pairs)

    @torch.no_grad()
    def __call__(self, video: np.ndarray, truth: np.ndarray) -> float:
        """video, truth (N, S, S, 3) uint8."""
        return float(self.distance(*later_frames(video, truth, self.device)).mean())
