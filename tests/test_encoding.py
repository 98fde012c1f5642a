"""The drag encoding against a slow reference, worked examples and the authors' released code."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from puppetmaster_core.drags import Drags
from puppetmaster_core.encoding import cells, encode_drags, split_released

PARITY = Path(__file__).parents[2] / "shared" / "parity"
needs_parity = pytest.mark.skipif(not PARITY.is_dir(), reason="the parity fixtures are not in ../shared/parity")


def encode_drags_reference(points, present, grid, convention, max_drags, end_location):
    """Appendix A word by word: for every frame, drag and place, visit every pixel. points (K, N, 2), present (N, K)."""
    (h, w), (drags, frames) = grid, points.shape[:2]
    pairs = 3 if end_location else 2
    code = -torch.ones(frames, 2 * pairs * max_drags, h, w)
    for n in range(frames):
        for k in range(drags):
            for pair, (x, y) in enumerate((points[k, 0], points[k, n], points[k, -1])[:pairs]):
                for i in range(h):
                    for j in range(w):
                        if present[n, k] and i == cell_of(y * h, h, convention) and j == cell_of(x * w, w, convention):
                            channel = 2 * pairs * k + 2 * pair
                            first, second = (y * h - i, x * w - j) if convention == "paper" else (x * w - j, y * h - i)
                            code[n, channel, i, j], code[n, channel + 1, i, j] = first, second
    return code


def cell_of(position, cells_along, convention):
    cell = np.floor(position.item()) if convention == "paper" else round((position - 0.5).item())  # round: half to even
    return min(max(int(cell), 0), cells_along - 1)


@st.composite
def cases(draw):
    """Points, many of them exactly on borders of cells, presence frame by frame, a grid and settings."""
    h, w = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 4)), 2)
    on_borders = st.integers(-2, 2 * max(h, w)).map(lambda i: float(np.float32(i / (2 * max(h, w)))))
    points = draw(arrays(np.float32, shape, elements=st.floats(-0.5, 1.5, width=32) | on_borders))
    present = draw(arrays(bool, (shape[1], shape[0])))
    max_drags = draw(st.integers(shape[0], 4))
    convention = draw(st.sampled_from(["paper", "released"]))
    return torch.tensor(points), torch.tensor(present), (h, w), convention, max_drags, draw(st.booleans())


@settings(max_examples=60, deadline=None)
@given(cases())
def test_matches_the_slow_reference_and_its_gradient(case):
    points, present, grid, convention, max_drags, end_location = case
    fast_points, slow_points = points.clone().requires_grad_(), points.clone().requires_grad_()
    fast = encode_drags(fast_points, grid, convention, max_drags, present, end_location)
    slow = encode_drags_reference(slow_points, present, grid, convention, max_drags, end_location)
    assert torch.equal(fast, slow)
    weights = torch.randn(fast.shape, generator=torch.Generator().manual_seed(0))
    (fast * weights).sum().backward()
    ((slow * weights).sum() + 0 * slow_points.sum()).backward()  # a gradient even where all drags are absent
    torch.testing.assert_close(fast_points.grad, slow_points.grad)


def test_one_drag_by_hand():
    # In cells of the 4×8 grid, (x, y): u = (2.25, 1.5), v² = (4, 1.5), v^N = v³ = (7.75, 3.5).
    points = torch.tensor([[[2.25, 1.5], [4.0, 1.5], [7.75, 3.5]]]) / torch.tensor([8, 4])
    code = encode_drags(points, (4, 8), max_drags=2)
    assert code.shape == (3, 12, 4, 8)
    assert code[1, 0:2, 1, 2].tolist() == [0.5, 0.25]  # u: (h, w) inside cell (1, 2)
    assert code[1, 2:4, 1, 4].tolist() == [0.5, 0.0]  # v²
    assert code[1, 4:6, 3, 7].tolist() == [0.5, 0.75]  # v^N
    assert (code[1] != -1).sum() == 6 and (code[:, 6:] == -1).all()
    assert encode_drags(points, (4, 8), "released", 2)[1, 4:6, 3, 7].tolist() == [0.75, 0.5]  # (x, y)


def test_borders_of_cells_fall_to_different_sides():
    x = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0]) / 4
    points = torch.stack([x, torch.full_like(x, 0.1)], dim=-1)
    (_, paper), (_, paper_offset) = cells(points, 4, "paper")
    (_, released), (_, released_offset) = cells(points, 4, "released")
    assert paper.tolist() == [0, 1, 2, 3, 3] and paper_offset.tolist() == [0, 0, 0, 0, 1]
    assert released.tolist() == [0, 0, 2, 2, 3] and released_offset.tolist() == [0, 1, 0, 1, 1]


@pytest.mark.parametrize("convention", ["paper", "released"])
def test_a_point_outside_keeps_its_position_in_the_nearest_cell(convention):
    points = torch.tensor([[[0.5, 0.5], [1.5, -0.25]]])
    code = encode_drags(points, 4, convention)
    (i, j), offset = (0, 3), {"paper": [-1.0, 3.0], "released": [3.0, -1.0]}[convention]
    assert code[1, 2:4, i, j].tolist() == offset


def test_batches_presence_and_drags_objects_agree():
    drags = Drags(np.random.default_rng(0).random((3, 6, 2)))
    one = encode_drags(drags, 8)
    assert one.shape == (6, 30, 8, 8) and one.dtype == torch.float32
    points, present = drags.tensors(5)
    batch = encode_drags(points.expand(2, 4, 5, 6, 2), 8, present=present.expand(2, 4, 5))
    assert batch.shape == (2, 4, 6, 30, 8, 8) and torch.equal(batch[1, 2], one)
    assert torch.equal(encode_drags(points, 8, present=present.expand(6, 5)), one)
    assert (encode_drags(points, 8, present=torch.zeros(5, dtype=torch.bool)) == -1).all()
    without_end = encode_drags(drags, 8, end_location=False)
    assert torch.equal(without_end.unflatten(1, (5, 4)), one.unflatten(1, (5, 6))[:, :, :4])
    assert encode_drags(points.double(), 8, present=present).dtype == torch.float64


def test_absent_in_some_frames_only():
    drags = Drags(np.random.default_rng(0).random((2, 4, 2)))
    present = torch.tensor([[True, False], [True, True], [False, True], [True, True]])
    code, full = encode_drags(drags, 8, present=present, max_drags=2), encode_drags(drags, 8, max_drags=2)
    shown = present.repeat_interleave(6, dim=1)
    assert torch.equal(code[shown], full[shown]) and (code[~shown] == -1).all()


def test_errors():
    points = torch.zeros(2, 3, 14, 2)
    with pytest.raises(ValueError, match="convention as 'papers', expected one of paper, released"):
        encode_drags(points, 8, "papers")
    with pytest.raises(ValueError, match=r"present of shape \(3,\), expected \(2, 3\) or, frame by frame, \(2, 14, 3\)"):
        encode_drags(points, 8, present=torch.ones(3))
    with pytest.raises(ValueError, match=r"points as torch.bfloat16 \(2, 3, 14, 2\)"):
        encode_drags(points.bfloat16(), 8)


def test_compiles_without_a_graph_break():
    points, present = torch.rand(2, 5, 14, 2), torch.ones(2, 5, dtype=torch.bool)
    compiled = torch.compile(encode_drags, fullgraph=True, backend="eager")
    assert torch.equal(compiled(points, 8, present=present), encode_drags(points, 8, present=present))


def test_split_released_by_hand():
    drags = torch.zeros(4, 3, 4)
    drags[:, 0] = torch.tensor([0.1, 0.2, 0.3, 0.4])
    drags[0, 0, 2:] = drags[0, 0, :2]
    drags[2:, 2] = torch.tensor([0.5, 0.6, 0.7, 0.8])  # slot 2 is empty, the drag in slot 3 begins in frame 3
    points, present = split_released(drags)
    assert points.shape == (3, 4, 2)
    assert present.tolist() == [[True, False, False]] * 2 + [[True, False, True]] * 2
    assert present.any(-2).tolist() == [True, False, True]
    torch.testing.assert_close(points[0], torch.tensor([[0.1, 0.2]] + [[0.3, 0.4]] * 3))
    torch.testing.assert_close(points[2], torch.tensor([[0.5, 0.6], [0, 0], [0.7, 0.8], [0.7, 0.8]]))


@needs_parity
@pytest.mark.parametrize("case", ["a_five_drags_b1", "b_fewer_drags_b2", "c_cfg_pair", "f_edge_coordinates"])
def test_equals_the_released_encoding_of_the_parity_cases(case):
    from safetensors.torch import load_file

    tensors = load_file(PARITY / f"case_{case}.safetensors")
    points, present = split_released(tensors["in.drags"])
    for size in (32, 16, 8):
        assert torch.equal(encode_drags(points, size, "released", present=present), tensors[f"encoding.{size}"])


@needs_parity
def test_equals_the_released_encoding_of_real_test_drags():
    from safetensors.torch import load_file

    tensors = load_file(PARITY / "drag_encodings.safetensors")
    names = {name.split(".")[0] for name in tensors}
    assert len(names) == 7
    for name in names:
        points, present = split_released(tensors[f"{name}.drags"])
        for size in (32, 16, 8):
            expected = tensors[f"{name}.encoding.{size}"]
            assert torch.equal(encode_drags(points, size, "released", present=present), expected)
