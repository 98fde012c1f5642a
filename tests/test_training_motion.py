"""The stages of a motion-latent model: they run, go on, leave a whole model, and refuse what cannot train."""

import numpy as np
import pytest
import torch
from motion_models import SKETCH

from puppetmaster_core.cli import main
from puppetmaster_core.pipeline import PuppetMasterPipeline, build
from puppetmaster_core.training.config import TrainingError
from puppetmaster_core.training.motion_clips import Motion
from puppetmaster_core.training.parts import SMALL, about_of, misfit, pick_points
from puppetmaster_core.training.run import train


def render(folder, *options):
    main(["render", "library:lid", "--count", "3", "--frames", "4", "--workers", "1", "--output", str(folder), *options])
    return str(folder)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("motion")
    return [render(folder / "own"), render(folder / "large", "--size", "128", "--field-size", "128", "--count", "1")]


@pytest.fixture(scope="module")
def trained(clips, tmp_path_factory):
    """A run of all stages, stopped before the denoiser and started again."""
    folder = tmp_path_factory.mktemp("run")
    assert train(SKETCH, str(folder), data=clips, stages=("painter", "parts"), mixed_precision="no")
    before = {path: path.read_bytes() for path in folder.glob("*/final.safetensors")}
    assert train(SKETCH, str(folder), data=clips, mixed_precision="no")
    assert len(before) == 2 and all(path.read_bytes() == data for path, data in before.items())  # what was done stays
    return folder


def test_a_run_leaves_a_whole_model_of_what_its_stages_learned(trained, clips):
    pipeline, start = PuppetMasterPipeline.from_pretrained(trained / "pipeline"), build(SKETCH)
    for name in ("painter", "parts"):
        now, was = (one.vae.get_submodule(name).state_dict() for one in (pipeline, start))
        assert any(not torch.equal(now[key], was[key]) for key in was), name
    assert not torch.equal(pipeline.unet.conv_in.weight, start.unet.conv_in.weight)


def test_a_run_goes_on_from_a_model_with_its_painter_as_it_is(trained, clips, tmp_path):
    assert train(SKETCH, str(tmp_path), data=clips, weights=str(trained / "pipeline"), stages=("parts", "denoiser"))
    before, after = (PuppetMasterPipeline.from_pretrained(folder / "pipeline") for folder in (trained, tmp_path))
    painters = zip(before.vae.painter.parameters(), after.vae.painter.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in painters)
    assert not torch.equal(before.unet.conv_in.weight, after.unet.conv_in.weight)


def test_the_painter_of_a_model_goes_on_by_itself(trained, clips, tmp_path):
    """On what the model's own parts foresee; a whole model is left."""
    assert train(SKETCH, str(tmp_path), data=clips, weights=str(trained / "pipeline"), stages=("painter",))
    before, after = (PuppetMasterPipeline.from_pretrained(folder / "pipeline") for folder in (trained, tmp_path))
    now = after.vae.state_dict()
    same = {name: torch.equal(value, now[name]) for name, value in before.vae.state_dict().items()}
    assert not all(same.values()) and all(equal for name, equal in same.items() if name.startswith("parts."))
    assert torch.equal(before.unet.conv_in.weight, after.unet.conv_in.weight)


def test_what_cannot_train_is_refused_in_one_line(smoke_folder, clips, tmp_path):
    for wanted, changes in (
        ("latents=pictures, the scale 'sketch' has motion", {"data": clips, "weights": str(smoke_folder)}),
        ("no clips of 64 pixels", {"data": clips[1:]}),
        ("run the stage 'painter' first", {"data": clips, "stages": ("denoiser",)}),
        ("has no stage 'vae': it has painter, parts, denoiser", {"data": clips, "stages": ("vae",)}),
        ("--field-size 64", {"data": [render(tmp_path / "without", "--field-size", "0")]}),
    ):
        with pytest.raises(TrainingError, match=wanted):
            train(SKETCH, str(tmp_path / "run"), **changes)


def motion():
    """Two squares on white; the left one goes a quarter to the right, the other stays."""
    parts = np.full((64, 64), -1, np.int16)
    parts[20:30, 10:20], parts[20:30, 40:50] = 0, 1
    offset = np.zeros((4, 64, 64, 2), np.float16)
    offset[:, 20:30, 10:20, 0] = np.linspace(0, 0.25, 4)[:, None, None]
    return Motion(np.full((64, 64, 3), 255, np.uint8), parts, offset)


def test_drags_are_drawn_on_what_moves_and_mirrored_with_it():
    rng = np.random.default_rng(0)
    for _ in range(5):
        (drag,) = motion().drags(rng)
        assert (10 / 64 <= drag[0, 0] <= 20 / 64) and (20 / 64 <= drag[0, 1] <= 30 / 64)
        np.testing.assert_allclose(drag[-1] - drag[0], [0.25, 0], atol=1e-3)
        (drag,) = motion().flipped().drags(rng)
        assert 44 / 64 <= drag[0, 0] <= 54 / 64
        np.testing.assert_allclose(drag[-1] - drag[0], [-0.25, 0], atol=1e-3)


def test_what_is_told_of_a_pixel_is_exact():
    about, truth = about_of(motion()), np.zeros((64, 64), bool)
    truth[20:30, 10:20] = True
    np.testing.assert_array_equal(about[0] == 1, truth)
    np.testing.assert_allclose(about[3:7, 22, 13] * 64, [3.5, 2.5, 6.5, 7.5])  # to the left, top, right and bottom of the part
    np.testing.assert_allclose(about[7:9, 22, 13], [1, 0], atol=1e-6)  # along x, whichever way
    assert about[1, 25, 9] == about[1, 25, 19] == about[2, 19, 15] == 1 and not about[1:3, 25, 15].any()
    points, masks = pick_points(motion(), np.random.default_rng(0))
    assert all(truth[int(y * 64), int(x * 64)] for x, y in points) and (masks == truth).all()


def test_misfit_is_the_squared_distance_from_where_the_pixels_go():
    rng = torch.Generator().manual_seed(0)
    points, masks = torch.tensor([[[0.25, 0.25], [0.75, 0.5]]]), torch.rand(1, 2, 64, 64, generator=rng) > 0.7
    offset, affine = 0.1 * torch.randn(1, 4, 2, 64, 64, generator=rng), torch.randn(1, 2, 4, 2, 2, generator=rng)
    found, centres = misfit(affine, points, masks.float(), offset), (torch.arange(64) + 0.5) / 64
    for k, (x, y) in enumerate(points[0].tolist()):
        away = torch.stack(torch.meshgrid(centres - x, centres - y, indexing="xy"))
        own = offset[0, :, :, int(64 * y), int(64 * x)][..., None, None]
        wrong = torch.einsum("nij,jyx->niyx", affine[0, k], away) - (offset[0] - own)
        wrong, far = (one.square().sum(1)[:, masks[0, k]].mean() for one in (wrong, offset[0]))
        torch.testing.assert_close(found[0, k], wrong / (far + SMALL), rtol=1e-4, atol=0)
