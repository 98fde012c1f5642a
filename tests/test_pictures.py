"""Pictures of any kind become the same upright RGB, and the padded square never squashes them."""

import random

import numpy as np
import pytest
import torch
from PIL import Image

from puppetmaster_core.drags import Drags
from puppetmaster_core.pictures import (
    CLIP_MEAN,
    CLIP_STD,
    PictureError,
    Placement,
    clip_pixels,
    open_picture,
    to_frames,
    to_tensor,
)

RED, WHITE = (255, 0, 0), (255, 255, 255)


@pytest.fixture
def colours():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8))


def test_every_way_to_give_a_picture_is_the_same(colours, tmp_path):
    path = tmp_path / "picture.png"
    colours.save(path)
    for source in (path, str(path), colours, np.asarray(colours), np.asarray(colours) / 255):
        assert np.array_equal(open_picture(source), colours)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F", "HSV"])
def test_any_mode_is_read(mode):
    picture = Image.new("L", (4, 3), 255).convert(mode) if mode not in ("I;16", "I", "F") else None
    if picture is None:
        value, kind = {"I;16": (65535, np.uint16), "I": (65535, np.int32), "F": (1.0, np.float32)}[mode]
        picture = Image.fromarray(np.full((3, 4), value, kind))
        assert picture.mode == mode
    opened = open_picture(picture)
    assert (opened.mode, opened.size) == ("RGB", (4, 3))
    assert np.asarray(opened).min() > 240


def test_sixteen_bits_keep_their_greys(tmp_path):
    grey = np.array([[0, 257 * 100, 257 * 200, 65535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / "deep.png")
    assert np.array_equal(np.asarray(open_picture(tmp_path / "deep.png"))[0, :, 0], [0, 100, 200, 255])
    assert np.array_equal(np.asarray(open_picture(grey))[0, :, 0], [0, 100, 200, 255])


def test_transparency_is_put_on_white(tmp_path):
    picture = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    picture.putpixel((1, 0), (255, 0, 0, 128))
    assert np.array_equal(np.asarray(open_picture(picture))[0], [WHITE, (255, 127, 127)])
    palette = Image.new("P", (2, 1))
    palette.putpalette([255, 0, 0, 0, 0, 255])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "holes.gif", transparency=1)
    assert np.array_equal(np.asarray(open_picture(tmp_path / "holes.gif"))[0], [RED, WHITE])


def test_a_picture_lying_on_its_side_is_turned_upright(tmp_path):
    picture = Image.new("RGB", (3, 2), WHITE)
    picture.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to show
    picture.save(tmp_path / "turned.png", exif=exif)
    upright = open_picture(tmp_path / "turned.png")
    assert upright.size == (2, 3) and upright.getpixel((1, 0)) == RED


def test_of_an_animated_picture_frame_1_is_taken(tmp_path):
    Image.new("RGB", (2, 2), RED).save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("RGB", (2, 2), WHITE)])
    assert open_picture(tmp_path / "a.gif").getpixel((0, 0)) == RED


@pytest.mark.parametrize(
    "source, message",
    [
        ("missing.png", "no such file"),
        (".", "cannot be read"),
        (np.zeros((2, 2, 5), np.uint8), "shape"),
        (np.zeros((0, 2, 3), np.uint8), "shape"),
        (np.zeros((2, 2), np.int64), "int64"),
        (None, "NoneType"),
    ],
)
def test_what_is_no_picture_is_refused(source, message):
    with pytest.raises(PictureError, match=message):
        open_picture(source)


SAVED = {
    "a.png": {}, "a.gif": {}, "a.jpg": {}, "a.bmp": {}, "a.dds": {}, "b.dds": {"pixel_format": "DXT1"}, "a.webp": {},
    "a.tif": {}, "b.tif": {"compression": "tiff_lzw"}, "c.tif": {"compression": "tiff_adobe_deflate"},
}


@pytest.mark.parametrize("name", SAVED)
def test_damaged_bytes_are_picture_errors_or_pictures(name, tmp_path):
    y, x = np.mgrid[:32, :48]
    turned, rng, path = Image.Exif(), random.Random(0), tmp_path / name
    turned[0x0112] = 6
    exif = {} if name.endswith(("gif", "bmp", "dds")) else {"exif": turned}
    Image.fromarray(np.stack([5 * x, 7 * y, x * y // 8], -1).astype(np.uint8)).save(path, **SAVED[name], **exif)
    whole, refused = path.read_bytes(), 0
    for _ in range(60):
        damaged = bytearray(whole[: rng.randrange(len(whole))] if rng.random() < 0.2 else whole)
        for _ in range(min(rng.choice((1, 4, 16)), len(damaged))):
            damaged[rng.randrange(min(len(damaged), rng.choice((64, len(damaged)))))] = rng.choice((0, 255, rng.randrange(256)))
        path.write_bytes(damaged)
        try:
            assert open_picture(path).mode == "RGB"
        except PictureError as error:
            refused += 1
            assert "\n" not in str(error) and "expected" in str(error)
    assert refused


# ---- as tensors ------------------------------------------------------------------------------------------------------


def test_every_level_comes_back_from_a_tensor():
    frames = np.arange(256, dtype=np.uint8).repeat(3).reshape(2, 2, 8, 8, 3)
    tensor = to_tensor(frames)
    assert tensor.shape == (2, 2, 3, 8, 8) and tensor.dtype == torch.float32 and (tensor.min(), tensor.max()) == (-1, 1)
    assert np.array_equal(to_frames(tensor), frames)
    assert np.array_equal(to_frames(to_tensor(frames[:, :, ::-1])), frames[:, :, ::-1])
    beyond = torch.tensor([-7.0, 0.001, 7.0]).view(3, 1, 1)
    assert to_frames(beyond).tolist() == to_frames(beyond.bfloat16().requires_grad_()).tolist() == [[[0, 128, 255]]]


# ---- the square ------------------------------------------------------------------------------------------------------


def test_a_wide_picture_gets_white_above_and_below():
    placement = Placement.of((200, 100), 64)
    assert placement == Placement(64, 0, 16, 64, 32)
    square = np.asarray(placement.pad(Image.new("RGB", (200, 100), RED)))
    assert (square[:16] == 255).all() and (square[48:] == 255).all()
    assert (square[16:48] == RED).all()


@pytest.mark.parametrize("size", [(64, 64), (500, 500), (64, 40), (33, 64), (1000, 3), (1, 1)])
def test_cutting_gives_back_the_shape_of_the_picture(size):
    placement = Placement.of(size, 64)
    assert placement.pad(Image.new("RGB", size, RED)).size == (64, 64)
    height, width = placement.cut(np.zeros((2, 64, 64, 3), np.uint8)).shape[1:3]
    assert (width, height) == (placement.width, placement.height) and max(width, height) == 64
    assert abs(width - 64 * size[0] / max(size)) <= 1 and abs(height - 64 * size[1] / max(size)) <= 1


def test_drags_move_with_the_picture_into_the_square():
    drags = Drags.from_pixels([[[50, 25], [200, 100]]], (200, 100))
    # 200×100 becomes 64×32 with 16 white rows above: (50, 25) → (16, 8 + 16), (200, 100) → (64, 32 + 16).
    inside = Placement.of((200, 100), 64).drags_in(drags)
    assert np.allclose(inside.pixels((64, 64)), [[[16, 24], [64, 48]]])
    tall = Placement.of((100, 200), 64).drags_in(Drags.from_pixels([[[50, 25], [0, 200]]], (100, 200)))
    assert np.allclose(tall.pixels((64, 64)), [[[32, 8], [16, 64]]])


# ---- what CLIP sees --------------------------------------------------------------------------------------------------


def test_clip_pixels_are_normalised_as_clips_own_processor_does():
    from transformers import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil()
    assert (tuple(processor.image_mean), tuple(processor.image_std)) == (CLIP_MEAN, CLIP_STD)
    pictures = torch.rand(2, 3, 24, 24)
    off = dict.fromkeys(("do_resize", "do_center_crop", "do_rescale"), False)
    wanted = processor(images=pictures, return_tensors="pt", **off).pixel_values
    assert torch.allclose(clip_pixels(pictures * 2 - 1, 24), wanted, atol=1e-5)


def test_clip_pixels_are_resized_without_aliasing():
    stripes = torch.ones(1, 3, 256, 256)
    stripes[..., ::2] = -1  # finer than 16 pixels can hold: grey
    grey = clip_pixels(torch.zeros(1, 3, 16, 16), 16)
    assert torch.allclose(clip_pixels(stripes, 16), grey, atol=0.05)
    assert clip_pixels(stripes, 224).shape == (1, 3, 224, 224)
