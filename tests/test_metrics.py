"""Video metrics against hand-worked cases and scikit-image."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from puppetmaster_core.evaluation.intervals import fvd, interval, shares
from puppetmaster_core.evaluation.metrics import (
    MAX_PSNR,
    edge_energy_ratio,
    first_last_blend,
    flicker,
    mean_similarity,
    moving_region,
    psnr,
    similarity,
    static_copy,
)
from puppetmaster_core.evaluation.perceptual import frechet_distance


def grey(*values, side=8):
    """A video of evenly grey frames."""
    return np.ones((len(values), side, side, 3)) * np.reshape(values, (-1, 1, 1, 1))


def noisy_pair(seed=0, shape=(4, 16, 16, 3)):
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 256, shape, dtype=np.uint8)
    noise = generator.integers(-20, 21, shape)
    return np.clip(truth + noise, 0, 255).astype(np.uint8), truth


def test_psnr_by_hand():
    # Errors of 0.1 and 0.01: 20 and 40 dB, mean 30. Frame 1, although wrong, does not count.
    assert psnr(grey(1, 0.1, 0.01), grey(0, 0, 0)) == pytest.approx(30)
    # Pooled: the mean squared error is (0.01 + 0.0001) / 2.
    everywhere = np.ones((3, 8, 8), dtype=bool)
    assert psnr(grey(1, 0.1, 0.01), grey(0, 0, 0), everywhere) == pytest.approx(-10 * np.log10(0.00505))
    assert psnr(grey(0, 1), grey(0, 0)) == 0
    assert psnr(grey(1, 0), grey(0, 0)) == MAX_PSNR
    # A method that returns frame 1 untouched gains the cap's share by that alone, where frame 1 counts.
    assert psnr(grey(0, 0.1, 0.01), grey(0, 0, 0), frame_1=True) == pytest.approx(30 + (MAX_PSNR - 30) / 3)


def test_psnr_agrees_with_skimage_and_across_types():
    video, truth = noisy_pair()
    frames = [peak_signal_noise_ratio(b, a) for a, b in zip(video[1:], truth[1:], strict=True)]
    assert psnr(video, truth) == pytest.approx(np.mean(frames))
    assert psnr(video / 255, (truth / 255).astype(np.float32)) == pytest.approx(psnr(video, truth), abs=1e-4)


def test_regions_by_hand():
    # A white square of 2×2 pixels in a black picture moves 2 pixels to the right in frame 2 and stays there.
    truth = np.zeros((3, 8, 8, 3), dtype=np.uint8)
    truth[0, 2:4, 2:4] = truth[1:, 2:4, 4:6] = 255
    truth[2, 7, 7] = 8, 8, 8  # at the threshold: still
    moving = moving_region(truth)
    expected = np.zeros((3, 8, 8), dtype=bool)
    expected[1:, 2:4, 2:6] = True
    np.testing.assert_array_equal(moving, expected)

    copy = static_copy(truth)
    assert psnr(copy, truth, moving) == 0  # wrong by 1 everywhere it moves
    # Still: one pixel off by 8/255 among 2·64 − 16.
    assert psnr(copy, truth, ~moving) == pytest.approx(-10 * np.log10((8 / 255) ** 2 / 112))
    blurred = np.where(moving[..., None], 127.5, truth).astype(np.uint8)
    assert psnr(blurred, truth, moving) == pytest.approx(6, abs=0.05)
    assert psnr(blurred, truth, ~moving) == MAX_PSNR


def test_flicker_by_hand():
    truth = grey(0.5, 0.5, 0.5, 0.5)
    truth[2, :4] = 0.7  # the upper half moves
    video = truth.copy()
    video[1, 4:] += 2 / 255  # there and back in the lower half: 2, 2 and 0 grey levels
    video[3, :4] = 0.1  # what moves may change as it likes
    assert flicker(video, truth) == pytest.approx(4 / 3)
    assert flicker(static_copy(truth), truth) == flicker(truth, truth) == 0
    assert np.isnan(flicker(truth, grey(0, 0, 1, 0)))


def test_a_blend_goes_from_the_first_frame_to_the_last():
    frames = noisy_pair()[0]
    blend = first_last_blend(frames)
    assert blend.dtype == np.uint8 and (blend[0] == frames[0]).all() and (blend[-1] == frames[-1]).all()
    middle = (2 * frames[0].astype(float) + frames[-1]) / 3
    assert np.abs(blend[1] - middle).max() <= 0.5


def test_edge_energy_by_hand():
    # One edge between two halves, 8 pixel pairs a channel: half the contrast has a quarter of the energy.
    truth = grey(0, 0)
    truth[:, :, 4:] = 1
    assert edge_energy_ratio(truth / 2, truth) == pytest.approx(1 / 4)
    # A ramp over two pixel pairs: twice as many differences, each half as large.
    soft = truth.copy()
    soft[:, :, 4] = 0.5
    assert edge_energy_ratio(soft, truth) == pytest.approx(1 / 2)
    assert edge_energy_ratio(truth, truth) == 1
    left = np.zeros((2, 8, 8), dtype=bool)
    left[:, :, :3] = True
    assert np.isnan(edge_energy_ratio(soft, truth, left))
    left[:, :, 3] = True  # the edge belongs to the pixel on its left
    assert edge_energy_ratio(soft, truth, left) == pytest.approx(1 / 4)


def test_ssim_is_scikit_images_of_the_frames_asked_for_and_of_a_region():
    video, truth = noisy_pair()
    frames = [structural_similarity(a, b, channel_axis=2) for a, b in zip(video, truth, strict=True)]
    maps = similarity(video, truth)
    assert mean_similarity(maps) == pytest.approx(np.mean(frames[1:]))
    assert mean_similarity(maps, frame_1=True) == pytest.approx(np.mean(frames))
    mask = np.zeros(truth.shape[:3], dtype=bool)
    mask[0] = mask[1, :5] = mask[3, 2, 2] = True  # frame 1 is not looked at
    assert mean_similarity(maps, mask) == pytest.approx((maps[1, :5].sum() + maps[3, 2, 2]) / (5 * 16 + 1))


def test_a_region_without_pixels_has_no_score():
    still = grey(0.5, 0.5)
    moving = moving_region(still)
    assert np.isnan([psnr(still, still, moving), edge_energy_ratio(still, still)]).all()
    assert np.isnan(mean_similarity(similarity(still, still), moving))


# ---- intervals -------------------------------------------------------------------------------------------------------


def test_an_interval_is_the_normal_one_for_many_values_and_leaves_out_what_is_missing():
    values = np.random.default_rng(0).normal(25, 2, size=200)
    found, error = interval([*values, None, np.nan], np.random.default_rng(1)), values.std() / np.sqrt(200)
    assert found == interval(values, np.random.default_rng(1)) and found["clips"] == 200
    assert found["low"] == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert found["high"] == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)
    assert interval([3.0], np.random.default_rng(0)) == {"mean": 3, "low": 3, "high": 3, "clips": 1}
    assert interval([None], np.random.default_rng(0)) is None


def test_shares_weigh_items_and_resample_clips():
    [wrong] = shares([(1, 4), (0, 2), (0, 0)], np.random.default_rng(0))
    assert (wrong["mean"], wrong["clips"], wrong["items"]) == (pytest.approx(1 / 6), 2, 6)
    assert (wrong["low"], wrong["high"]) == (0, 0.25)  # one clip twice, or the other
    assert shares([(0, 0)], np.random.default_rng(0)) == []


def test_fvd_has_a_jackknifes_interval():
    own, true = (np.random.default_rng(k).normal(size=(6, 3)) + k for k in range(2))
    found = fvd(list(zip(own, true, strict=True)))
    assert found["mean"] == frechet_distance(own, true) and found["low"] < found["mean"] < found["high"]
    assert fvd([([0.0], [1.0])] * 2) is None
