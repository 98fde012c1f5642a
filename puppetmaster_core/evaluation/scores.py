"""§5.1: all scores of one video of one test clip, each under its name in METRICS: what pixels say, and what points say.

Letters: N frames, S side in pixels, K drags, P points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from puppetmaster_core.evaluation.intervals import plain
from puppetmaster_core.evaluation.metrics import picture_scores
from puppetmaster_core.evaluation.motion import direction_counts, end_point_error, foreground_points, motion_error, ways
from puppetmaster_core.evaluation.perceptual import Lpips, MetricError, VideoFeatures
from puppetmaster_core.evaluation.st_lpips import StLpips
from puppetmaster_core.evaluation.suites import TestClip
from puppetmaster_core.evaluation.trackers import PointTracker, load_tracker
from puppetmaster_core.evaluation.videos import VideoError

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@dataclass(frozen=True)
class Judges:
    """What the scores beyond pixels need; what is missing leaves its columns out."""

    tracker: PointTracker | None = None
    distances: dict[str, Callable[[np.ndarray, np.ndarray], float]] = field(default_factory=dict)  # "lpips", "st_lpips"
    features: dict[str, Callable[[np.ndarray], np.ndarray]] = field(default_factory=dict)  # "i3d", "videomae"

    @classmethod
    def load(cls, tracker: str = "none", checkpoint: str | None = None, perceptual: Sequence[str] = (),
             device: str = DEVICE) -> Judges:
        """By name, as the command line gives them. Raises TrackerError and MetricError before anything long begins."""
        if {"lpips", "lpips-vgg"} <= set(perceptual):
            raise MetricError("got lpips and lpips-vgg together, expected one of them: the table has one column for it")
        distances = {}
        for name in (name for name in perceptual if name.startswith("lpips")):
            distances["lpips"] = Lpips("vgg" if name == "lpips-vgg" else "alex", device)
        if "st-lpips" in perceptual:
            distances["st_lpips"] = StLpips(device)
        networks = [name.removeprefix("fvd-") for name in perceptual if name.startswith("fvd-")]
        return cls(None if tracker == "none" else load_tracker(tracker, device, checkpoint), distances,
                   {network: VideoFeatures(network, device) for network in networks})

    def features_of(self, video: np.ndarray) -> dict[str, list[float]]:
        """Of a video (N, S, S, 3) uint8, by network."""
        return {name: network(video[None])[0].tolist() for name, network in self.features.items()}


@dataclass(frozen=True, eq=False)
class Followed:
    """The points that are followed in a clip, and where they truly go."""

    points: np.ndarray  # (K + P, 2) pixels: the drags' origins, then the foreground's grid
    true_tracks: np.ndarray  # (K + P, N, 2) pixels
    drags: int  # K

    @classmethod
    def of(cls, clip: TestClip, tracker: PointTracker | None) -> Followed | None:
        """By `tracker` in the true video, as the paper has it; None without one, or without drags and foreground.

        Origins outside of the picture are followed too: a tracker leaves them where they are, which is what a viewer sees.
        """
        size = clip.frames.shape[1]
        origins = clip.drags.pixels((size, size))[:, 0] if clip.drags else np.zeros((0, 2))
        grid = foreground_points(clip.foreground) if clip.foreground is not None else np.zeros((0, 2))
        points = np.concatenate([origins, grid])
        if tracker is None or not len(points):
            return None
        return cls(points, tracker(clip.frames, points), len(origins))


def score_video(video: np.ndarray, clip: TestClip, judges: Judges, followed: Followed | None) -> dict:
    """All scores of one video (N, S, S, 3) uint8 of a clip. Raises VideoError where it is not of the clip's shape."""
    if video.shape != clip.frames.shape or video.dtype != np.uint8:
        raise VideoError(f"got a video as {video.dtype} {video.shape}, expected uint8 {clip.frames.shape}")
    scores = picture_scores(video, clip.frames)
    scores |= {name: distance(video, clip.frames) for name, distance in judges.distances.items()}
    scores |= motion_scores(video, clip, followed, judges.tracker) if followed else {}
    counts = {"directions": scores.pop("directions")} if "directions" in scores else {}
    features = {"features": judges.features_of(video)} if judges.features else {}
    return {"scores": {name: plain(value) for name, value in scores.items()}, **counts, **features}


def motion_scores(video: np.ndarray, clip: TestClip, followed: Followed, tracker: PointTracker) -> dict:
    """What points say; see `motion` for each. `directions` counts drags, and is summed over clips.

    `motion_error_drags` takes the drags' own positions for the truth instead of tracks estimated in the true video.
    """
    size, k = clip.frames.shape[1], followed.drags
    tracks, true = tracker(video, followed.points), followed.true_tracks[:, : len(video)]
    scores = {"motion_error_foreground": motion_error(tracks[k:], true[k:], size)}
    if k:
        paths = clip.drags.pixels((size, size))
        scores |= {"motion_error_origins": motion_error(tracks[:k], true[:k], size),
                   "motion_error_drags": motion_error(tracks[:k], paths, size),
                   "end_point_error": end_point_error(tracks[:k], paths, size),
                   "directions": direction_counts(ways(tracks[:k], paths, size))}
    return scores
