"""Motion latents: the field and its inverse, parts that move whole, splatting, the painter, and the pipeline around them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from motion_models import SKETCH

from puppetmaster_core import Drags, PuppetMasterPipeline
from puppetmaster_core.checkpoints import ModelError
from puppetmaster_core.evaluation.ceilings import overlap
from puppetmaster_core.latents.affine import AffineHead
from puppetmaster_core.latents.anchoring import anchored, spread
from puppetmaster_core.latents.field import coarse, from_latents, guess, to_latents
from puppetmaster_core.latents.painter import MODES, Moved, Painter, around, decided, shown, swept_over
from puppetmaster_core.latents.snap import Guide, snap
from puppetmaster_core.latents.splat import splat
from puppetmaster_core.pipeline import build
from puppetmaster_core.presets import SMOKE

CENTRES = (torch.arange(64) + 0.5) / 64


def square(size, low, high):
    mask = torch.zeros(size, size)
    mask[low:high, low:high] = 1
    return mask


def places():
    return torch.stack(torch.meshgrid(CENTRES, CENTRES, indexing="xy"))


@pytest.fixture(scope="module")
def pipe():
    pipeline = build(SKETCH)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_latents_have_an_inverse_where_something_moves():
    generator = torch.Generator().manual_seed(0)
    moves = square(64, 16, 48)[None, None, None]
    cells = torch.randn(1, 4, 2, 32, 32, generator=generator)
    offset = F.interpolate(cells[0], scale_factor=2.0)[None] * 0.1  # the same over each cell, so nothing is lost
    guessed = 0.1 * torch.randn(1, 4, 2, 32, 32, generator=generator)
    field, moving = from_latents(to_latents(offset, moves, guessed, 16.0), guessed, 16.0)
    there = coarse(offset, moves.expand(-1, 4, -1, -1, -1))[1][0, 0, 0] > 0
    torch.testing.assert_close(field[0][..., there], 0.1 * cells[0][..., there], atol=1e-5, rtol=0)
    torch.testing.assert_close(moving[0], there.float())


def test_each_part_is_guessed_to_follow_its_drag_and_to_grow_or_turn_about_it():
    masks = torch.stack([square(32, 4, 12), square(32, 20, 28)])[None]
    drags = torch.tensor([[[[0.2, 0.2], [0.4, 0.2]], [[0.7, 0.7], [0.7, 0.9]]]])  # (1, 2, 2, 2)
    affine = torch.zeros(1, 2, 2, 2, 2)
    affine[0, 1, 1] = torch.tensor([[0.5, 0.0], [0.0, 0.0]])  # the second gets half as wide again, about its point
    guessed = guess(masks, drags, affine)[0, 1]
    torch.testing.assert_close(guessed[:, 8, 8], torch.tensor([0.2, 0.0]), atol=0.02, rtol=0)
    away = (24 + 0.5) / 32 - 0.7
    torch.testing.assert_close(guessed[:, 20, 24], torch.tensor([0.5 * away, 0.2]), atol=0.02, rtol=0)
    assert not guessed[:, 16, 16].any()


def test_a_picture_and_its_mirror_image_are_told_to_move_alike():
    codec, generator = build(SKETCH).vae.eval(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        codec.parts.affine.matrix[-1].weight.normal_(generator=generator)
        pictures, drags = torch.rand(2, 3, 64, 64, generator=generator) * 2 - 1, torch.rand(2, 5, 4, 2, generator=generator)
        own = codec.look(pictures, drags, torch.ones(2, 5))
        other = codec.look(pictures.flip(-1), drags * torch.tensor([-1, 1]) + torch.tensor([1, 0]), torch.ones(2, 5))
    torch.testing.assert_close(other.masks.flip(-1), own.masks, atol=1e-4, rtol=0)
    turned = other.guessed.flip(-1) * torch.tensor([-1, 1])[:, None, None]
    assert own.guessed.abs().max() > 0.1
    torch.testing.assert_close(turned, own.guessed, atol=1e-4, rtol=0)


def test_a_part_whose_drag_does_not_move_does_not_turn():
    head, generator = AffineHead((8, 16), 9).eval(), torch.Generator().manual_seed(0)
    torch.nn.init.normal_(head.matrix[-1].weight, generator=generator)
    points = torch.rand(2, 3, 2, generator=generator)
    *features, told = (torch.randn(2, c, s, s, generator=generator) for c, s in ((8, 16), (16, 8), (9, 64)))
    codes = head.codes(features, told, torch.rand(2, 3, 64, 64, generator=generator), points)
    still = points[:, :, None].expand(-1, -1, 4, -1)
    moving = still + torch.linspace(0, 0.1, 4)[:, None]
    with torch.no_grad():
        assert not head(codes, still).any()
        affine = head(codes, moving)
    assert not affine[:, :, 0].any() and affine[:, :, 1:].abs().sum((3, 4)).min() > 0


def test_a_part_turns_whole_and_through_its_drag():
    # A quarter of a radian about (0.25, 0.5), seen through noise: every pixel of the part lands where the turn takes it.
    hinge, angle, mask = torch.tensor([0.25, 0.5]), 0.25, square(64, 16, 48)
    turn = torch.tensor([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], dtype=torch.float32)
    away = places() - hinge.view(2, 1, 1)
    exact = torch.einsum("ij,jyx->iyx", turn, away) - away
    noise = torch.randn(2, 64, 64, generator=torch.Generator().manual_seed(0))
    noisy = torch.stack([torch.zeros_like(exact), exact + 0.004 * noise])
    start = torch.tensor([0.7, 0.6])
    drag = torch.stack([start, hinge + turn @ (start - hinge)])
    motion = anchored(noisy, mask, mask[None], drag[None])
    found = motion.fields[0]
    assert (found[1] - exact).square().sum(0).sqrt()[mask > 0].max() < 0.003  # below the noise; a pixel is 0.016
    at = F.grid_sample(found, (2 * start - 1).view(1, 1, 1, 2).expand(2, -1, -1, -1), align_corners=False)[1, :, 0, 0]
    torch.testing.assert_close(at, drag[1] - drag[0], atol=1e-5, rtol=0)


def test_a_field_is_carried_on_beyond_what_moves():
    offset = torch.ones(1, 2, 64, 64) * torch.tensor([0.1, -0.2]).view(1, 2, 1, 1)
    torch.testing.assert_close(spread(offset, square(64, 30, 34)), offset, atol=1e-3, rtol=0)


def test_whole_pixels_are_carried_exactly_and_the_nearer_is_seen():
    picture = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(0))
    mask = square(16, 4, 8)
    offset = torch.zeros(1, 2, 16, 16)
    offset[0, 0] = 3  # pixels to the right
    carried, covered = splat(picture, offset, mask, torch.zeros(1, 16, 16))
    torch.testing.assert_close(carried[0, :, 4:8, 7:11], picture[:, 4:8, 4:8])
    expected = torch.zeros(16, 16)
    expected[4:8, 7:11] = 1
    torch.testing.assert_close(covered[0, 0], expected)
    # Two pixels arrive at the same place: the one of higher order is seen; behind what stays nothing is.
    both = torch.zeros(16, 16)
    both[0, 0] = both[0, 2] = 1
    offset[:] = 0
    offset[0, 0, 0, 0], offset[0, 0, 0, 2] = 1, -1
    order = torch.zeros(1, 16, 16)
    order[0, 0, 2] = 1
    carried, _ = splat(picture, offset, both, order)
    torch.testing.assert_close(carried[0, :, 0, 1], picture[:, 0, 2])
    _, covered = splat(picture, offset, both, order, torch.full((1, 16, 16), 5.0))
    assert not covered.any()


def test_a_part_that_grows_has_no_holes():
    # Twice as large about the middle: each pixel is spread over four.
    offset = (places() - 0.5)[None] * 64
    _, covered = splat(torch.rand(3, 64, 64), offset, square(64, 24, 40), torch.zeros(1, 64, 64))
    assert covered[0, 0, 18:46, 18:46].min() > 0.95


@pytest.mark.parametrize("size", [64, 128, 256])
def test_the_painter_leaves_alone_what_nothing_touches(size):
    picture = torch.rand(3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    mask, offset = square(size, size // 4, size // 2), torch.zeros(2, 2, size, size)
    offset[1, 0] = 0.25
    moved = Moved.of(picture, offset, mask, torch.zeros(2, size, size))
    with torch.no_grad():
        frames = Painter((8, 16, 16), 8)(moved)
    assert frames.shape == (2, 3, size, size)
    away = torch.ones(size, size, dtype=torch.bool)
    away[size // 4 - 3 : size // 2 + 3, size // 4 - 3 : 3 * size // 4 + 3] = False
    assert torch.equal(frames[1][:, away], picture[:, away]) and not torch.equal(frames[1], picture)


def test_what_may_be_black_or_white_is_not_painted_grey():
    """A bare square under one that left; of two colours, one is a little likelier at the left and the other at the right."""
    picture, mask, offset = torch.ones(3, 64, 64), square(64, 16, 32), torch.zeros(1, 2, 64, 64)
    offset[0, 1] = 0.5
    moved = Moved.of(picture, offset, mask, torch.zeros(1, 64, 64))
    colours = torch.stack([-torch.ones(3, 64, 64), torch.ones(3, 64, 64)] + [torch.zeros(3, 64, 64)] * MODES)[None]
    odds = torch.full((1, MODES + 2, 64, 64), -9.0)
    odds[:, 0, :, :24], odds[:, 0, :, 24:], odds[:, 1, :, :24], odds[:, 1, :, 24:] = 2, 0, 0, 2
    painted = shown(moved, colours, odds)[0, :, 18:30, 18:30]
    assert painted[..., :6].max() < -0.99 and painted[..., 6:].min() > 0.99


def test_what_a_part_passes_near_may_stay_as_the_picture_has_it():
    picture, mask, offset = torch.rand(3, 64, 64) * 2 - 1, square(64, 16, 32), torch.zeros(1, 2, 64, 64)
    offset[0, 0] = 0.5
    moved = Moved.of(picture, offset, mask, torch.zeros(1, 64, 64))
    painter = Painter((8, 16, 16), 8)
    with torch.no_grad():
        torch.nn.init.zeros_(painter.head.weight)
        painter.head.bias.copy_(torch.tensor([*[0.0] * 4 * MODES, 0.0, 0.0, 1.0, *[0.0] * 3]).repeat_interleave(4))  # its odds e⁶
        frame = painter(moved)[0]
    near = (moved.touched[0, 0] > 0) & (moved.covered[0, 0] == 0) & (around(mask[None])[0] == 0)
    assert (moved.swept[0, 0, near] == 1).any()  # among them what would be painted
    torch.testing.assert_close(frame[:, near], picture[:, near])
    left = around(mask[None])[0] > 0
    assert not torch.allclose(frame[:, left], picture[:, left])  # what left is no more what it was, nor are its edges


def test_what_moved_takes_a_shade_and_keeps_its_edges():
    """A square of noise goes half the width to the right and is told to be lighter by 0.3."""
    picture, mask, offset = torch.rand(3, 64, 64) - 0.5, square(64, 16, 32), torch.zeros(1, 2, 64, 64)
    offset[0, 0] = 0.5
    moved = Moved.of(picture, offset, mask, torch.zeros(1, 64, 64))
    painter = Painter((8, 16, 16), 8)
    with torch.no_grad():
        torch.nn.init.zeros_(painter.head.weight)
        painter.head.bias.copy_(torch.tensor([*[0.0] * 4 * MODES, 0.0, 1.0, 0.0, *[0.3] * 3]).repeat_interleave(4))
        frame = painter(moved)[0]
    torch.testing.assert_close(frame[:, 16:32, 48:64], picture[:, 16:32, 16:32] + 0.3, atol=0.02, rtol=0)


@pytest.mark.parametrize("over", [True, False])
def test_a_part_that_turns_over_shows_its_back_which_may_be_painted(over):
    """A square that is mirrored in place, as a page that is turned; or that moves a little."""
    picture, mask, offset = torch.rand(3, 64, 64) - 0.5, square(64, 16, 32), torch.full((1, 2, 64, 64), 2 / 64)
    if over:
        offset = torch.zeros(1, 2, 64, 64)
        offset[0, 0] = 2 * (24 - (torch.arange(64) + 0.5)) / 64
    moved = Moved.of(picture, offset, mask, torch.zeros(1, 64, 64))
    inside = (moved.covered[0, 0] > 0.99) & (around(1 - mask[None])[0] == 0)
    assert inside.any() and (moved.turned[0, 0, inside] == float(over)).all()
    painter = Painter((8, 16, 16), 8)
    with torch.no_grad():
        torch.nn.init.zeros_(painter.head.weight)  # every colour 0.9, and all of it shown wherever it may be
        painter.head.bias.copy_(torch.tensor([*[0.9] * 3 * MODES, *[1.0] * MODES, 20.0, *[0.0] * 5]).repeat_interleave(4))
        frame = painter(moved)[0]
    assert torch.allclose(frame[:, inside], torch.tensor(0.9), atol=0.01) == over


def test_what_was_swept_over_is_painted_or_left_as_one():
    """A square that went far right: in the band between, painting leads by little in three rows of four, and lags in one."""
    picture, offset = torch.ones(3, 64, 64), torch.zeros(1, 2, 64, 64)
    offset[0, 0] = 0.5
    moved = Moved.of(picture, offset, square(64, 16, 32), torch.zeros(1, 64, 64))
    odds = torch.full((1, MODES + 2, 64, 64), -9.0)
    odds[:, 0], odds[:, -1] = 0.5, 0
    odds[:, -1, ::4] = 1
    band = decided(odds, moved)[0, :, 18:30, 36:46]
    assert (band[0] > band[-1]).all()
    where_it_left = around(square(64, 16, 32)[None])[0] > 0
    torch.testing.assert_close(decided(odds, moved)[0, :, where_it_left], odds[0, :, where_it_left])


@pytest.mark.parametrize("size", [64, 256])
def test_what_a_part_sweeps_over_has_no_steps(size):
    """A square goes a third of the width across and down: between its first and last place, the band between two diagonals."""
    offset = torch.full((1, 2, size, size), 0.35)
    swept = swept_over(offset, square(size, size // 8, 3 * size // 8))[0, 0]
    across, down = (torch.arange(size) + 0.5) / size, (torch.arange(size) + 0.5)[:, None] / size
    ahead, low = across - down, torch.minimum(across, down)
    inside = (ahead.abs() < 0.25 - 3 / 64) & (low > 0.2) & (torch.maximum(across, down) < 0.65)
    assert inside.any() and swept[inside].min() > 0.9
    assert swept[ahead.abs() > 0.25 + 3 / 64].max() < 0.1


@pytest.mark.parametrize("size", [128, 256])
def test_a_mask_gets_the_edges_of_the_picture(size):
    truth = square(size, size // 4, size // 2) > 0
    picture = torch.where(truth, torch.tensor([0.5, -0.2, 0.1])[:, None, None], torch.tensor([0.3, 0.2, -0.4])[:, None, None])
    blurred = F.avg_pool2d(F.avg_pool2d(square(size, size // 4, size // 2)[None], size // 64)[:, None], 3, 1, 1)[:, 0]
    found = snap(blurred, Guide.of(picture))[0]
    assert found.shape == (size, size)
    assert torch.equal(found > 0.5, truth)
    nothing = Guide.of(torch.zeros_like(picture))
    plain = snap(blurred, nothing)[0] > 0.5  # a picture that tells nothing leaves a mask about where it was
    assert overlap(plain.numpy(), truth.numpy()) > 0.85


@pytest.mark.parametrize(("side", "made"), [(40, 64), (64, 64), (100, 128), (400, 256)])
def test_a_picture_moves_at_the_first_size_that_holds_it(pipe, side, made):
    picture = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    drags = Drags(np.array([[[0.5, 0.5], [0.7, 0.5]]], np.float32))
    video = pipe(picture, drags, seed=0)
    assert video.frames.shape == (4, made, made, 3)
    if side == made:
        np.testing.assert_array_equal(video.frames[0], picture)
    again = pipe(picture, drags, seed=0)
    np.testing.assert_array_equal(again.frames, video.frames)


def test_motion_can_be_asked_for_and_a_saved_model_makes_the_same(pipe, tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    drags = [Drags(np.array([[[0.3, 0.5], [0.7, 0.5]]], np.float32)), None]
    motions = pipe(picture, drags, seed=[0, 1], output_type="motion")
    assert [motion.fields.shape[1:] for motion in motions] == [(4, 2, 64, 64)] * 2
    with pytest.raises(ValueError, match="got output_type='latent', expected video, pt, motion"):
        pipe(picture, output_type="latent")
    pipe.save_pretrained(tmp_path / "model")
    loaded = PuppetMasterPipeline.from_pretrained(tmp_path / "model")
    loaded.set_progress_bar_config(disable=True)
    np.testing.assert_array_equal(loaded(picture, drags[0], seed=0).frames, pipe(picture, drags[0], seed=0).frames)


def test_guidance_goes_away_from_a_video_that_knows_no_drags(pipe):
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    drags = Drags(np.array([[[0.5, 0.5], [0.7, 0.5]]], np.float32))
    plain, guided = (pipe(picture, drags, seed=0, max_guidance=g, output_type="motion")[0].fields for g in (1.0, 3.0))
    assert not torch.equal(plain, guided)


def test_modules_of_other_latents_are_refused(pipe):
    other = build(SMOKE)
    with pytest.raises(ModelError, match="for motion latents, expected"):
        PuppetMasterPipeline(pipe.vae, other.image_encoder, other.unet, other.scheduler)
    with pytest.raises(ModelError, match="input channels"):
        PuppetMasterPipeline(other.vae, pipe.image_encoder, pipe.unet, pipe.scheduler)
