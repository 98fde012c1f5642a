"""Point trackers behind one protocol: CoTracker, OpenCV's Lucas–Kanade and DIS, and exact tracks where a clip is rendered.

Letters: N frames, P points, (H, W) pixels. Positions are xy in pixels, (0, 0) the corner of the picture and (0.5, 0.5) the
centre of its first pixel. Trackers that count from pixel centres are shifted by half a pixel here, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from typing import Protocol

import numpy as np

from puppetmaster_core.evaluation.motion import motion_error

HUB = "facebookresearch/co-tracker"
# Entry points of the repository's hubconf.py and their weights. Not its "cotracker2": there are versions of hubconf.py in which
# that one forgets to pass the version on and builds version 3. 16 frames are version 2.1's window; ours have 14.
COTRACKER = {
    "2": ("cotracker2v1", "https://huggingface.co/facebook/cotracker/resolve/main/cotracker2v1.pth"),
    "3": ("cotracker3_offline", "https://huggingface.co/facebook/cotracker3/resolve/main/scaled_offline.pth"),
}


class TrackerError(ValueError):
    """A tracker that cannot be had. The message is one line: what is missing, where it was looked for, what to do."""


@dataclass(frozen=True, eq=False)
class Tracks:
    """Where points went."""

    points: np.ndarray  # (P, N, 2) float64, xy in pixels; where a point is lost, its last known or guessed place
    visible: np.ndarray  # (P, N) bool


class PointTracker(Protocol):
    """What follows points of frame 1 through a video."""

    name: str
    rough: bool  # off by many pixels on synthetic doors and drawers: for smoke tests, not for a table

    def __call__(self, frames: np.ndarray, points: np.ndarray) -> Tracks:
        """frames (N, H, W, 3) uint8, points (P, 2) in frame 1."""


@dataclass(frozen=True)
class LucasKanade:
    """OpenCV's pyramidal Lucas–Kanade, frame to frame, no weights. Visible: while following a point back leads to it."""

    window: int = 21  # pixels
    levels: int = 3
    tolerance: float = 1.0  # pixels by which the way back may miss
    name: str = "Lucas–Kanade (rough)"
    rough: bool = True

    def __call__(self, frames: np.ndarray, points: np.ndarray) -> Tracks:
        cv2, grey, at = _opencv(), *_start(frames, points)
        options = {"winSize": (self.window, self.window), "maxLevel": self.levels}
        placed, seen = [at], [np.ones(len(at), bool)]
        for before, after in pairwise(grey):
            if not len(at):
                placed, seen = [*placed, at], [*seen, seen[-1]]
                continue
            moved, found, _ = cv2.calcOpticalFlowPyrLK(before, after, at[:, None], None, **options)
            back, found_back, _ = cv2.calcOpticalFlowPyrLK(after, before, moved, None, **options)
            sure = (np.linalg.norm(back[:, 0] - at, axis=1) <= self.tolerance) & (found * found_back == 1)[:, 0]
            at = np.where((found == 1) & np.isfinite(moved[:, 0]), moved[:, 0], at)
            placed, seen = [*placed, at], [*seen, sure & seen[-1]]
        return _tracks(placed, seen)


@dataclass(frozen=True)
class DenseFlow:
    """OpenCV's DIS optical flow, frame to frame, read between pixels. Needs no weights. Visible: inside the picture."""

    name: str = "DIS optical flow (rough)"
    rough: bool = True

    def __call__(self, frames: np.ndarray, points: np.ndarray) -> Tracks:
        from scipy.ndimage import map_coordinates

        cv2, grey, at = _opencv(), *_start(frames, points)
        flow_of = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        height, width = grey.shape[1:]
        placed, seen = [at], [np.ones(len(at), bool)]
        for before, after in pairwise(grey):
            flow = flow_of.calc(before, after, None)
            step = [map_coordinates(flow[..., k], at.T[::-1], order=1, mode="nearest") for k in range(2)]
            at = at + np.stack(step, 1)
            inside = ((at >= -0.5) & (at <= (width - 0.5, height - 0.5))).all(1)
            placed, seen = [*placed, at], [*seen, inside & seen[-1]]
        return _tracks(placed, seen)


@dataclass(frozen=True)
class Standing:
    """Every point stays where it was: what a tracker has to be better than."""

    name: str = "standing still"
    rough: bool = True

    def __call__(self, frames: np.ndarray, points: np.ndarray) -> Tracks:
        return Tracks(np.repeat(np.asarray(points, float)[:, None], len(frames), 1), np.ones((len(points), len(frames)), bool))


@dataclass(frozen=True, eq=False)
class ExactTracks:
    """The true tracks of a rendered clip's dragged points: where they go in the truth, whatever video it is given."""

    tracks: np.ndarray  # (P, N, 2), xy in the unit square, as in `Clip.drags`
    visibility: np.ndarray  # (P, N) bool
    name: str = "exact"
    rough: bool = False

    @classmethod
    def of(cls, clip) -> ExactTracks:
        """Of a `Clip`."""
        return cls(clip.drags, clip.drag_visibility)

    def __call__(self, frames: np.ndarray, points: np.ndarray) -> Tracks:
        """Raises TrackerError for a point that is none of the clip's, to half a pixel."""
        size = np.array(frames.shape[2:0:-1])
        own = self.tracks * size  # (P, N, 2) pixels
        distance = np.linalg.norm(own[None, :, 0] - np.asarray(points, float)[:, None], axis=2)  # (asked, own)
        if not own.size or (distance.min(1, initial=np.inf) > 0.5).any():
            raise TrackerError("got a point that the clip has no track of: ask for the first points of clip.drags")
        nearest = distance.argmin(1)
        return Tracks(own[nearest].astype(np.float64), self.visibility[nearest])


def tracker_error(tracker: PointTracker, clip) -> float:
    """How far a tracker is off in a rendered `Clip`: its motion error against the exact tracks, in pixels at 256."""
    size = clip.frames.shape[1]
    points = clip.drags[:, 0] * size
    found, true = (follow(clip.frames, points).points for follow in (tracker, ExactTracks.of(clip)))
    return motion_error(found, true, size)


class CoTracker:
    """CoTracker 2 or 3 (CC-BY-NC), the paper's tracker, around any module of its documented signature.

    module(video (1, N, 3, H, W) of 0 to 255, queries=(1, P, 3) of frame, x, y) gives tracks (1, N, P, 2) and visibility
    (1, N, P), true or false; older ones have a last axis of one. It counts pixels from their centres.
    """

    rough = False

    def __init__(self, module, version: str = "3"):
        self.module, self.name = module, f"CoTracker {version}"

    @classmethod
    def load(cls, version: str = "3", *, checkpoint: str | None = None, device: str = "cpu", repository: str = HUB) -> CoTracker:
        """From a git install and a file of weights (checkpoint), else through torch.hub, which runs code from GitHub.

        repository: what torch.hub fetches, OWNER/NAME[:REF]. Weights are read without pickle. Raises TrackerError.
        """
        import torch

        if version not in COTRACKER:
            raise TrackerError(f"got CoTracker version {version!r}, expected one of {', '.join(COTRACKER)}")
        entry, address = COTRACKER[version]
        try:
            if checkpoint:
                predictor = import_module("cotracker.predictor").CoTrackerPredictor
                window = {"2": {"window_len": 16, "v2": True}, "3": {"window_len": 60, "v2": False}}[version]
                module = predictor(checkpoint=None, **window)
                weights = torch.load(checkpoint, map_location="cpu", weights_only=True)
            else:
                module = torch.hub.load(repository, entry, pretrained=False, trust_repo=True)
                weights = torch.hub.load_state_dict_from_url(address, map_location="cpu", weights_only=True)
            module.model.load_state_dict(weights)
        except Exception as error:  # the network, GitHub's limits, another repository's surprises
            looked = checkpoint or f"torch.hub ({torch.hub.get_dir()}), weights {address}"
            reason = " ".join(str(error).split())[:160]
            raise TrackerError(f"CoTracker {version} cannot be loaded from {looked} ({type(error).__name__}: {reason}): "
                               f"install it from https://github.com/{HUB} and name its weights, or use lk or dis") from error
        return cls(module.eval().to(device), version)

    def __call__(self, frames: np.ndarray, points: np.ndarray) -> Tracks:
        import torch

        _start(frames, points)
        count, asked = len(frames), np.asarray(points, np.float32).reshape(-1, 2)
        if not len(asked):
            return Tracks(np.zeros((0, count, 2)), np.zeros((0, count), bool))
        device = next((p.device for p in self.module.parameters()), "cpu") if hasattr(self.module, "parameters") else "cpu"
        video = torch.tensor(frames).permute(0, 3, 1, 2)[None].float().to(device)
        queries = torch.cat([torch.zeros(len(asked), 1), torch.tensor(asked) - 0.5], 1)[None].to(device)
        with torch.no_grad():
            tracks, visible = self.module(video, queries=queries)
        visible = visible.reshape(visible.shape[:3])
        wanted = (1, count, len(asked))
        if tuple(tracks.shape) != (*wanted, 2) or tuple(visible.shape) != wanted:
            raise TrackerError(f"{self.name} gave tracks {tuple(tracks.shape)} and visibility {tuple(visible.shape)}, "
                               f"expected {(*wanted, 2)} and {wanted}: is it another version?")
        seen = visible[0].T > 0.5 if visible.dtype.is_floating_point else visible[0].T.bool()
        return Tracks(tracks[0].transpose(0, 1).double().cpu().numpy() + 0.5, seen.cpu().numpy())


TRACKERS = ("lk", "dis", "cotracker2", "cotracker3")


def load_tracker(name: str, device: str = "cpu", checkpoint: str | None = None) -> PointTracker:
    """One of TRACKERS by its name. Raises TrackerError."""
    if name in ("lk", "dis"):
        _opencv()
        return LucasKanade() if name == "lk" else DenseFlow()
    if name not in TRACKERS:
        raise TrackerError(f"got tracker {name!r}, expected one of {', '.join(TRACKERS)}")
    return CoTracker.load(name.removeprefix("cotracker"), checkpoint=checkpoint, device=device)


def _opencv():
    try:
        return import_module("cv2")
    except ImportError:
        raise TrackerError("OpenCV is not installed: pip install 'puppetmaster-core[tracking]'") from None


def _start(frames: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Grey frames (N, H, W) uint8 and points (P, 2) float32 counted from pixel centres; both checked."""
    frames, points = np.asarray(frames), np.asarray(points, np.float32)
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8:
        raise ValueError(f"got frames as {frames.dtype} {frames.shape}, expected uint8 (N, H, W, 3)")
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise ValueError(f"got points of shape {points.shape}, expected finite (P, 2)")
    grey = (frames.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)).round().astype(np.uint8)
    return grey, points - 0.5


def _tracks(placed: list[np.ndarray], seen: list[np.ndarray]) -> Tracks:
    return Tracks(np.stack(placed, 1).astype(np.float64) + 0.5, np.stack(seen, 1))
