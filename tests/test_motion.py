"""Where points went: errors worked by hand, and trackers on pictures that move by a known way."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from puppetmaster_core.evaluation import trackers
from puppetmaster_core.evaluation.motion import direction_counts, end_point_error, foreground_points, motion_error, ways
from puppetmaster_core.evaluation.trackers import CoTracker, DenseFlow, LucasKanade, TrackerError, load_tracker


def path(*points):
    return np.array([points], dtype=float)  # (1, N, 2)


def test_motion_error_by_hand():
    # Distances 0, 5 and 10 pixels of a picture 128 wide: mean 5, which is 10 at 256.
    true, found = path((10, 10), (10, 10), (10, 10)), path((10, 10), (13, 14), (16, 18))
    assert motion_error(found, true, 128) == pytest.approx(10)
    both = np.concatenate([found, true])
    assert motion_error(both, np.concatenate([true, true]), 128) == pytest.approx(5)  # a point that is right halves it
    assert np.isnan(motion_error(np.zeros((0, 3, 2)), np.zeros((0, 3, 2)), 128))


def test_end_point_error_looks_at_the_last_frame_only():
    drag, found = path((0, 0), (50, 0), (100, 0)), path((0, 0), (0, 90), (96, 3))
    assert end_point_error(found, drag, 256) == pytest.approx(5)
    assert end_point_error(found, drag, 64) == pytest.approx(20)


def test_the_way_is_measured_along_the_drag():
    drags = np.concatenate([path((0, 0), (30, 40))] * 4 + [path((5, 5), (5, 5))])
    went = np.concatenate([path((0, 0), end) for end in ((30, 40), (-3, -4), (4, -3), (0.6, 0.8), (9, 9))])
    way = ways(went, drags, 256)
    np.testing.assert_allclose(way[:4], [50, -5, 0, 1], atol=1e-12)  # the third went across
    assert np.isnan(way[4])  # a pin has no direction
    assert direction_counts(way) == {"right": 1, "wrong": 1, "unclear": 3}
    assert direction_counts(way, dead_zone=0.5) == {"right": 2, "wrong": 1, "unclear": 2}
    assert ways(went, drags, 64)[0] == pytest.approx(200)


def test_foreground_points_are_pixel_centres_of_the_mask():
    mask = np.zeros((128, 128), dtype=bool)
    mask[:16, 64:72] = True
    points = foreground_points(mask)  # 4 pixels of 128
    assert {tuple(p) for p in points} == {(x + 0.5, y + 0.5) for x in (66, 70) for y in (2, 6, 10, 14)}
    mask = np.tri(32, dtype=bool)
    assert len(foreground_points(mask)) == mask.sum()
    assert foreground_points(~mask & mask).shape == (0, 2)


# ---- trackers --------------------------------------------------------------------------------------------------------


def sliding(step=(2.0, 1.0), count=6, side=96):
    """A smooth random texture that slides by `step` pixels a frame, interpolated exactly by its Fourier series."""
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])
    spectrum = np.fft.fft2(rng.normal(size=(side, side))) * np.exp(-((frequency / 0.06) ** 2))
    frames = []
    for n in range(count):
        phase = np.exp(-2j * np.pi * n * (step[0] * np.fft.fftfreq(side)[None] + step[1] * np.fft.fftfreq(side)[:, None]))
        frames.append(np.fft.ifft2(spectrum * phase).real)
    frames = np.stack(frames)
    frames = (frames - frames.min()) / np.ptp(frames) * 255
    return np.repeat(frames.round().astype(np.uint8)[..., None], 3, axis=3)


@pytest.mark.parametrize("tracker", [LucasKanade(), DenseFlow()], ids=["lk", "dis"])
def test_a_sliding_texture_is_followed(tracker):
    pytest.importorskip("cv2", reason="the extra `tracking` is not installed")
    points = np.array([[30.5, 40.5], [48.0, 48.0], [60.2, 30.7]])
    truth = points[:, None] + np.arange(6)[None, :, None] * np.array([2.0, 1.0])
    assert tracker.rough and np.abs(tracker(sliding(), points) - truth).max() < 0.5
    assert np.abs(tracker(np.repeat(sliding(count=1), 4, axis=0), points) - points[:, None]).max() < 0.1
    assert tracker(sliding(), np.zeros((0, 2))).shape == (0, 6, 2)
    assert np.isfinite(tracker(sliding(), np.array([[-20.0, 300.0]]))).all()  # outside of the picture


class StandIn(torch.nn.Module):
    """CoTracker's documented signature: every point moves a pixel to the right each frame, counted from pixel centres."""

    def __init__(self, short=False):
        super().__init__()
        self.weight, self.short, self.seen = torch.nn.Parameter(torch.zeros(1)), short, {}

    def forward(self, video, queries=None):
        self.seen = {"video": video, "queries": queries}
        count = video.shape[1] - self.short
        tracks = queries[:, None, :, 1:] + torch.arange(count)[None, :, None, None] * torch.tensor([1.0, 0.0])
        return tracks, torch.ones(1, count, queries.shape[1], dtype=torch.bool)


def test_cotracker_is_asked_and_read_as_documented():
    frames, module = sliding(), StandIn()
    points = np.array([[10.5, 20.5], [0.0, 96.0]])
    tracks, asked = CoTracker(module)(frames, points), module.seen
    assert asked["video"].shape == (1, 6, 3, 96, 96) and asked["video"].dtype == torch.float32
    assert asked["video"].max() == frames.max()  # 0 to 255, not 0 to 1
    assert asked["queries"].tolist() == [[[0, 10, 20], [0, -0.5, 95.5]]]  # frame 0, x, y from pixel centres
    np.testing.assert_allclose(tracks, points[:, None] + np.arange(6)[None, :, None] * [1.0, 0.0])
    assert CoTracker(module)(frames, np.zeros((0, 2))).shape == (0, 6, 2)
    with pytest.raises(TrackerError, match=r"gave tracks \(1, 5, 1, 2\)"):
        CoTracker(StandIn(short=True))(frames, points[:1])


def test_cotracker_2_is_not_the_entry_that_builds_version_3(monkeypatch):
    """The published hubconf.py has a version in which `cotracker2` builds version 3; weights are read without pickle."""
    calls = []
    network = SimpleNamespace(model=torch.nn.Linear(2, 2), eval=lambda: network, to=lambda device: network)
    monkeypatch.setattr(torch.hub, "load", lambda *words, **options: calls.append((words, options)) or network)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url",
                        lambda address, **options: calls.append((address, options)) or torch.nn.Linear(2, 2).state_dict())
    for version, entry, weights in (("2", "cotracker2v1", "cotracker2v1.pth"), ("3", "cotracker3_offline", "scaled_offline.pth")):
        calls.clear()
        assert load_tracker(f"cotracker{version}").name == f"CoTracker {version}"
        (words, options), (address, reading) = calls
        assert words == (trackers.HUB, entry) and options["pretrained"] is False
        assert address.endswith(weights) and reading["weights_only"] is True


def test_a_tracker_that_cannot_be_had_says_where_it_was_looked_for(monkeypatch, tmp_path):
    def offline(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "load", offline)
    with pytest.raises(TrackerError, match=r"CoTracker 3 cannot be loaded from torch\.hub .*scaled_offline.*no route to host"):
        load_tracker("cotracker3")
    with pytest.raises(TrackerError, match=r"missing\.pth"):
        load_tracker("cotracker2", checkpoint=str(tmp_path / "missing.pth"))
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(TrackerError, match=r"puppetmaster-core\[tracking\]"):
        load_tracker("lk")
