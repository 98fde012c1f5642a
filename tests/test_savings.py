"""Work that is spared changes no result: each saving against the network without it, in float64."""

from dataclasses import replace

import pytest
import torch
from networks import SHAPES, THREE_LEVELS, drags, inputs, network, trained

from puppetmaster_core.bench import counted
from puppetmaster_core.model import DragConditioning
from puppetmaster_core.model.released import RELEASED

EXACT = {"rtol": 0, "atol": 1e-12}
CONVENTIONS = {
    "paper": {},
    "released": {name: RELEASED[name] for name in RELEASED if name != "num_frames"},
    "no tokens": {"drag_tokens": False},
    "middle without drags": {"modulate_mid": False},
    "static reference": {"attention": "static_reference"},
}


def guided(net, batch, frames, size, blank=False) -> DragConditioning:
    some = net.condition(*drags(batch, frames), size)
    return DragConditioning.cat([net.null_conditioning(batch, frames, size, blank), some])


def pair(batch, frames, h, w, blank=False):
    args = [torch.cat([x, x]) for x in inputs(batch, frames, h, w, torch.float64)]
    args[2][:batch] *= not blank
    return args


@pytest.mark.parametrize("blank", [False, True], ids=["picture", "blank"])
@pytest.mark.parametrize("convention", CONVENTIONS)
@torch.no_grad()
def test_the_branch_without_drags_costs_less_and_says_the_same(convention, blank):
    net = trained(network(torch.float64, THREE_LEVELS, **CONVENTIONS[convention]))
    args, conditioning = pair(2, 3, 8, 6, blank), guided(net, 2, 3, (8, 6), blank)
    assert conditioning.undragged == 2
    results = []
    for one in (conditioning, replace(conditioning, undragged=0, positions=None)):
        results.append(counted(lambda one=one: net(*args, one).sample))
    (fast, fewer), (slow, more) = results
    torch.testing.assert_close(fast, slow, **EXACT)
    assert fewer < more
    with torch.enable_grad():  # where gradients are wanted there is no shortcut at all
        torch.testing.assert_close(net(*args, conditioning).sample, slow, **EXACT)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@torch.no_grad()
def test_positions_of_frames_once_per_video(shape):
    net = trained(network(torch.float64))
    args, conditioning = inputs(*shape, torch.float64), net.condition(*drags(*shape[:2]), shape[2:])
    wanted = net(*args, replace(conditioning, positions=None)).sample
    torch.testing.assert_close(net(*args, conditioning).sample, wanted, **EXACT)


@torch.no_grad()
def test_a_static_reference_is_prepared_once(monkeypatch):
    net = trained(network(torch.float64, attention="static_reference"))
    args, conditioning = inputs(2, 3, 8, 6, torch.float64), net.condition(*drags(2, 3), (8, 6))
    wanted = net(*args, conditioning).sample
    ready = net.prepare(conditioning)
    assert (ready.batch, ready.points.shape[0]) == (2, 4) and net.prepare(ready) is ready
    monkeypatch.setattr(net, "condition", None)  # nothing is computed again
    assert torch.equal(net(*args, ready).sample, wanted)
    with pytest.raises(ValueError, match="join first, then prepare"):
        DragConditioning.cat([ready, ready])


def test_what_is_known_of_a_branch_survives_joining_and_moving():
    net = network()
    null, some = net.null_conditioning(2, 3, (8, 8)), net.condition(*drags(1, 3), (8, 8))
    assert DragConditioning.cat([null, null, some, null]).undragged == 4  # those in front
    assert DragConditioning.cat([some, null]).undragged == 0
    blank = net.null_conditioning(2, 3, (8, 8), blank=True)
    assert [DragConditioning.cat(parts).blank for parts in ([blank, some], [blank, null], [some, blank])] == [True, False, False]
    moved = DragConditioning.cat([blank, some]).to(dtype=torch.float64)
    assert moved.undragged == 2 and moved.blank and moved.positions[0].dtype == torch.float64
