"""§5.1: LPIPS and FVD, through the packages `lpips` and `cd-fvd` (the extra `perceptual`). Nothing here downloads weights.

Letters: B videos, N frames, S side in pixels, F features.

Both packages import torchvision. The one on the package index is built for CUDA and breaks a CPU PyTorch beside it, so it is no
dependency of ours: install the torchvision that belongs to your PyTorch yourself, or use an environment of its own.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

from puppetmaster_core.files import one_line
from puppetmaster_core.pictures import to_tensor

FOLDER_VARIABLE = "PUPPETMASTER_WEIGHTS"
INSTALL = "pip install 'puppetmaster-core[perceptual]' and the torchvision that belongs to your PyTorch"
# Weights that a metric needs: the file, and where it can be had. LPIPS's own linear layers come with its package; the network
# under them does not. The video networks are where cd-fvd 0.1.1 takes them from.
WEIGHTS = {
    "alex": ("alexnet-owt-7be5be79.pth", "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"),
    "vgg": ("vgg16-397923af.pth", "https://download.pytorch.org/models/vgg16-397923af.pth"),
    "i3d": ("i3d_pretrained_400.pt", "https://github.com/songweige/TATS/raw/main/tats/fvd/i3d_pretrained_400.pt"),
    "videomae": ("vit_g_hybrid_pt_1200e_ssv2_ft.pth",
                 "https://pjlab-gvm-data.oss-cn-shanghai.aliyuncs.com/internvideo/videomaev2/vit_g_hybrid_pt_1200e_ssv2_ft.pth"),
}
LEAST_FRAMES = {"i3d": 9, "videomae": 16}  # shorter videos repeat their last frame; VideoMAE knows 16 frames and no other number


class MetricError(ValueError):
    """A metric that cannot be computed here. The message is one line: what is missing, where it was looked for, what to do."""


def find_weights(network: str) -> Path:
    """A file of WEIGHTS, in $PUPPETMASTER_WEIGHTS or torch.hub's own folder of checkpoints. Raises MetricError."""
    file, address = WEIGHTS[network]
    named = os.environ.get(FOLDER_VARIABLE)
    folders = [*([Path(named)] if named else []), Path(torch.hub.get_dir()) / "checkpoints"]
    for folder in folders:
        if (folder / file).is_file():
            return folder / file
    looked = ", ".join(map(str, folders))
    raise MetricError(f"{file} is in none of {looked}: get it from {address} into a folder and name that in ${FOLDER_VARIABLE}")


class Lpips:
    """LPIPS, §5.1. The paper does not say which network; AlexNet is the package's default.

    Learned perceptual distance of two videos, 0 to about 1, lower is better: frame by frame, mean over frames 2 to N.
    """

    def __init__(self, network: str = "alex", device: str = "cpu"):
        """Raises MetricError where the package or the weights are missing."""
        package, trunk = _package("lpips"), find_weights(network)
        model = package.LPIPS(net=network, pnet_rand=True, verbose=False)  # True: no download; the trunk is filled in below
        _fill_trunk(model.net, torch.load(trunk, map_location="cpu", weights_only=True))
        self.model, self.device, self.name = model.eval().to(device), device, f"LPIPS ({network})"

    @torch.no_grad()
    def __call__(self, video: np.ndarray, truth: np.ndarray) -> float:
        """video, truth (N, S, S, 3) uint8."""
        return float(self.model(*later_frames(video, truth, self.device)).mean())


def later_frames(video: np.ndarray, truth: np.ndarray, device: str) -> list[torch.Tensor]:
    """Frames 2 to N of both (N, S, S, 3) uint8, as (N − 1, 3, S, S) in [−1, 1]."""
    return [to_tensor(frames[1:]).to(device) for frames in (video, truth)]


def _fill_trunk(net, state: dict) -> None:
    """A torchvision trunk's convolutions, "features.3.weight", into LPIPS's slices, "slice2.3.weight". Raises MetricError."""
    names = {name: f"features.{name.split('.', 1)[1]}" for name in net.state_dict()}
    if missing := [name for name, other in names.items() if other not in state]:
        raise MetricError(f"the network's weights lack {sorted(missing)[:3]}: is the file another network's?")
    net.load_state_dict({name: state[other] for name, other in names.items()})


class VideoFeatures:
    """FVD, §5.1, and with VideoMAE's features Ge et al.'s content-debiased one.

    Features (B, F) of videos for the Fréchet video distance, by cd-fvd's I3D ("i3d") or VideoMAE ("videomae").
    """

    def __init__(self, network: str = "i3d", device: str = "cpu"):
        """Raises MetricError where the package or the weights are missing."""
        package, weights = _package("cdfvd.fvd"), find_weights(network)
        self.judge = package.cdfvd(network, ckpt_path=str(weights), n_fake="full", compute_feats=True, device=device)
        self.network, self.name = network, f"FVD ({network})"

    def __call__(self, videos: np.ndarray) -> np.ndarray:
        """videos (B, N, S, S, 3) uint8."""
        self.judge.empty_real_stats()
        self.judge.real_stats.capture_all = True  # emptying forgets it
        missing = max(0, LEAST_FRAMES[self.network] - videos.shape[1])
        self.judge.add_real_stats(np.pad(videos, [(0, 0), (0, missing), *[(0, 0)] * 3], mode="edge"))
        return np.asarray(self.judge.real_stats.get_all(), np.float64)


def frechet_distance(features: np.ndarray, true_features: np.ndarray) -> float:
    """Fréchet distance of the normal distributions fitted to features (B, F) and (B', F): FVD when a video network's.

    |μ − μ'|² + tr(Σ + Σ' − 2 (Σ Σ')^½), 0 to ∞, lower is better, in squared features. Σ has the divisor B, as cd-fvd has it.
    It shrinks as B grows, so compare equal B only.
    """
    a, b = np.asarray(features, np.float64), np.asarray(true_features, np.float64)
    root = np.sqrt(len(a) * len(b))
    mean = ((a.mean(0) - b.mean(0)) ** 2).sum()
    a, b = a - a.mean(0), b - b.mean(0)
    # tr (Σ Σ')^½ is the sum of the singular values of A Bᵀ / root, exactly, also with fewer videos than features.
    shared = np.linalg.svd(a @ b.T, compute_uv=False).sum() / root
    return float(max(0.0, mean + (a**2).sum() / len(a) + (b**2).sum() / len(b) - 2 * shared))


def _package(name: str):
    try:
        return import_module(name)
    except Exception as error:  # a torchvision of another build fails in many ways
        raise MetricError(f"{name} cannot be imported ({type(error).__name__}: {one_line(error)}): {INSTALL}") from error
