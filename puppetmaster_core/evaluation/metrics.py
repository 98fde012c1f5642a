"""§5.1: metrics of a generated video against the true one, and the list of all metrics: name, unit, which way is better.

Letters: N frames, (H, W) picture size in pixels. A video is (N, H, W, 3), either uint8 or floating point in [0, 1].

Frame 1 is given to the model, so every metric looks at frames 2 to N only, unless `frame_1` asks for it. Each function scores
one clip; a table shows the mean of the clips' scores, every clip counting the same, with an interval beside it (`intervals`).
"""

from dataclasses import dataclass

import numpy as np
from skimage.metrics import structural_similarity

MOVING_THRESHOLD = 8 / 255  # of the range [0, 1]: above what compression and palettes do to a still pixel
SSIM_WINDOW = 7  # pixels, scikit-image's default
MAX_PSNR = 100.0  # dB, stands for infinity where two frames are equal, so that means stay finite


@dataclass(frozen=True)
class Metric:
    """A column: what it is called, in what unit, which way is better, and the digits that are printed."""

    label: str
    unit: str
    better: str  # "higher" or "lower"
    digits: int

    @property
    def heading(self) -> str:
        return f"{self.label} [{self.unit}]" if self.unit else self.label


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
    "fvd_i3d": Metric("FVD (I3D)", "", "lower", 1),  # this and the next are of a set of clips: no clip has one
    "fvd_videomae": Metric("FVD (VideoMAE)", "", "lower", 1),
    "motion_error_origins": Metric("ME, origins", "px", "lower", 2),
    "motion_error_foreground": Metric("ME, foreground", "px", "lower", 2),
    "motion_error_drags": Metric("ME against the drags", "px", "lower", 2),
    "end_point_error": Metric("end-point error", "px", "lower", 2),
    "wrong_direction": Metric("wrong direction", "%", "lower", 1),
    "unclear_direction": Metric("unclear direction", "%", "lower", 1),
    "flicker": Metric("flicker", "grey levels", "lower", 2),
    "edge_energy": Metric("edge energy", "of the truth", "higher", 2),
    # of clips whose object is known, see `exact`
    "right_direction": Metric("parts that went the drag's way", "of 1", "higher", 3),
    "off_place": Metric("how far what is not dragged is from its place", "px at 64", "lower", 2),
    "mask_iou": Metric("overlap of what it moves with what truly moves", "of 1", "higher", 3),
    "sharpness_gap": Metric("edge energy, distance from the true one", "of 1", "lower", 2),
    "edge_energy_over_ceiling": Metric("edge energy over that of the ceiling", "", "higher", 2),
}


def psnr(video: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None, *, frame_1: bool = False) -> float:
    """Peak signal-to-noise ratio in dB, 0 to MAX_PSNR, higher is better: 10·log10(1 / MSE), for values in [0, 1].

    Without a mask: the mean of the frames' PSNR, as the field reports it for whole frames.
    mask: bool (N, H, W). The PSNR of the error pooled over all its pixels in frames 2 to N; frames where little of the
        region shows do not weigh as much as others, as they would in a mean over frames. NaN for an empty mask.
    frame_1: count frame 1 too. A method that returns it unchanged gains (MAX_PSNR − its mean) / N by that alone.
    """
    begin = 0 if frame_1 else 1
    if mask is None:
        return float(psnr_of_frames(video, truth)[begin:].mean())
    video, truth = _pair(video, truth)
    error = (video - truth)[begin:] ** 2  # (N - 1, H, W, 3)
    pixels = error[mask[begin:]]
    return float(_decibel(pixels.mean())) if pixels.size else float("nan")


def psnr_of_frames(video: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The PSNR in dB of each frame (N,), frame 1 too."""
    video, truth = _pair(video, truth)
    return _decibel(np.square(video - truth).mean(axis=(1, 2, 3)))


def moving_region(truth: np.ndarray) -> np.ndarray:
    """Pixels of each frame, bool (N, H, W), that differ from frame 1 by more than MOVING_THRESHOLD in some colour channel.

    Both what a moving part uncovers and what it covers are in it. Outside of it, repeating frame 1 has a PSNR of at least
    −20·log10(MOVING_THRESHOLD) = 30 dB by construction.
    """
    truth = _unit_range(truth, "truth")
    return np.abs(truth - truth[:1]).max(axis=3) > MOVING_THRESHOLD


def similarity(video: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Structural similarity of each pixel's window, (N, H, W), mean over channels: what SSIM is the mean of."""
    pairs = zip(*_pair(video, truth), strict=True)
    return np.stack([structural_similarity(a, b, channel_axis=2, data_range=1.0, full=True)[1].mean(2) for a, b in pairs])


def mean_similarity(similarity: np.ndarray, mask: np.ndarray | None = None, *, frame_1: bool = False) -> float:
    """SSIM, −1 to 1, higher is better: the mean of what `similarity` gives, as scikit-image has it.

    Whole frames leave out the rim, where windows reach over the edge, as scikit-image does. mask: bool (N, H, W), over whose
    pixels the mean is taken; windows reach seven pixels wide, so what surrounds it has a part in it. NaN for an empty mask.
    """
    begin = 0 if frame_1 else 1
    if mask is None:
        rim = SSIM_WINDOW // 2
        return float(similarity[begin:, rim:-rim, rim:-rim].mean())
    pixels = similarity[begin:][mask[begin:]]
    return float(pixels.mean()) if pixels.size else float("nan")


def flicker(video: np.ndarray, truth: np.ndarray) -> float:
    """Temporal flicker in grey levels, 0 to 255, lower is better: how much what should stand still changes between frames.

    The mean of |x^n+1 − x^n| over channels, n from 1 to N − 1, and the pixels that are outside the true video's moving
    region in every frame. The truth's own is what noise and palettes cost; repeating frame 1 scores 0. NaN where
    everything moves. Ours; VBench's temporal flickering is the same mean over whole frames of videos meant to be static.
    """
    video, truth = _pair(video, truth)
    still = ~moving_region(truth).any(axis=0)
    return float(255 * np.abs(np.diff(video, axis=0))[:, still].mean()) if still.any() else float("nan")


def edge_energy_ratio(video: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Edge energy of the video over that of the true one: 1 is as sharp, less is blurred, more is noisy; 0 to ∞.

    Edge energy is the sum of squared differences between neighbouring pixels, over frames 2 to N, channels, and the
    pixels of mask, bool (N, H, W), when one is given. NaN when the true video has no edges there.
    """
    video, truth = _pair(video, truth)
    where = slice(None) if mask is None else mask[1:]
    energy, true_energy = (_edges(frames[1:])[where].sum() for frames in (video, truth))
    return float(energy / true_energy) if true_energy else float("nan")


def picture_scores(video: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """What pixels say of a video (N, H, W, 3) uint8, by the names of METRICS."""
    video, truth = video / 255.0, truth / 255.0  # once for all of them
    moving, maps = moving_region(truth), similarity(video, truth)
    return {
        "psnr": psnr(video, truth),
        "psnr_with_frame_1": psnr(video, truth, frame_1=True),
        "psnr_moving": psnr(video, truth, moving),
        "psnr_still": psnr(video, truth, ~moving),
        "ssim": mean_similarity(maps),
        "ssim_with_frame_1": mean_similarity(maps, frame_1=True),
        "ssim_moving": mean_similarity(maps, moving),
        "flicker": flicker(video, truth),
        "edge_energy": edge_energy_ratio(video, truth, moving),
    }


def static_copy(frames: np.ndarray) -> np.ndarray:
    """Frame 1 repeated N times, the baseline that any generator has to beat."""
    return np.repeat(frames[:1], len(frames), axis=0)


def first_last_blend(frames: np.ndarray) -> np.ndarray:
    """Frames (N, H, W, 3) between which the true first one fades into the true last one, as uint8.

    It knows the end, which no method does: what whole-frame metrics give to a video without any motion.
    """
    weight = np.linspace(0, 1, len(frames))[:, None, None, None]
    return ((1 - weight) * frames[0] + weight * frames[-1]).round().astype(np.uint8)


def _decibel(mean_squared_error):
    return -10 * np.log10(np.maximum(mean_squared_error, 10 ** (-MAX_PSNR / 10)))


def _edges(frames: np.ndarray) -> np.ndarray:
    """Squared differences of each pixel to its right and lower neighbours, summed over channels: (N, H, W)."""
    right = np.diff(frames, axis=2, append=frames[:, :, -1:])
    below = np.diff(frames, axis=1, append=frames[:, -1:])
    return (right**2 + below**2).sum(axis=3)


def _pair(video: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    video, truth = _unit_range(video, "video"), _unit_range(truth, "truth")
    if video.shape != truth.shape:
        raise ValueError(f"got video of shape {video.shape}, expected that of the truth, {truth.shape}")
    return video, truth


def _unit_range(frames: np.ndarray, what: str) -> np.ndarray:
    """A video as float64 in [0, 1], its shape and range checked."""
    frames = np.asarray(frames)
    if frames.ndim != 4 or frames.shape[3] != 3 or len(frames) < 2:
        raise ValueError(f"got {what} of shape {frames.shape}, expected (N frames, 2 or more, H, W, 3)")
    if frames.dtype == np.uint8:
        return frames / 255.0
    if frames.dtype.kind != "f" or not (frames.min() >= 0 and frames.max() <= 1):
        low, high = frames.min(), frames.max()
        raise ValueError(f"got {what} as {frames.dtype} from {low} to {high}, expected uint8, or floats from 0 to 1")
    return frames.astype(np.float64, copy=False)
