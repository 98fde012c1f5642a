"""§5.1: point trackers behind one protocol: CoTracker, the paper's; OpenCV's Lucas–Kanade and DIS flow, which need no weights.

Letters: N frames, P points, (H, W) pixels. Positions are xy in pixels, (0, 0) the corner of the picture and (0.5, 0.5) the
centre of its first pixel. Trackers that count from pixel centres are shifted by half a pixel here, and nowhere else.
"""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise
from typing import Protocol

import numpy as np
from scipy.ndimage import map_coordinates

from puppetmaster_core.files import one_line

HUB = "facebookresearch/co-tracker"
# Entry points of the repository's hubconf.py, their weights, and the windows of a git install. Not its "cotracker2": there are
# versions of hubconf.py in which that one builds version 3. 16 frames are version 2.1's window; ours have 14.
COTRACKER = {
    "2": ("cotracker2v1", "https://huggingface.co/facebook/cotracker/resolve/main/cotracker2v1.pth",
          {"window_len": 16, "v2": True}),
    "3": ("cotracker3_offline", "https://huggingface.co/facebook/cotracker3/resolve/main/scaled_offline.pth",
          {"window_len": 60, "v2": False}),
}


class TrackerError(ValueError):
    """A tracker that cannot be had. The message is one line: what is missing, where it was looked for, what to do."""


class PointTracker(Protocol):
    """What follows points of frame 1 through a video."""

    name: str
    rough: bool  # off by many pixels on synthetic doors and drawers: for smoke tests, not for a table

    def __call__(self, frames: np.ndarray, points: np.ndarray) -> np.ndarray:
        """frames (N, H, W, 3) uint8, points (P, 2) in frame 1; gives tracks (P, N, 2) float64, of lost points guesses."""


class FrameToFrame:
    """Points taken from each frame to the next by OpenCV, which needs no weights."""

    rough = True

    def step(self, before: np.ndarray, after: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Where points (P, 2) float32, counted from pixel centres, go between two grey frames (H, W) uint8."""
        raise NotImplementedError

    def __call__(self, frames: np.ndarray, points: np.ndarray) -> np.ndarray:
        grey = (frames.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)).round().astype(np.uint8)
        tracks = [_from_centres(points)]
        for before, after in pairwise(grey):
            tracks.append(self.step(before, after, tracks[-1]))
        return np.stack(tracks, 1).astype(np.float64) + 0.5


class LucasKanade(FrameToFrame):
    """Pyramidal Lucas–Kanade with OpenCV's own settings."""

    name = "Lucas–Kanade (rough)"

    def step(self, before: np.ndarray, after: np.ndarray, points: np.ndarray) -> np.ndarray:
        if not len(points):
            return points
        moved, found, _ = _opencv().calcOpticalFlowPyrLK(before, after, points[:, None], None)
        return np.where((found == 1) & np.isfinite(moved[:, 0]), moved[:, 0], points)


class DenseFlow(FrameToFrame):
    """DIS optical flow, read between pixels."""

    name = "DIS optical flow (rough)"

    def step(self, before: np.ndarray, after: np.ndarray, points: np.ndarray) -> np.ndarray:
        cv2 = _opencv()
        flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(before, after, None)
        return points + np.stack([map_coordinates(flow[..., k], points.T[::-1], order=1, mode="nearest") for k in range(2)], 1)


class CoTracker:
    """CoTracker 2 or 3 (CC-BY-NC), the paper's tracker, around any module of its documented signature.

    module(video (1, N, 3, H, W) of 0 to 255, queries=(1, P, 3) of frame, x, y) gives tracks (1, N, P, 2) and visibility, which is
    not used: a point that vanishes counts like others. It counts pixels from their centres.
    """

    rough = False

    def __init__(self, module, version: str = "3"):
        self.module, self.name = module, f"CoTracker {version}"

    @classmethod
    def load(cls, version: str = "3", *, checkpoint: str | None = None, device: str = "cpu") -> CoTracker:
        """From a git install and a file of weights (checkpoint), else through torch.hub, which runs code from GitHub.

        Weights are read without pickle. Raises TrackerError.
        """
        import torch

        entry, address, window = COTRACKER[version]
        try:
            if checkpoint:
                module = import_module("cotracker.predictor").CoTrackerPredictor(checkpoint=None, **window)
                weights = torch.load(checkpoint, map_location="cpu", weights_only=True)
            else:
                module = torch.hub.load(HUB, entry, pretrained=False, trust_repo=True)
                weights = torch.hub.load_state_dict_from_url(address, map_location="cpu", weights_only=True)
            module.model.load_state_dict(weights)
        except Exception as error:  # the network, GitHub's limits, another repository's surprises
            looked = checkpoint or f"torch.hub ({torch.hub.get_dir()}), weights {address}"
            raise TrackerError(f"CoTracker {version} cannot be loaded from {looked} ({type(error).__name__}: {one_line(error)}): "
                               f"install it from https://github.com/{HUB} and name its weights, or use lk or dis") from error
        return cls(module.eval().to(device), version)

    def __call__(self, frames: np.ndarray, points: np.ndarray) -> np.ndarray:
        import torch

        asked, device = _from_centres(points), next(self.module.parameters()).device
        if not len(asked):
            return np.zeros((0, len(frames), 2))
        video = torch.tensor(frames).permute(0, 3, 1, 2)[None].float().to(device)
        queries = torch.cat([torch.zeros(len(asked), 1), torch.tensor(asked)], 1)[None].to(device)
        with torch.no_grad():
            tracks, _ = self.module(video, queries=queries)
        got, expected = tuple(tracks.shape), (1, len(frames), len(asked), 2)
        if got != expected or not tracks.isfinite().all():
            raise TrackerError(f"{self.name} gave tracks {got}, expected finite {expected}: is it another version?")
        return tracks[0].transpose(0, 1).double().cpu().numpy() + 0.5


TRACKERS = ("lk", "dis", *(f"cotracker{version}" for version in COTRACKER))


def load_tracker(name: str, device: str = "cpu", checkpoint: str | None = None) -> PointTracker:
    """One of TRACKERS by its name. Raises TrackerError."""
    if name not in TRACKERS:
        raise TrackerError(f"got tracker {name!r}, expected one of {', '.join(TRACKERS)}")
    if name.startswith("cotracker"):
        return CoTracker.load(name.removeprefix("cotracker"), checkpoint=checkpoint, device=device)
    _opencv()
    return LucasKanade() if name == "lk" else DenseFlow()


def _opencv():
    try:
        return import_module("cv2")
    except ImportError:
        raise TrackerError("OpenCV is not installed: pip install 'puppetmaster-core[tracking]'") from None


def _from_centres(points: np.ndarray) -> np.ndarray:
    """Points (P, 2) float32 as counted from pixel centres."""
    return np.asarray(points, np.float32) - 0.5
