"""LPIPS and FVD, through the packages `lpips` and `cd-fvd` (the extra `perceptual`). Nothing here downloads weights.

Letters: B videos, N frames, S side in pixels, F features.

Both packages import torchvision. The one on the package index is built for CUDA and breaks a CPU PyTorch beside it, so it is no
dependency of ours: install the torchvision that belongs to your PyTorch yourself, or use an environment of its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

FOLDER_VARIABLE = "PUPPETMASTER_WEIGHTS"
INSTALL = "pip install 'puppetmaster-core[perceptual]' and the torchvision that belongs to your PyTorch"


@dataclass(frozen=True)
class Weights:
    """A file of weights that a metric needs."""

    file: str
    address: str


# LPIPS's own linear layers come with the package; the network under them does not.
TRUNKS = {
    "alex": Weights("alexnet-owt-7be5be79.pth", "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"),
    "vgg": Weights("vgg16-397923af.pth", "https://download.pytorch.org/models/vgg16-397923af.pth"),
}
# Where cd-fvd 0.1.1 takes them from.
VIDEO_NETWORKS = {
    "i3d": Weights("i3d_pretrained_400.pt", "https://github.com/songweige/TATS/raw/main/tats/fvd/i3d_pretrained_400.pt"),
    "videomae": Weights("vit_g_hybrid_pt_1200e_ssv2_ft.pth",
                        "https://pjlab-gvm-data.oss-cn-shanghai.aliyuncs.com/internvideo/videomaev2/vit_g_hybrid_pt_1200e_ssv2_ft.pth"),
}
LEAST_FRAMES = {"i3d": 9, "videomae": 16}  # shorter videos repeat their last frame; VideoMAE knows 16 frames and no other number


class MetricError(ValueError):
    """A metric that cannot be computed here. The message is one line: what is missing, where it was looked for, what to do."""


def weights_folders() -> list[Path]:
    """Where weights are looked for, in this order: $PUPPETMASTER_WEIGHTS, and torch.hub's own folder of checkpoints."""
    import torch

    named = os.environ.get(FOLDER_VARIABLE)
    return [*([Path(named)] if named else []), Path(torch.hub.get_dir()) / "checkpoints"]


def find_weights(weights: Weights) -> Path:
    """The file, or MetricError that says where it was looked for and where it can be had."""
    looked = weights_folders()
    for folder in looked:
        if (folder / weights.file).is_file():
            return folder / weights.file
    raise MetricError(f"{weights.file} is in none of {', '.join(map(str, looked))}: get it from {weights.address} "
                      f"into a folder and name that in ${FOLDER_VARIABLE}")


class Lpips:
    """LPIPS, §5.1. The paper does not say which network; AlexNet is the package's default.

    Learned perceptual distance of two videos, 0 to about 1, lower is better: frame by frame, mean over frames 2 to N.
    """

    def __init__(self, network: str = "alex", device: str = "cpu"):
        """Raises MetricError where the package or the weights are missing."""
        import torch

        package = _package("lpips")
        trunk = find_weights(TRUNKS[network])
        model = package.LPIPS(net=network, pnet_rand=True, verbose=False)  # True: no download; the trunk is filled in below
        _fill_trunk(model.net, torch.load(trunk, map_location="cpu", weights_only=True))
        self.model, self.device, self.name = model.eval().to(device), device, f"LPIPS ({network})"

    def __call__(self, video: np.ndarray, truth: np.ndarray) -> float:
        """video, truth (N, S, S, 3) uint8."""
        import torch

        if video.shape != truth.shape or video.dtype != np.uint8 or truth.dtype != np.uint8:
            raise ValueError(f"got {video.dtype} {video.shape} with {truth.dtype} {truth.shape}, expected uint8 and equal shapes")
        pair = (torch.tensor(v[1:]).permute(0, 3, 1, 2).float().to(self.device) / 127.5 - 1 for v in (video, truth))
        with torch.no_grad():
            return float(self.model(*pair).mean())


def _fill_trunk(net, state: dict) -> None:
    """A torchvision trunk's convolutions, "features.3.weight", into LPIPS's slices, "slice2.3.weight". Raises MetricError."""
    own = net.state_dict()
    filled = {name: state[f"features.{name.split('.', 1)[1]}"] for name in own if f"features.{name.split('.', 1)[1]}" in state}
    if not own or set(filled) != set(own):
        raise MetricError(f"the network's weights lack {sorted(set(own) - set(filled))[:3]}: is the file another network's?")
    net.load_state_dict(filled)


class VideoFeatures:
    """FVD, §5.1, and with VideoMAE's features Ge et al.'s content-debiased one.

    Features (B, F) of videos for the Fréchet video distance, by cd-fvd's I3D ("i3d") or VideoMAE ("videomae").
    """

    def __init__(self, network: str = "i3d", device: str = "cpu"):
        """Raises MetricError where the package or the weights are missing."""
        package = _package("cdfvd.fvd")
        weights = find_weights(VIDEO_NETWORKS[network])
        self.judge = package.cdfvd(network, ckpt_path=str(weights), n_fake="full", compute_feats=True, device=device)
        self.network, self.name = network, f"FVD ({network})"

    def __call__(self, videos: np.ndarray) -> np.ndarray:
        """videos (B, N, S, S, 3) uint8."""
        if videos.ndim != 5 or videos.shape[4] != 3 or videos.dtype != np.uint8:
            raise ValueError(f"got videos as {videos.dtype} {videos.shape}, expected uint8 (B, N, H, W, 3)")
        self.judge.empty_real_stats()
        self.judge.real_stats.capture_all = True  # emptying forgets it
        self.judge.add_real_stats(last_frame_repeated(videos, LEAST_FRAMES[self.network]))
        return np.asarray(self.judge.real_stats.get_all(), np.float64)


def last_frame_repeated(videos: np.ndarray, least: int) -> np.ndarray:
    """Videos (B, N, …) made at least `least` frames long."""
    missing = max(0, least - videos.shape[1])
    return np.concatenate([videos, np.repeat(videos[:, -1:], missing, axis=1)], axis=1)


def frechet_distance(features: np.ndarray, true_features: np.ndarray) -> float:
    """Fréchet distance of the normal distributions fitted to features (B, F) and (B', F): FVD when a video network's.

    |μ − μ'|² + tr(Σ + Σ' − 2 (Σ Σ')^½), 0 to ∞, lower is better, in squared features. Σ has the divisor B, as cd-fvd has it.
    It shrinks as B grows, so compare equal B only. Raises ValueError for fewer than 2 videos.
    """
    a, b = np.asarray(features, np.float64), np.asarray(true_features, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(f"got features of shapes {a.shape} and {b.shape}, expected (2 videos or more, equal F)")
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
        reason = " ".join(str(error).split())[:120]
        raise MetricError(f"{name} cannot be imported ({type(error).__name__}: {reason}): {INSTALL}") from error
