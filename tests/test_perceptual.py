"""LPIPS and FVD: the distance against scipy's square root of a matrix, the packages by stand-ins of their documented surface."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.linalg
import torch

from puppetmaster_core.evaluation.perceptual import WEIGHTS, Lpips, MetricError, VideoFeatures, find_weights, frechet_distance


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.setenv("PUPPETMASTER_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    (tmp_path / "mine").mkdir()
    return tmp_path / "mine"


def by_matrix_square_root(a, b):
    """As cd-fvd computes it."""
    sa, sb = np.cov(a.T, bias=True), np.cov(b.T, bias=True)
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(sa + sb - 2 * np.real(scipy.linalg.sqrtm(sa @ sb)))


def test_frechet_distance_agrees_with_the_square_root_of_the_product():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(60, 5)), rng.normal(size=(40, 5)) @ rng.normal(size=(5, 5)) + 1
    assert frechet_distance(a, b) == pytest.approx(by_matrix_square_root(a, b), rel=1e-8)


def test_frechet_distance_by_hand():
    # One dimension: (μ − μ')² + (σ − σ')². Deviations 1 and 3 around 0 and 5.
    assert frechet_distance(np.array([[-1.0], [1.0]]), np.array([[2.0], [8.0]])) == pytest.approx(25 + 4)
    few = np.random.default_rng(1).normal(size=(4, 300))  # fewer videos than features
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(few, few + 2) == pytest.approx(4 * 300)


def test_missing_weights_say_which_and_where_they_were_looked_for(weights, tmp_path):
    with pytest.raises(MetricError) as error:
        find_weights("i3d")
    said = str(error.value)
    assert "i3d_pretrained_400.pt" in said and str(weights) in said and str(tmp_path / "hub" / "checkpoints") in said
    assert WEIGHTS["i3d"][1] in said and "$PUPPETMASTER_WEIGHTS" in said
    second = tmp_path / "hub" / "checkpoints" / "i3d_pretrained_400.pt"
    second.parent.mkdir(parents=True)
    second.touch()
    assert find_weights("i3d") == second


@pytest.mark.parametrize("make", [Lpips, VideoFeatures])
def test_a_missing_package_says_what_to_install(make, monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    monkeypatch.setitem(sys.modules, "cdfvd.fvd", None)
    with pytest.raises(MetricError, match=r"cannot be imported .*puppetmaster-core\[perceptual\].*torchvision"):
        make()


class StandInLpips(torch.nn.Module):
    """lpips.LPIPS: a trunk of slices whose layers have torchvision's numbers; the distance here is the mean difference."""

    def __init__(self, net="alex", pnet_rand=False, verbose=True):
        super().__init__()
        assert pnet_rand, "the package would download its trunk"
        self.net = torch.nn.Module()
        self.net.slice1, self.net.slice2 = torch.nn.Sequential(), torch.nn.Sequential()
        self.net.slice1.add_module("0", torch.nn.Conv2d(3, 2, 1))
        self.net.slice2.add_module("3", torch.nn.Conv2d(2, 2, 1))

    def forward(self, a, b):
        assert a.min() >= -1 and a.max() <= 1 and a.ndim == 4 and a.shape[1] == 3
        return (a - b).abs().mean((1, 2, 3), keepdim=True)


def test_lpips_is_built_without_a_download_and_looks_at_frames_2_to_n(weights, monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", SimpleNamespace(LPIPS=StandInLpips))
    trunk = {f"features.{k}.{name}": torch.full(shape, 7.0) for k, c in ((0, 3), (3, 2))
             for name, shape in (("weight", (2, c, 1, 1)), ("bias", (2,)))}
    torch.save(trunk | {"classifier.1.weight": torch.zeros(2)}, weights / WEIGHTS["alex"][0])
    metric = Lpips()
    assert all((value == 7).all() for value in metric.model.net.state_dict().values())
    truth = np.zeros((3, 8, 8, 3), np.uint8)
    video = truth.copy()
    video[0] = 255  # frame 1 is given
    video[2] = 51  # 0.4 of [−1, 1]
    assert metric(video, truth) == pytest.approx(0.2)
    torch.save({"features.0.weight": torch.zeros(2, 3, 1, 1)}, weights / WEIGHTS["alex"][0])
    with pytest.raises(MetricError, match="another network's"):
        Lpips()


class StandInFvd:
    """cdfvd.fvd.cdfvd, whose features are the mean colours of the first and of the last frame."""

    def __init__(self, model, ckpt_path=None, n_fake=2048, compute_feats=False, device="cuda"):
        self.made_from, self.frames = ckpt_path, None
        self.empty_real_stats()

    def empty_real_stats(self):
        self.real_stats = SimpleNamespace(capture_all=False, rows=[], get_all=lambda: np.concatenate(self.real_stats.rows))

    def add_real_stats(self, videos):
        assert self.real_stats.capture_all and videos.dtype == np.uint8
        self.frames = videos.shape[1]
        self.real_stats.rows.append(np.concatenate([videos[:, 0].mean((1, 2)), videos[:, -1].mean((1, 2))], 1))


def test_video_features_come_from_the_file_that_was_found(weights, monkeypatch):
    monkeypatch.setitem(sys.modules, "cdfvd.fvd", SimpleNamespace(cdfvd=StandInFvd))
    for file, _ in WEIGHTS.values():
        (weights / file).touch()
    videos = np.random.default_rng(0).integers(0, 256, (3, 14, 4, 4, 3), dtype=np.uint8)
    for network, frames in (("i3d", 14), ("videomae", 16)):
        features = VideoFeatures(network)
        assert features.judge.made_from == str(weights / WEIGHTS[network][0])
        first = features(videos)
        assert first.shape == (3, 6) and features.judge.frames == frames  # a short video repeats its last frame
        np.testing.assert_array_equal(features(videos[:1]), first[:1])  # nothing is left of the call before
