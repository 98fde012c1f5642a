"""All scores of one video of one clip, each under a name that the tables, the results and the ledger share.

Letters: N frames, S side in pixels, K drags, P points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from puppetmaster_core.evaluation import metrics
from puppetmaster_core.evaluation.motion import direction_counts, end_point_error, foreground_points, motion_error, ways
from puppetmaster_core.evaluation.suites import TestClip
from puppetmaster_core.evaluation.trackers import PointTracker


@dataclass(frozen=True)
class Metric:
    """A column: what it is called, in what unit, and which way is better."""

    label: str
    unit: str
    better: str  # "higher" or "lower"
    digits: int


METRICS = {
    "psnr": Metric("PSNR, frames 2–N", "dB", "higher", 2),
    "psnr_with_frame_1": Metric("PSNR, all frames", "dB", "higher", 2),
    "psnr_moving": Metric("PSNR, moving", "dB", "higher", 2),
    "psnr_still": Metric("PSNR, still", "dB", "higher", 2),
    "ssim": Metric("SSIM, frames 2–N", "", "higher", 4),
    "ssim_with_frame_1": Metric("SSIM, all frames", "", "higher", 4),
    "ssim_moving": Metric("SSIM, moving", "", "higher", 4),
    "lpips": Metric("LPIPS", "", "lower", 3),
    "st_lpips": Metric("ST-LPIPS", "", "lower", 3),
    "fvd_i3d": Metric("FVD (I3D)", "", "lower", 1),
    "fvd_videomae": Metric("FVD (VideoMAE)", "", "lower", 1),
    "motion_error_origins": Metric("ME, origins", "px", "lower", 2),
    "motion_error_foreground": Metric("ME, foreground", "px", "lower", 2),
    "motion_error_drags": Metric("ME against the drags", "px", "lower", 2),
    "end_point_error": Metric("end-point error", "px", "lower", 2),
    "wrong_direction": Metric("wrong direction", "%", "lower", 1),
    "unclear_direction": Metric("unclear direction", "%", "lower", 1),
    "flicker": Metric("flicker", "grey levels", "lower", 2),
    "edge_energy": Metric("edge energy", "of the truth", "higher", 2),
}
VAE, ANCHORED, EXACT = "VAE", "VAE, anchored", "exact motion"  # rows of what a model's latents make of the true motion
OF_ALL_CLIPS = ("fvd_i3d", "fvd_videomae")  # no clip has one: a distance between sets


def picture_scores(video: np.ndarray, clip: TestClip) -> dict[str, float]:
    """What pixels say; see `metrics` for each."""
    video, truth = video / 255.0, clip.frames / 255.0  # once for all of them
    moving, similarity = metrics.moving_region(truth), metrics.similarity(video, truth)
    return {
        "psnr": metrics.psnr(video, truth),
        "psnr_with_frame_1": metrics.psnr(video, truth, frame_1=True),
        "psnr_moving": metrics.psnr(video, truth, moving),
        "psnr_still": metrics.psnr(video, truth, ~moving),
        "ssim": metrics.mean_similarity(similarity),
        "ssim_with_frame_1": metrics.mean_similarity(similarity, frame_1=True),
        "ssim_moving": metrics.mean_similarity(similarity, moving),
        "flicker": metrics.flicker(video, truth),
        "edge_energy": metrics.edge_energy_ratio(video, truth, moving),
    }


@dataclass(frozen=True, eq=False)
class Followed:
    """The points that are followed in a clip, and where they truly go."""

    points: np.ndarray  # (K + P, 2) pixels: the drags' origins, then the foreground's grid
    true_tracks: np.ndarray  # (K + P, N, 2) pixels
    drags: int  # K

    @classmethod
    def of(cls, clip: TestClip, tracker: PointTracker) -> Followed | None:
        """By `tracker` in the true video, as the paper has it; None where the clip has neither drags nor a foreground.

        Origins outside of the picture are followed too: a tracker leaves them where they are, which is what a viewer sees.
        """
        size = clip.frames.shape[1]
        origins = clip.drags.pixels((size, size))[:, 0] if clip.drags else np.zeros((0, 2))
        grid = foreground_points(clip.foreground) if clip.foreground is not None else np.zeros((0, 2))
        points = np.concatenate([origins, grid])
        if not len(points):
            return None
        return cls(points, tracker(clip.frames, points).points, len(origins))


    def without_last(self) -> Followed:
        """The same points in the clip but for its last frame."""
        return Followed(self.points, self.true_tracks[:, :-1], self.drags)


def motion_scores(video: np.ndarray, clip: TestClip, followed: Followed | None, tracker: PointTracker) -> dict:
    """What points say; see `motion` for each. `directions` counts drags, and is summed over clips.

    `motion_error_drags` takes the drags' own positions for the truth instead of tracks estimated in the true video.
    """
    if followed is None:
        return {}
    size, k = clip.frames.shape[1], followed.drags
    tracks = tracker(video, followed.points).points
    scores = {"motion_error_foreground": motion_error(tracks[k:], followed.true_tracks[k:], size)}
    if k:
        paths = clip.drags.pixels((size, size))
        scores |= {"motion_error_origins": motion_error(tracks[:k], followed.true_tracks[:k], size),
                   "motion_error_drags": motion_error(tracks[:k], paths, size),
                   "end_point_error": end_point_error(tracks[:k], paths, size),
                   "directions": direction_counts(ways(tracks[:k], paths, size))}
    return scores
