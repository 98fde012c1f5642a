"""The scores of one video of a judged clip: Table 2's columns, and the paper's main claim, part not whole, in two numbers.

No tracker guesses. The share of the true way at which a dragged part, drawn anew, is most like a frame tells where its points are
(`evaluation.travel`); what is not dragged is looked for around its place (`evaluation.places`). So direction, end-point error and
both motion errors (§5.1) follow, to an eighth of the way. Lengths are in pixels of a picture 256 wide.

Letters: N frames, S shares, P points, T pixels that tell.
"""

from __future__ import annotations

import numpy as np

from puppetmaster_core.ablations.subjects import DraggedPart, JudgedClip
from puppetmaster_core.evaluation.metrics import METRICS, Metric, mean_similarity, moving_region, psnr, psnr_of_frames, similarity
from puppetmaster_core.evaluation.motion import PAPER_SIZE
from puppetmaster_core.evaluation.places import SIDE, offsets_of_points
from puppetmaster_core.evaluation.travel import POSITIONS

SCORES: dict[str, Metric] = {
    "right": Metric("right way", "%", "higher", 1),
    "wrong": Metric("wrong way", "%", "lower", 1),
    "travel": Metric("travel of the dragged part", "of the true", "higher", 2),
    **{name: METRICS[name] for name in ("end_point_error", "motion_error_origins", "motion_error_foreground")},
    "off_place": Metric("motion of what should stay", "px", "lower", 2),
    **{name: METRICS[name] for name in ("psnr", "psnr_moving", "ssim", "ssim_moving")},
    "grey": Metric("background, off white", "grey levels", "lower", 2),
}
WHITE = 255


def judge_video(video: np.ndarray, clip: JudgedClip) -> dict[str, float]:
    """Every one of SCORES; NaN where the clip cannot tell. video (N, 64, 64, 3) uint8. "frame 1" to "frame N": PSNR."""
    shown, truth = video / 255.0, clip.frames / 255.0
    moving, alike = moving_region(truth), similarity(shown, truth)
    still = np.full(1, np.nan)
    if len(clip.tracks):
        still = offsets_of_points(video[1:], clip.frames[1:], clip.tracks, clip.seen) * PAPER_SIZE / SIDE  # (P, N − 1)
    white = (clip.frames == WHITE).all((0, 3))
    return {
        **_motion(video, clip, still[np.isfinite(still)]),
        "psnr": psnr(shown, truth), "psnr_moving": psnr(shown, truth, moving),
        "ssim": mean_similarity(alike), "ssim_moving": mean_similarity(alike, moving),
        "grey": float(np.abs(WHITE - video[1:, white].astype(float)).mean()) if white.any() else float("nan"),
        **{f"frame {n + 1}": float(value) for n, value in enumerate(psnr_of_frames(shown, truth))},
    }


def _motion(video: np.ndarray, clip: JudgedClip, still: np.ndarray) -> dict[str, float]:
    """What points say. still: offsets of what is not dragged, pixels at 256."""
    frames = len(video)
    shares = [(part, *shares_of(video, part)) for part in clip.parts if part.drawn.size]
    ways = [whole for _, whole, _ in shares]
    origins = [_at(off, each) for part, _, each in shares for off in part.origins]  # (N − 1,) a drag
    off = [float(_at(part.points, each).mean()) for part, _, each in shares]
    count = [int(part.count) for part, _, _ in shares]
    dragged, total = float(np.dot(off, count)), sum(count)
    resting = float(still.mean()) if len(still) else float("nan")
    held = len(still) / (frames - 1)  # points, counted once
    everything = (dragged + (resting * held if held else 0)) / (total + held) if total + held else float("nan")
    return {
        "right": 100 * float(np.mean([way > 0 for way in ways])) if ways else float("nan"),
        "wrong": 100 * float(np.mean([way < 0 for way in ways])) if ways else float("nan"),
        "travel": float(np.mean(ways)) if ways else float("nan"),
        "end_point_error": float(np.mean([one[-1] for one in origins])) if origins else float("nan"),
        "motion_error_origins": float(np.mean([one.sum() / frames for one in origins])) if origins else float("nan"),
        "motion_error_foreground": everything * (frames - 1) / frames,  # frame 1, where it is 0, counts
        "off_place": resting,
    }


def shares_of(video: np.ndarray, part: DraggedPart) -> tuple[float, np.ndarray]:
    """Which share of its way the part is at: in all frames together, and the number of the share in each (N − 1,)."""
    frame = np.nonzero(part.where)[0]
    error = np.square(part.drawn.astype(np.float32) - video[1:][part.where]).sum(-1)  # (S, T)
    each = np.stack([error[:, frame == n].sum(1) for n in range(len(part.where))], 1)  # (S, N − 1)
    return float(POSITIONS[each.sum(1).argmin()]), each.argmin(0)


def _at(off: np.ndarray, each: np.ndarray) -> np.ndarray:
    """off (S, N − 1) at one share a frame."""
    return off[each, np.arange(len(each))]
