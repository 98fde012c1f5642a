"""What chapters share, `notebooks/lib`: drawings say what the network and clips are, scenes and costs what they are called."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from motion_models import SKETCH
from networks import TWO_LEVELS, drags, inputs, network
from toys import cabinet as filmed_cabinet

from lib import clip_figures, motion_figures, scenes
from lib import paper_figures as paper
from lib.architecture import stations
from lib.costs import answers_cost, seconds_an_asset, simulate
from lib.one_step import one_step_errors
from lib.stand_in_judge import stand_in_judge
from procedural_library import make_asset
from puppetmaster_core import Drags
from puppetmaster_core.bench import Problem
from puppetmaster_core.clips.displacement import moves
from puppetmaster_core.clips.sources import WATCH_SEEDS
from puppetmaster_core.curation.judge import Judge
from puppetmaster_core.curation.judging import Judging
from puppetmaster_core.curation.pictures import quarters, strip, to_png
from puppetmaster_core.pipeline import build
from puppetmaster_core.presets import SMOKE

# ---- the drawing of the network --------------------------------------------------------------------------------------

FULL = ("residual", "modulation", "all_to_first", "tokens", "time")


def problem_of(levels=TWO_LEVELS, **settings) -> Problem:
    """A network and inputs for its two branches, on a grid of 8 × 6."""
    net = network(levels=levels, **settings)
    sample, _, embedding, time_ids = inputs(2, 3, 8, 6)
    points, present = drags(1, 3)
    return Problem(net, (sample, torch.ones(()), embedding, time_ids), points, present, False)


def test_blocks_have_the_layers_grids_and_sizes_of_the_network():
    one = problem_of()
    found = {station.name: station for station in stations(one)}
    assert list(found) == ["down 1", "down 2", "middle", "up 1", "up 2"]
    assert [(s.channels, s.grid, s.level) for s in found.values()] == [
        (32, (8, 6), 0), (64, (4, 3), 1), (64, (4, 3), 1), (64, (4, 3), 1), (32, (8, 6), 0)]
    assert found["down 1"].layers == (FULL,) and found["up 2"].layers == (FULL, FULL)
    assert found["down 2"].layers == (("residual",),) and found["middle"].layers == (("residual",), (*FULL[1:], "residual"))
    blocks = [*one.net.down_blocks, one.net.mid_block, *one.net.up_blocks]
    assert [s.parameters for s in found.values()] == [sum(p.numel() for p in block.parameters()) for block in blocks]
    added = sum(p.numel() for name, p in one.net.named_parameters() if ".modulation." in name or ".tokens." in name)
    assert sum(s.new for s in found.values()) == added > 0 == found["down 2"].new


@pytest.mark.parametrize("settings, layer", [
    ({"modulation": "none"}, ("residual", "all_to_first", "tokens", "time")),
    ({"drag_tokens": False}, ("residual", "modulation", "all_to_first", "picture", "time")),
    ({"attention": "spatial"}, ("residual", "modulation", "spatial", "tokens", "time")),
])
def test_what_a_network_lacks_is_not_drawn(settings, layer):
    assert stations(problem_of(**settings))[0].layers == (layer,)


# ---- motion ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cabinet_42():
    """Cabinet 42, in which three doors move, with its vertices at 5 times (N, V, 3)."""
    asset = make_asset("cabinet", 42)
    return asset, np.stack([asset.vertices(0, t) for t in asset.sample_times(0, 5)])


def test_way_of_a_part_is_that_of_its_farthest_vertex(cabinet_42):
    """A door that turns by θ takes its edge, w from the hinge, 2 w sin(θ / 2) away."""
    asset, positions = cabinet_42
    way = clip_figures.travelled(asset, positions)
    side = np.ptp(positions[0], axis=0).max()
    for part, joint in enumerate(asset.joints):
        if joint.moves:
            own = np.unique(asset.faces[asset.submodel == part])
            arm = asset.rest[own] - np.array(joint.origin)
            radius = np.linalg.norm(arm - (arm @ joint.axis)[:, None] * np.array(joint.axis), axis=1).max()
            chord = 2 * radius * np.sin(abs(joint.end - joint.start) / 2) / side
            assert way[part, -1] == pytest.approx(chord, rel=1e-6)
        else:
            assert not way[part].any()


def test_rest_is_white_direction_is_hue_and_length_is_strength():
    field = np.zeros((1, 4, 2))
    field[0, 1:, :] = (0.2, 0.0), (0.1, 0.0), (-0.2, 0.0)
    rest, right, half, left = motion_figures.coloured(field)[0]
    np.testing.assert_allclose(rest, 1)
    np.testing.assert_allclose(right, (1, 0, 0), atol=1e-9)
    np.testing.assert_allclose(half, (1, 0.5, 0.5), atol=1e-9)
    np.testing.assert_allclose(left, (0, 1, 1), atol=1e-9)  # the opposite hue


def test_our_own_rows_are_those_of_motion_models_on_cabinets():
    means = {"static copy": 9.0, "exact motion": 20.5, "exact latents": 19.0, "model": 17.25}
    told = {row: {"moving": {"mean": value}} for row, value in means.items()}
    records = {"a.json": {"model": "m", "kinds": "cabinets", "summary": told},
               "b.json": {"model": "m", "kinds": "all", "summary": told},
               "c.json": {"model": "old", "summary": {"model": {"moving": {"mean": 14.0}}}}, "d.json": {"rows": []}}
    own = motion_figures.own_rows(records)
    assert list(own.values()) == [*means.values()] and all("m, judged clips" in name for name in own)
    bars = motion_figures.ceilings(own).axes[0]
    assert [label.get_text() for label in bars.get_yticklabels()] == [*motion_figures.CEILINGS, *own]


# ---- the network at each noise level ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clips():
    return [filmed_cabinet(WATCH_SEEDS + number, SMOKE.size, SMOKE.frames) for number in range(2)]


def silent(prediction, preset=SMOKE):
    """A pipeline, on residual latents where they are pictures', whose network's last layer gives 0."""
    made = build(replace(preset, residual=preset.latents == "pictures", unet=preset.unet | {"prediction": prediction}))
    torch.nn.init.zeros_(made.unet.conv_out.weight)
    torch.nn.init.zeros_(made.unet.conv_out.bias)
    return made


def test_who_always_says_that_nothing_moves_is_wrong_by_a_still_video(clips):
    errors = one_step_errors(silent("clean"), clips, (80.0, 1.0))
    np.testing.assert_allclose(errors, np.ones((2, 2)), rtol=1e-5)


def test_who_gives_back_what_it_sees_is_right_where_there_is_no_noise(clips):
    """A v of 0 means D = x_σ / (σ² + 1): nearly x itself at small σ, nearly 0 at large σ."""
    errors = one_step_errors(silent("v"), clips, (1e-4, 1e4))
    np.testing.assert_allclose(errors[:, 0], 0, atol=1e-3)
    np.testing.assert_allclose(errors[:, 1], 1, rtol=1e-2)


def test_a_network_of_motion_latents_is_measured_too(clips):
    """Its v of 0 at little noise means what it sees, so it is right."""
    errors = one_step_errors(silent("v", SKETCH), clips, (1e-4, 80.0))
    np.testing.assert_allclose(errors[:, 0], 0, atol=1e-3)
    assert np.isfinite(errors).all() and (errors[:, 1] > 0).all()


# ---- counterparts of the paper's figures -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cabinet():
    (found,) = scenes.cabinets(1, 48, 5, parts=2)
    return found


def test_unseen_cabinets_are_the_first_that_qualify(cabinet):
    first, second = scenes.cabinets(2, 48, 5)
    assert [first.clip.provenance["seed"], second.clip.provenance["seed"]] == [1_000_000, 1_000_001]
    assert len(cabinet.drags) >= 2 and cabinet.clip.provenance["seed"] >= 1_000_000
    assert np.array_equal(first.picture, first.clip.frames[0]) and first.drags.frames == 5


def test_objects_of_the_library_move_and_one_that_does_not_is_named():
    (fan,) = scenes.objects(["fan"], 48, 5)
    assert fan.name == "fan" and np.ptp(fan.drags.points, axis=1).max() > 0.02
    with pytest.raises(RuntimeError, match="static 0 to 19 were drawn"):
        scenes.objects(["static"], 16, 2)


def test_another_background_changes_what_the_object_does_not_cover(cabinet):
    other = scenes.over_background(cabinet, np.array((255, 0, 0)), "red")
    clear, solid = cabinet.clip.alpha[0] == 0, cabinet.clip.alpha[0] == 255
    assert (other.picture[clear] == (255, 0, 0)).all() and clear.any()
    assert np.array_equal(other.picture[solid], cabinet.picture[solid]) and other.drags is cabinet.drags


def test_drags_one_by_one_and_the_other_way(cabinet):
    sets = scenes.dragged_one_by_one(cabinet)
    assert len(sets) == len(cabinet.drags) + 1 and all(len(drags) == 1 for drags in sets.values())
    way, back = (np.diff(sets[name].points[0], axis=0) for name in ("drag 1 alone", "drag 1, the other way"))
    np.testing.assert_allclose(back, -way, atol=1e-6)


def test_the_whole_object_is_dragged_by_a_part_that_stays(cabinet):
    (path,) = scenes.whole_object_drag(cabinet).points
    column, row = (path[0] * 48).astype(int)
    part = cabinet.clip.part_ids[0, row, column]
    assert part >= 0 and part not in cabinet.clip.field_parts[moves(cabinet.clip.displacement)]
    np.testing.assert_allclose(path[-1] - path[0], (0.25, 0), atol=1e-6)


def test_a_thing_that_moves_as_a_whole_goes_where_the_drag_does():
    picture = np.full((20, 20, 3), 255, np.uint8)
    picture[4:8, 4:8] = 0
    scene = scenes.Scene("square", picture, Drags(np.linspace((0.3, 0.3), (0.8, 0.5), 3)[None]))
    frames = scenes.moved_as_a_whole(scene)
    assert np.array_equal(frames[0], picture)
    rows, columns = np.nonzero(frames[-1][..., 0] == 0)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (8, 11, 14, 17)


@pytest.mark.parametrize("name", [name for name, settings in paper.TAKEN_OUT.items() if settings])
def test_what_is_taken_out_is_all_that_differs(pipe, name):
    net = paper.without(pipe, **paper.TAKEN_OUT[name]).unet
    for key, value in paper.TAKEN_OUT[name].items():
        assert net.config[key] == value != pipe.unet.config[key]
    own = pipe.unet.state_dict()
    assert all((own[key] == tensor).all() for key, tensor in net.state_dict().items())
    gone = own.keys() - net.state_dict().keys()
    word = {"modulation": ".modulation.", "drag_tokens": ".tokens."}.get(next(iter(paper.TAKEN_OUT[name])))
    assert all(word in key for key in gone) and bool(gone) == bool(word)


# ---- drawings --------------------------------------------------------------------------------------------------------


def test_the_map_of_the_spread_is_that_of_the_videos():
    def spread(videos):
        return videos[:, -1].astype(float).std(axis=0).mean(axis=-1)

    assert paper.spread_map(None, []) is None
    (axis,) = paper.spread_map(spread, [np.zeros((2, 4, 4, 3), np.uint8), np.full((2, 4, 4, 3), 2, np.uint8)]).axes
    assert (axis.images[0].get_array() == 1).all()


# ---- the costs of curation, and its stand-in judge -------------------------------------------------------------------


def test_a_simulated_run_by_hand():
    """100 assets of 36 s on 4 cores: 25 each, 900 s, and 36 s to start: 0.26 h; one core hour of work; judged at 0.4 an asset."""
    plan = simulate([36.0], 100, 4, dollars_a_core_hour=2.0, kept=0.4, dollars_an_answer=0.05, start=36.0)
    assert (plan.hours, plan.core_hours) == pytest.approx((0.26, 1.0))
    assert plan.dollars == pytest.approx(4 * 0.26 * 2 + 100 * 0.4 * 0.05)
    assert simulate([1, 5, None], 50, 3, dollars_a_core_hour=1) == simulate([1, 5], 50, 3, dollars_a_core_hour=1)
    with pytest.raises(ValueError, match="0 measured times"):
        simulate([], 10, 1, dollars_a_core_hour=1)


def test_costs_are_those_of_the_tables_and_the_bill():
    """Asset 0: 0.5 s to read and two animations of 1 and 2 s; asset 1 none; asset 2 could not be read."""
    assets = [{"number": 0, "cpu_seconds": 0.5}, {"number": 1, "cpu_seconds": 0.25}, {"number": 2, "cpu_seconds": None}]
    animations = [{"number": 0, "cpu_seconds": 1.0}, {"number": 0, "cpu_seconds": 2.0}]
    assert seconds_an_asset(assets, animations) == [3.5, 0.25]
    assert answers_cost({"answers": 4, "tokens_in": 4000, "tokens_out": 400}, 2.0, 10.0) == pytest.approx(0.003)
    with pytest.raises(ValueError, match="without answers"):
        answers_cost({"answers": 0, "tokens_in": 0, "tokens_out": 0}, 2.0, 10.0)


@pytest.fixture
def judged(tmp_path):
    """Five strips judged by the stand-in: doors that move, but the second stands still; the third answer is of no use."""
    (tmp_path / "pictures").mkdir()
    strips = []
    for i in range(5):
        pictures = quarters(make_asset("door", i), 0, 48)
        strips.append(tmp_path / "pictures" / f"{i:06d}-000.png")
        strips[-1].write_bytes(to_png(strip(np.stack([pictures[0]] * 4) if i == 1 else pictures)))
    with stand_in_judge() as environment:
        judging = Judging(tmp_path, Judge.from_environment(environment))
        judging.ask(strips)
    return tmp_path, [judging.answer(path) for path in strips]


def test_the_stand_in_follows_its_rule_and_errs_as_servers_do(judged):
    _, answers = judged
    assert [answer.get("realistic") for answer in answers] == [True, False, None, True, True]
    assert answers[0]["tries"] == 2 and "expected JSON" in answers[2]["error"]  # busy once
    assert all("a rule, no model" in answer["reason"] for answer in answers if "reason" in answer)
    assert all(answer["tokens_in"] > 1000 for answer in answers)
