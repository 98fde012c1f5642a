"""The training loop: resumes to the same state, stops at the first bad loss, writes down what it did."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from networks import network
from torch import nn

from puppetmaster_core.drags import Drags
from puppetmaster_core.pipeline import PuppetMasterPipeline, build
from puppetmaster_core.presets import SMOKE
from puppetmaster_core.training.data import random_drags
from puppetmaster_core.training.denoiser import Recipe, pick_frames
from puppetmaster_core.training.export import blend, export
from puppetmaster_core.training.feed import row_noise
from puppetmaster_core.training.loop import fit
from puppetmaster_core.training.run import train
from puppetmaster_core.training.settings import RunSettings, TrainingError


def points(step, rows, seed=0):
    """A small problem with noise in it: its course depends on every random number."""
    return {"x": row_noise(seed, step, rows, (4,)), "step": torch.full((len(rows),), step)}


def regression(model, batch):
    return (model(batch["x"]) - batch["x"].sum(1, keepdim=True)).square().mean(), {}


def run(folder, steps=6, loss=regression, make=points, **changes):
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    settings = RunSettings(str(folder), steps=steps, batch_size=16, learning_rate=0.1, warmup_steps=3, checkpoint_every=2)
    settings = replace(settings, **changes)
    fit(model, partial(make, seed=settings.seed), loss, settings)
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def at(batch, step):
    return int(batch["step"][0]) == step


def test_a_killed_run_goes_on_as_if_it_had_not_been(tmp_path):
    def killed(model, batch):
        if at(batch, 5):  # one step after the last checkpoint
            raise KeyboardInterrupt
        return regression(model, batch)

    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", loss=killed)
    assert torch.equal(run(tmp_path / "killed"), whole)  # weights, optimiser, schedule and EMA: to the bit


def test_a_half_written_checkpoint_is_not_used(tmp_path):
    whole = run(tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "step-00000099.partial").mkdir()
    assert torch.equal(run(tmp_path / "run"), whole)


def test_a_folder_keeps_to_one_run(tmp_path):
    run(tmp_path, steps=4)
    with pytest.raises(TrainingError, match="holds a run with seed=0, this one has seed=1"):
        run(tmp_path, seed=1)
    run(tmp_path, steps=6)  # going on for longer is the same run
    record = json.loads((tmp_path / "settings.json").read_text())
    assert record["settings"]["steps"] == 6 and [s["settings"]["steps"] for s in record["starts"]] == [4]


def test_another_seed_is_another_run(tmp_path):
    assert not torch.equal(run(tmp_path / "a"), run(tmp_path / "b", seed=1))


def test_time_runs_out_cleanly(tmp_path):
    run(tmp_path / "slice", max_seconds=0)
    assert not list((tmp_path / "slice").glob("checkpoints/*"))  # no step was made, so nothing is to be resumed
    assert torch.equal(run(tmp_path / "slice"), run(tmp_path / "whole"))


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    def diverging(model, batch):
        value, numbers = regression(model, batch)
        return value * float("nan") if at(batch, 3) else value, numbers

    with pytest.raises(FloatingPointError, match="nan at step 3"):
        run(tmp_path / "run", loss=diverging)
    assert [p.name for p in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000002"]


def test_a_gradient_that_is_not_finite_never_reaches_the_weights(tmp_path):
    def steep(model, batch):
        value, numbers = regression(model, batch)
        return (value - value.detach() + (0 if at(batch, 3) else 1)).sqrt(), numbers  # slope inf at 0

    with pytest.raises(FloatingPointError, match=r"gradient's norm is .* at step 3"):
        run(tmp_path, loss=steep)


def test_the_learning_rate_rises_stays_and_falls():
    settings = RunSettings("run", steps=10, batch_size=1, learning_rate=1.0, warmup_steps=4, decay_steps=4)
    assert [settings.rate(s) for s in range(10)] == [0.25, 0.5, 0.75, 1, 1, 1, 1, 0.75, 0.5, 0.25]


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch_size": 0}, {"ema_decay": 1.0}, {"log_every": 0}, {"warmup_steps": 2}])
def test_nonsense_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="given"):
        RunSettings(**{"output": "run", "steps": 1, "batch_size": 1, "learning_rate": 1.0, "warmup_steps": 0} | wrong)


def test_short_items_keep_the_ends_of_a_clip():
    rng = np.random.default_rng(0)
    for _ in range(20):
        shown = pick_frames(14, 0, Recipe(short_steps=10), rng)
        assert len(shown) == 5 and shown[0] == 0 and shown[-1] == 13 and (np.diff(shown) > 0).all()
    np.testing.assert_array_equal(pick_frames(14, 10, Recipe(short_steps=10), rng), np.arange(14))


def test_frames_left_out_leave_the_others_their_numbers():
    net = network()
    points, present, some = torch.rand(1, 1, 4, 2), torch.ones(1, 1, dtype=torch.bool), torch.tensor([0, 1, 3])
    whole = net.condition(points, present, (8, 8)).positions
    short = net.condition(points[:, :, some], present, (8, 8), some).positions
    for all_frames, given in zip(whole, short, strict=True):
        torch.testing.assert_close(given, all_frames[some])


def test_an_item_has_true_or_straight_drags_or_none():
    """A part that comes back has no straight drag, so its item has the true one; where nothing is seen to move there is none."""
    paths = {False: np.array([[[0.1, 0.1], [0.5, 0.1], [0.1, 0.1]]], np.float32), True: np.zeros((0, 3, 2), np.float32)}
    points, present = random_drags(lambda _, rules: paths[rules.straight], np.random.default_rng(0), 3, straight=1.0)
    assert present.tolist() == [True, False, False] and points[0].tolist() == pytest.approx(paths[False][0])
    points, present = random_drags(lambda *_: paths[True], np.random.default_rng(0), 3, straight=0.5)
    assert points.shape == (3, 3, 2) and not present.any()
    asked = []
    for seed in range(200):
        random_drags(lambda _, rules: asked.append(rules) or paths[False], np.random.default_rng(seed), 3, straight=0.25)
    assert np.mean([rules.straight for rules in asked]) == pytest.approx(0.25, abs=0.08) and {r.max_drags for r in asked} == {3}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    stage = {"steps": 2, "batch_size": 2, "learning_rate": 1e-3, "warmup_steps": 1}
    recipe = {"clips": 4, "recipe": {"short_steps": 1}, "vae": stage, "decoder": stage, "denoiser": stage}
    preset = replace(SMOKE, frames=8, unet={**SMOKE.unet, "num_frames": 8}, training=recipe, residual=True, anchor=0.25)
    folder = tmp_path_factory.mktemp("smoke")
    assert train(preset, str(folder))
    return folder, preset


def test_a_scale_trains_from_nothing_to_a_pipeline(trained):
    pipeline = PuppetMasterPipeline.from_pretrained(trained[0] / "pipeline")
    video = pipeline(np.full((64, 64, 3), 200, np.uint8), Drags(np.array([[[0.2, 0.2], [0.8, 0.8]]])), seed=0)
    assert video.frames.shape == (8, 64, 64, 3)
    assert pipeline.latent_space.residual and pipeline.latent_space.scale != 1.0  # measured on the latents


def test_the_run_folder_says_how_it_came_about(trained):
    folder, _ = trained
    record = json.loads((folder / "denoiser" / "settings.json").read_text())
    assert record["settings"]["steps"] == 2 and record["preset"]["name"] == "smoke"
    assert set(record["versions"]) >= {"torch", "diffusers"} and "commit" in record
    assert list((folder / "denoiser" / "log").glob("events*"))


def test_a_finished_run_is_not_repeated(trained):
    folder, preset = trained
    parts = ("clips/*/*", "latents-*.npy", "vae/final/*", "decoder/final/*", "*/checkpoints/*")
    times = lambda: {p: p.stat().st_mtime_ns for part in parts for p in folder.glob(part)}  # noqa: E731
    before = times()
    assert len(before) > 8 and train(preset, str(folder))
    assert times() == before


def test_a_stage_that_ran_out_of_time_is_not_taken_for_finished(trained, tmp_path):
    _, preset = trained
    assert not train(preset, str(tmp_path), max_seconds=0)
    assert not (tmp_path / "vae" / "final").exists() and not (tmp_path / "denoiser").exists()


def test_a_stage_needs_the_one_before(trained, tmp_path):
    with pytest.raises(TrainingError, match="run the stage 'vae' first"):
        train(trained[1], str(tmp_path), stages=("denoiser",))


@pytest.fixture(scope="module")
def trained_on(trained, tmp_path_factory):
    """A run that began with what `trained` exports: "given" and "run" in a folder."""
    folder = tmp_path_factory.mktemp("on")
    export(trained[0], folder / "given")
    assert train(trained[1], str(folder / "run"), clips=3, seed=1, weights=str(folder / "given"))
    return folder


def test_a_model_is_trained_on_and_keeps_its_vae(trained_on):
    before, after = (PuppetMasterPipeline.from_pretrained(trained_on / name) for name in ("given", "run/pipeline"))
    assert all(torch.equal(a, b) for a, b in zip(before.vae.parameters(), after.vae.parameters(), strict=True))
    assert after.latent_space == before.latent_space and not (trained_on / "run" / "decoder").exists()
    moved = [(a - b).abs().max() for a, b in zip(before.unet.parameters(), after.unet.parameters(), strict=True)]
    assert 0 < max(moved) < 0.1  # two small steps from where it was; this seed's random weights are farther away


def test_the_log_of_a_model_that_went_on_begins_with_what_it_began_with(trained_on, tmp_path):
    export(trained_on / "run", tmp_path)
    first, second = (json.loads((folder / "training_log.json").read_text()) for folder in (trained_on / "given", tmp_path))
    assert {name: second[name] for name in first} == first and list(second) == [*first, "denoiser 2"]
    assert (first["denoiser"]["settings"]["seed"], second["denoiser 2"]["settings"]["seed"]) == (0, 1)


def test_a_run_does_not_change_what_it_began_with(trained, trained_on, tmp_path):
    preset, given = trained[1], str(trained_on / "given")
    with pytest.raises(TrainingError, match=r"weights began as .*given, this one.s as none: use another folder"):
        train(preset, str(trained_on / "run"), stages=("denoiser",), clips=3, seed=1, steps=3)
    build(preset, 5).vae.save_pretrained(tmp_path / "other" / "vae" / "final")
    with pytest.raises(TrainingError, match=r"another VAE than that of .*given came"):
        train(preset, str(tmp_path / "other"), weights=given)
    with pytest.raises(TrainingError, match="keeps its own: leave one out"):
        train(preset, str(tmp_path / "new"), stages=("decoder",), weights=given)


def test_a_run_is_exported_with_its_log(trained, tmp_path):
    export(trained[0], tmp_path / "shipped")
    weights = sorted((tmp_path / "shipped").rglob("*.safetensors"))
    assert len(weights) == 3 and all(".fp16." in path.name for path in weights)
    log = json.loads((tmp_path / "shipped" / "training_log.json").read_text())
    assert set(log) == {"vae", "decoder", "denoiser"} and log["vae"]["settings"]["steps"] == 2
    assert PuppetMasterPipeline.from_pretrained(tmp_path / "shipped").unet.dtype == torch.float32


def test_an_exported_model_can_keep_a_share_of_what_it_began_with(trained, tmp_path):
    build(trained[1], 9).save_pretrained(tmp_path / "other")
    export(trained[0], tmp_path / "half", tmp_path / "other", share=0.75)
    run, other, half = map(PuppetMasterPipeline.from_pretrained, (trained[0] / "pipeline", tmp_path / "other", tmp_path / "half"))
    for name in ("unet", "image_encoder"):
        mine, theirs, made = (getattr(one, name).state_dict() for one in (run, other, half))
        for key, value in made.items():
            torch.testing.assert_close(value, 0.75 * mine[key] + 0.25 * theirs[key], atol=2e-3, rtol=2e-3)  # half precision
    with pytest.raises(TrainingError, match="share=2 given"):
        export(trained[0], tmp_path / "none", tmp_path / "other", share=2)
    with pytest.raises(TrainingError, match="another architecture came"):
        blend(run, build(replace(trained[1], unet={**trained[1].unet, "modulation_channels": (32, 16)})), 0.5)


def test_a_scale_without_a_recipe_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'smoke' has no training recipe"):
        train(SMOKE, str(tmp_path))
