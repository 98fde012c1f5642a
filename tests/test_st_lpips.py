"""ST-LPIPS: its order, its gradient, and the package's own code as an oracle."""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, zoom

from puppetmaster_core.evaluation.perceptual import MetricError
from puppetmaster_core.evaluation.scores import Judges
from puppetmaster_core.evaluation.st_lpips import StLpips

installed = pytest.mark.skipif(find_spec("stlpips_pytorch") is None, reason="stlpips-pytorch is not installed")


@pytest.fixture(scope="module")
def metric():
    if find_spec("stlpips_pytorch") is None:
        pytest.skip("stlpips-pytorch is not installed")
    return StLpips()


def film(seed=0, frames=3, size=64):
    """Coloured blotches of some pixels' width, the same in every frame."""
    picture = zoom(np.random.default_rng(seed).uniform(0, 255, (size // 8, size // 8, 3)), (8, 8, 1), order=1)
    return np.repeat(picture[None], frames, 0).round().astype(np.uint8)


def test_equal_videos_have_no_distance_and_frame_1_is_not_looked_at(metric):
    truth = film()
    assert metric(truth, truth) == 0
    given = truth.copy()
    given[0] = 0
    assert metric(given, truth) == 0


@pytest.mark.parametrize("spoil", [
    lambda video, much: gaussian_filter(video.astype(float), (0, 2 * much, 2 * much, 0)),
    lambda video, much: video + np.random.default_rng(1).normal(0, 12 * much, video.shape),
], ids=["blur", "noise"])
def test_the_more_blur_or_noise_the_farther(metric, spoil):
    truth = film()
    distances = [metric(spoil(truth, much).clip(0, 255).round().astype(np.uint8), truth) for much in (1, 2, 4)]
    assert 0 < distances[0] < distances[1] < distances[2]


def test_it_can_be_a_loss(metric):
    black = torch.full((1, 3, 64, 64), -1.0, requires_grad=True)  # no features at many places
    metric.distance(black, torch.rand(1, 3, 64, 64)).sum().backward()
    assert black.grad.isfinite().all() and black.grad.abs().max() > 0


@installed
def test_equal_to_the_package_own_code(monkeypatch):
    for name, part in (("torchvision", "models"), ("torchsummary", "summary"), ("IPython", "embed")):
        stand_in = ModuleType(name)  # imported there, and not used by the shift-tolerant networks
        setattr(stand_in, part, ModuleType(part))
        monkeypatch.setitem(sys.modules, name, stand_in)
    before = set(sys.modules)
    try:
        package = import_module("stlpips_pytorch.stlpips")
    except ImportError as error:
        pytest.skip(f"the package's own code cannot be imported: {error}")
    finally:
        for name in [name for name in sys.modules if name.startswith("stlpips_pytorch") and name not in before]:
            monkeypatch.delitem(sys.modules, name)
    own = package.LPIPS(net="alex", variant="shift_tolerant", verbose=False)
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.rand(2, 3, 64, 48, generator=generator) * 2 - 1 for _ in range(2))
    with torch.no_grad():
        expected = own(one, other).flatten()
    torch.testing.assert_close(StLpips().distance(one, other), expected, rtol=0, atol=1e-5)
    assert expected.min() > 0.01


def test_without_the_package_one_line_says_so(monkeypatch):
    monkeypatch.setattr("puppetmaster_core.evaluation.st_lpips.find_spec", lambda name: None)
    with pytest.raises(MetricError, match="stlpips-pytorch is not installed: pip install"):
        Judges.load(perceptual=["st-lpips"])
