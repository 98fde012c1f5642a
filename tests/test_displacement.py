"""Exact displacement: where the surface that a pixel of frame 1 shows is in every frame, held to worked cases."""

import numpy as np
import pytest
from test_render import slabs
from toys import FRONT

from puppetmaster_core.cli import main
from puppetmaster_core.clips.displacement import Displacement
from puppetmaster_core.clips.shards import ClipStore

RED, GREEN = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


def test_a_part_that_slides_is_displaced_as_the_camera_sees_it():
    # Front face at z = 0, 4 m away: X/2 of the picture a metre. A slide of 0.5 m to the right is a quarter of the width; then
    # 2 m towards the camera doubles the distance from the picture's middle.
    asset, vertices = slabs(((-0.25, -0.25, -0.1), (0.25, 0.25, 0.0), RED))
    positions = np.concatenate([vertices, vertices + np.array([0.5, 0, 0]), vertices + np.array([0, 0, 2.0])])
    field = Displacement.of(asset, positions, FRONT, 16)
    shown = field.parts == 0
    expected = np.zeros((16, 16), bool)
    expected[6:10, 6:10] = True  # X, Y in [-1/4, 1/4] are pixels 6 to 9
    np.testing.assert_array_equal(shown, expected)
    np.testing.assert_allclose(field.offset[1][shown], np.tile([0.25, 0], (16, 1)), atol=1e-3)
    rows, columns = np.nonzero(shown)
    from_middle = (np.stack([columns, rows], 1) + 0.5) / 16 - 0.5
    np.testing.assert_allclose(field.offset[2][shown], from_middle, atol=1e-3)
    np.testing.assert_allclose(field.depth[:, shown], np.repeat([[1.0], [1.0], [0.5]], 16, 1), atol=1e-3)  # of 4 m
    assert not field.offset[:, ~shown].any() and (field.parts[~shown] == -1).all()
    assert field.seen[:2, shown].all()


def test_what_goes_behind_another_part_is_not_seen():
    asset, vertices = slabs(((-0.9, -0.2, -0.6), (-0.5, 0.2, -0.5), RED), ((0.2, -0.5, 0.0), (0.9, 0.5, 0.1), GREEN))
    moved = vertices.copy()
    moved[:, np.unique(asset.faces[asset.submodel == 0])] += [1.2, 0, 0]
    field = Displacement.of(asset, np.concatenate([vertices, moved]), FRONT, 32)
    assert field.seen[0, field.parts == 0].all() and not field.seen[1, field.parts == 0].any()
    assert field.seen[:, field.parts == 1].all()


@pytest.mark.parametrize("size", [0, 16])
def test_render_stores_the_field_at_the_size_asked_for(tmp_path, size):
    main(["render", "library:lid", "--count", "2", "--size", "32", "--frames", "3", "--field-size", str(size), "--workers", "1",
          "--output", str(tmp_path / "clips")])
    clip = ClipStore(tmp_path / "clips")[0]
    assert clip.displacement.shape == ((3, 16, 16, 2) if size else (0, 0, 0, 2))
    assert clip.field_parts.shape == ((16, 16) if size else (0, 0))
