"""Drags: the file format, its errors, resampling, pixels, near duplicates."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from puppetmaster_core.drags import FORMAT, DragError, Drags, resample_path

coordinates = st.floats(-0.5, 1.5, width=32)
shapes = st.tuples(st.integers(1, 4), st.integers(2, 6), st.just(2))
some_drags = shapes.flatmap(lambda shape: arrays(np.float32, shape, elements=coordinates)).map(Drags)


def record(**changes):
    """A valid drag file as a dictionary, with some entries replaced."""
    drags = [{"points": [[64, 32], [128, 32]]}]
    return {"format": FORMAT, "image_size": [256, 128], "drags": drags} | changes


def drag(*points):
    return {"drags": [{"points": list(points)}]}


def test_two_points_make_a_straight_drag():
    drags = Drags.from_json(record(), frames=5)
    assert len(drags) == 1 and drags.frames == 5 and drags.points.dtype == np.float32
    np.testing.assert_array_equal(drags.points[0, :, 0], [0.25, 0.3125, 0.375, 0.4375, 0.5])
    np.testing.assert_array_equal(drags.points[0, :, 1], [0.25] * 5)


def test_paths_of_different_lengths_are_resampled_by_time_not_by_length():
    slow_then_fast = [[0, 0], [10, 0], [110, 0]]
    two = {"drags": [{"points": slow_then_fast}, {"points": [[0, 0], [0, 128]]}]}
    x = Drags.from_json(record(**two), frames=5).pixels((256, 128))[0, :, 0]
    np.testing.assert_allclose(x, [0, 5, 10, 60, 110], atol=1e-4)


def test_sizes_written_as_floats_are_whole_pixels_all_the_same():
    np.testing.assert_array_equal(Drags.from_json(record(image_size=[256.0, 128.0])).points, Drags.from_json(record()).points)


def test_read_from_path_text_and_dictionary(tmp_path):
    path = tmp_path / "door.json"
    path.write_text(json.dumps(record()), encoding="utf-8-sig")  # some editors begin a file with a byte-order mark
    read = [Drags.from_json(source).points for source in (path, str(path), json.dumps(record()), record())]
    assert all(np.array_equal(read[0], points) for points in read)


@given(some_drags, st.tuples(st.integers(1, 4000), st.integers(1, 4000)))
def test_json_round_trip_is_exact(drags, image_size):
    again = Drags.from_json(drags.to_json(image_size=image_size), frames=drags.frames)
    np.testing.assert_array_equal(again.points, drags.points)


def test_drags_are_written_to_a_file(tmp_path):
    drags = Drags.from_json(record())
    text = drags.to_json(tmp_path / "door.json", image_size=(256, 128))
    assert json.loads(text)["image_size"] == [256, 128]
    assert np.array_equal(Drags.from_json(tmp_path / "door.json").points, drags.points)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (record(format="puppetmaster.drags/2"), "\"format\" as 'puppetmaster.drags/2', expected"),
        ("[1, 2]", "[1, 2], expected an object"),
        ('{"format": ', "not valid JSON (line 1, column 12)"),
        ("no/such/file.json", "no/such/file.json: no such file, expected"),
        (record(image_size=[256, 0]), "image_size as [256, 0], expected [width, height] in whole pixels"),
        (record(image_size=[96.5, 64.0]), "image_size as [96.5, 64.0]"),
        (record(drags=[]), "no drags, expected at least one: draw one"),
        (record(drags={}), '"drags" as {}, expected a list'),
        (record(**drag([1, 2])), '"points" of drag 1 of shape (1, 2), expected at least two [x, y] pairs'),
        (record(**drag([1, 2], [3])), '"points" of drag 1 as [[1, 2], [3]], expected [x, y] pairs of numbers'),
        (record(**drag([1, 2], ["3", 4])), "\"points\" of drag 1 as [[1, 2], ['3', 4]], expected"),
        (record(**drag([1, 2], [float("nan"), 4])), "point 2 of drag 1 is (nan, 4), expected finite numbers"),
        (record(**drag([1, 2], [1e300, 4])), "drag 1 is at (inf, 0.0168269) in frame 2, expected finite numbers"),
    ],
)
def test_bad_files_say_what_came_in_one_line(source, message):
    with pytest.raises(DragError) as caught:
        Drags.from_json(source)
    assert str(caught.value).removeprefix("got ").startswith(message)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "door.json"
    path.write_text(json.dumps(record(drags=[])))
    with pytest.raises(DragError, match=r"door\.json: got no drags"):
        Drags.from_json(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DragError, match=r"door\.json: cannot be read \(not text\)"):
        Drags.from_json(path)
    with pytest.raises(DragError, match="cannot be read"):
        Drags.from_json(tmp_path)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((0, 14, 2)), "no drags"),
        (np.zeros((14, 2)), r"shape \(14, 2\), expected \(K drags, N frames, 2\)"),
        (np.zeros((1, 1, 2)), "1 frames, expected at least 2"),
        (np.full((1, 2, 2), np.nan), r"drag 1 is at \(nan, nan\) in frame 1"),
        (np.array([[["a", "b"], ["c", "d"]]]), r"points as array\(\[\[\['a', 'b'\], \['c', 'd'\]\]\]"),
    ],
)
def test_bad_points(points, message):
    with pytest.raises(DragError, match=message):
        Drags(points)


def test_points_are_copied_and_read_only():
    points = np.zeros((1, 2, 2), np.float32)
    drags = Drags(points)
    points += 1
    assert drags.points.max() == 0
    with pytest.raises(ValueError, match="read-only"):
        drags.points[0, 0, 0] = 1


@given(some_drags, st.integers(2, 40))
def test_resampling_keeps_ends_and_stays_between_neighbours(drags, frames):
    resampled = drags.resample(frames)
    assert resampled.frames == frames
    np.testing.assert_array_equal(resampled.points[:, [0, -1]], drags.points[:, [0, -1]])
    assert resampled.points.min() >= drags.points.min() and resampled.points.max() <= drags.points.max()
    np.testing.assert_array_equal(drags.resample(drags.frames).points, drags.points)


@given(some_drags, st.integers(2, 9))
def test_resampling_agrees_with_numpy(drags, frames):
    path = drags.points[0].astype(float)
    ticks, times = np.arange(len(path)), np.linspace(0, len(path) - 1, frames)
    expected = np.stack([np.interp(times, ticks, path[:, axis]) for axis in (0, 1)], axis=1)
    np.testing.assert_allclose(resample_path(path, frames), expected, atol=1e-12)


def test_resampling_needs_two_frames():
    with pytest.raises(DragError, match="got 1 frames to make"):
        Drags.from_json(record(), frames=1)


@given(some_drags, st.tuples(st.integers(1, 4000), st.integers(1, 4000)))
def test_pixels_and_back(drags, image_size):
    np.testing.assert_array_equal(Drags.from_pixels(drags.pixels(image_size), image_size).points, drags.points)


def test_pixels_have_their_corner_at_the_pictures_corner():
    drags = Drags([[[0, 0], [0.5, 0.25], [1, 1]]])
    np.testing.assert_array_equal(drags.pixels((200, 100)), [[[0, 0], [100, 25], [200, 100]]])


def test_outside_the_picture():
    outside = [[1.2, 0.5], [1.1, 0.5]]
    entering = [[1.1, 0.5], [1.0, 0.5]]
    with pytest.raises(DragError, match=r"drag 1 lies outside the picture \(it starts at \(1\.2, 0\.5\), expected"):
        Drags([outside]).check_inside()
    with pytest.raises(DragError, match="outside"):
        Drags([[[-0.1, 0.5], [0.5, -0.1]]]).check_inside()
    with pytest.raises(DragError, match=r"drag 2 lies outside the picture \(it starts at \(240, 50\), expected .*\(200, 100\)"):
        Drags([entering, outside]).check_inside((200, 100))
    drags = Drags([entering, entering[::-1]])
    assert drags.check_inside() is drags


def test_a_slip_of_the_keyboard_is_no_far_away_point():
    """Beyond that, weights would give numbers that are not finite, and be blamed."""
    assert Drags([[[0.5, 0.5], [100, -100]]]).frames == 2
    with pytest.raises(DragError, match=r"drag 1 is at \(0.5, 4000\) in frame 2, in widths and heights of the picture, expected"):
        Drags([[[0.5, 0.5], [0.5, 4000]]])
    with pytest.raises(DragError, match=r'"points" of drag 1 as .*True.*, expected'):
        Drags.from_json({"format": "puppetmaster.drags/1", "image_size": [9, 9], "drags": [{"points": [[True, 1], [2, 3]]}]})


def at(x, frames=4, size=256):
    """A drag that stands still, x pixels from the left."""
    return [[x / size, 0.5]] * frames


def test_near_duplicates_by_hand():
    # Two drags d pixels apart in each of 4 frames: 4 d² ≤ 20 · 4 exactly when d ≤ √20 = 4.47.
    for distance, left in ((0, 1), (4.4, 1), (4.5, 2)):
        assert len(Drags([at(100), at(100 + distance)]).without_near_duplicates()) == left
    # The threshold itself still counts as near: 4² = 16.
    assert len(Drags([at(64), at(68)]).without_near_duplicates(threshold=16)) == 1
    assert len(Drags([at(64), at(68)]).without_near_duplicates(threshold=15.9)) == 2
    # At half the size every distance halves.
    assert len(Drags([at(100), at(108)]).without_near_duplicates(size=128)) == 1
    # Summed over frames: together at first, 9 px apart in the last of 4 frames, 81 > 80.
    apart = [*at(100)[:3], [109 / 256, 0.5]]
    assert len(Drags([at(100), apart]).without_near_duplicates()) == 2


def test_either_of_a_pair_goes_and_a_seed_decides():
    pair = Drags([at(100), at(102)])
    left = [pair.without_near_duplicates(generator=np.random.default_rng(seed)).points[0, 0, 0] for seed in range(200)]
    again = [pair.without_near_duplicates(generator=np.random.default_rng(seed)).points[0, 0, 0] for seed in range(200)]
    assert left == again
    assert 70 < sum(x == pair.points[0, 0, 0] for x in left) < 130  # a fair coin


@given(some_drags, st.integers(0, 5))
def test_no_two_near_drags_are_left_and_none_is_made_up(drags, seed):
    left = drags.without_near_duplicates(threshold=2000, generator=np.random.default_rng(seed))
    points = left.pixels((256, 256))
    for i in range(len(left)):
        assert any(np.array_equal(left.points[i], old) for old in drags.points)
        for j in range(i):
            assert ((points[i] - points[j]) ** 2).sum() > 2000 * left.frames


def test_tensors():
    drags = Drags(np.random.default_rng(0).random((2, 14, 2)))
    points, present = drags.tensors(5)
    assert points.shape == (5, 14, 2) and points.dtype == torch.float32
    assert present.tolist() == [True, True, False, False, False]
    np.testing.assert_array_equal(points[:2].numpy(), drags.points)
    assert not points[2:].any()


def test_more_drags_than_the_model_encodes():
    drags = Drags(np.zeros((12, 14, 2)))
    with pytest.raises(DragError) as caught:
        drags.tensors(5)
    assert str(caught.value) == "got 12 drags, this checkpoint encodes at most 5: draw fewer, or train with max_drags=12"
