"""The training loop: resumes to the same state, stops at the first bad loss, writes down what it did, refuses what cannot be."""

import json
import subprocess
from dataclasses import replace

import numpy as np
import pytest
import torch
from networks import network
from safetensors.torch import load_file
from torch import nn

from puppetmaster_core.cli import main
from puppetmaster_core.presets import MINI, SVD, TINY
from puppetmaster_core.training.batches import prefetch, row_noise
from puppetmaster_core.training.config import Plan, Recipe, RunSettings, TrainingError
from puppetmaster_core.training.denoiser import pick_frames, random_drags
from puppetmaster_core.training.loop import fit
from puppetmaster_core.training.meter import Meter, flops_of


def regression(model, batch):
    return (model(batch["x"]) - batch["x"].sum(1, keepdim=True)).square().mean(), {}


def run(folder, steps=6, loss=regression, width=4, data="toy", **changes):
    """A small problem with noise in it: its course depends on every random number."""
    torch.manual_seed(0)
    model = nn.Linear(width, 1)
    settings = RunSettings(str(folder), steps=steps, batch_size=16, learning_rate=0.1, warmup_steps=3, checkpoint_every=2)
    settings = replace(settings, **changes)

    def make(step, rows):
        return {"x": row_noise(settings.seed, step, rows, (width,)), "step": torch.full((len(rows),), step)}

    fit(model, make, loss, settings, record={"data": data})
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def at(batch, step):
    return int(batch["step"][0]) == step


def checkpoints(folder):
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def test_a_folder_keeps_to_one_run(tmp_path):
    run(tmp_path, steps=4)
    for wrong, changes in (("seed=0, this one has seed=1", {"seed": 1}), ("clips=toy, this one has clips=b", {"data": "b"})):
        with pytest.raises(TrainingError, match=f"holds a run with {wrong}: use another folder"):
            run(tmp_path, **changes)
    (tmp_path / "checkpoints" / "step-00000099.partial").mkdir()  # half-written by a run that was killed: not used, and gone
    run(tmp_path, steps=6)  # going on for longer is the same run
    assert checkpoints(tmp_path) == ["step-00000004", "step-00000006"]
    record = json.loads((tmp_path / "settings.json").read_text())
    assert record["settings"]["steps"] == 6 and [s["settings"]["steps"] for s in record["starts"]] == [4]


def test_time_runs_out_cleanly(tmp_path):
    run(tmp_path / "slice", max_seconds=0)
    assert not list((tmp_path / "slice").glob("checkpoints/*"))  # no step was made, so nothing is to be resumed
    assert torch.equal(run(tmp_path / "slice"), run(tmp_path / "whole"))


def test_a_loss_that_is_not_finite_stops_the_run_and_its_batch_is_kept(tmp_path):
    def diverging(model, batch):
        value, numbers = regression(model, batch)
        return value * float("nan") if at(batch, 3) else value, numbers

    with pytest.raises(FloatingPointError, match=r"nan at step 3, its batch is in .*bad-step-00000003-0\.safetensors"):
        run(tmp_path, loss=diverging)
    assert checkpoints(tmp_path) == ["step-00000002"]
    assert torch.equal(load_file(tmp_path / "bad-step-00000003-0.safetensors")["x"], row_noise(0, 3, range(16), (4,)))


def test_a_gradient_that_is_not_finite_never_reaches_the_weights(tmp_path):
    def steep(model, batch):
        value, numbers = regression(model, batch)
        return (value - value.detach() + (0 if at(batch, 3) else 1)).sqrt(), numbers  # slope inf at 0

    with pytest.raises(FloatingPointError, match=r"gradient's norm is .* at step 3"):
        run(tmp_path, loss=steep)


def test_a_checkpoint_of_another_network_or_a_damaged_one_is_refused(tmp_path):
    """Nothing in a checkpoint can run code: only weights_only=False would load this optimiser's state."""
    run(tmp_path, steps=4)
    with pytest.raises(TrainingError, match=r"step-00000004: cannot be used .*size mismatch for weight.*use another folder"):
        run(tmp_path, width=5)
    torch.save({"exec": subprocess.Popen}, tmp_path / "checkpoints" / "step-00000004" / "optimizer.bin")
    with pytest.raises(TrainingError, match=r"step-00000004: cannot be used .* goes on from the one before it"):
        run(tmp_path)
    assert checkpoints(tmp_path) == ["step-00000002", "step-00000004"]


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    run(tmp_path, steps=4)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match=r"cannot be written \(No space left on device; .*\); the checkpoint before it is"):
        run(tmp_path)
    assert checkpoints(tmp_path) == ["step-00000002", "step-00000004"]


# ---- settings ------------------------------------------------------------------------------------------------------------


def test_the_learning_rate_rises_stays_and_falls():
    settings = RunSettings("run", steps=10, batch_size=1, learning_rate=1.0, warmup_steps=4, decay_steps=4)
    assert [settings.rate(s) for s in range(10)] == [0.25, 0.5, 0.75, 1, 1, 1, 1, 0.75, 0.5, 0.25]


def test_an_update_is_split_evenly_or_not_at_all():
    settings = RunSettings("run", 1, 12, 1.0, warmup_steps=0, accumulate=2)
    assert [list(settings.rows(r, p, 3)) for r in range(2) for p in range(3)] == [[i, i + 1] for i in range(0, 12, 2)]
    with pytest.raises(TrainingError, match="expected a multiple of 10"):
        settings.rows(0, 0, 5)


@pytest.mark.parametrize(
    "text, said",
    [
        ("[denoiser]\nlearning_rte = 1", "'denoiser': got an unexpected keyword argument 'learning_rte', expected output, steps"),
        ("[denoser]\nsteps = 3", "config: got 'denoser', expected clips, or a table named recipe, vae, painter, parts, denoiser"),
        ("[parts]\nsteps = 10\nwarmup_steps = 8\ndecay_steps = 8", "warmup_steps=8 and decay_steps=8 for 10 steps"),
        ("[parts]\nbatch_size = 8\naccumulate = 3", "batch_size=8 and accumulate=3"),
        ("[denoiser]\nshard = true\ncompile = true\noptimizer = \"adamw\"", "compile and shard"),
        ("[denoiser]\nshard = true\noptimizer = \"muon\"", "shard and muon"),
        ("[denoiser]\noptimizer = \"sgd\"", "expected 'adamw' or 'muon'"),
        ("vae = 3", "got vae=3, expected a table of settings"),
        ("[clips]\nsteps = 3", "got clips={'steps': 3}, expected a whole number from 1"),
        ("[vae]\nsteps = 3", "stage 'vae': missing 2 required positional arguments: 'batch_size' and 'learning_rate'"),
        ("[denoiser]\noutput = 'elsewhere'", "stage 'denoiser': got multiple values for keyword argument 'output'"),
        ('[denoiser]\nlearning_rate = "fast"', "got learning_rate='fast', expected a number"),
        ("[denoiser]\nbatch_size = true", "got batch_size=True, expected a whole number"),
        ("[denoiser]\nema_decay = nan", "got ema_decay=nan, expected a number from 0 to 1"),
        ("[recipe]\ndrag_dropout = 7", "got drag_dropout=7, expected a number from 0 to 1"),
        ("[vae", "expected TOML with a table"),
    ],
)
def test_settings_that_cannot_be_are_named(text, said, tmp_path, capsys):
    (tmp_path / "recipe.toml").write_text(text)
    assert main(["train", "--config", str(tmp_path / "recipe.toml"), "--output", str(tmp_path / "run")]) == 2
    assert said in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / "run" / "clips").exists()  # before anything was rendered


def test_the_recipes_of_all_scales_are_sound(tmp_path):
    """svd as App. C.1 has it: 12,500 updates of 64 clips, log σ ~ N(0.7, 1.6²), drags dropped with 0.1, EMA 0.9999."""
    for preset in (TINY, MINI, SVD):
        Plan(preset, tmp_path)
    settings = Plan(SVD, tmp_path).settings("denoiser")
    assert (settings.steps, settings.batch_size, settings.accumulate, settings.ema_decay) == (12_500, 64, 64, 0.9999)
    assert (Plan(SVD, tmp_path).items.sigma_mean, Recipe().drag_dropout, SVD.frames, SVD.size) == (0.7, 0.1, 14, 256)


# ---- items and rates -----------------------------------------------------------------------------------------------------


def test_batches_come_in_order_and_their_errors_too():
    def make(step, rows):
        if step == 5:
            raise ValueError("row 5")
        return {"step": torch.tensor([step])}

    batches = prefetch(make, iter((step, range(1)) for step in range(9)), workers=3)
    assert [int(next(batches)["step"]) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="row 5"):
        next(batches)


def test_short_items_keep_the_ends_of_a_clip_and_the_frames_their_numbers():
    rng = np.random.default_rng(0)
    for _ in range(20):
        shown = pick_frames(14, 0, Recipe(short_steps=10), rng)
        assert len(shown) == 5 and shown[0] == 0 and shown[-1] == 13 and (np.diff(shown) > 0).all()
    np.testing.assert_array_equal(pick_frames(14, 10, Recipe(short_steps=10), rng), np.arange(14))
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
    assert present.tolist() == [True, False, False] and points[0].tolist() == paths[False][0].tolist()
    points, present = random_drags(lambda *_: paths[True], np.random.default_rng(0), 3, straight=0.5)
    assert points.shape == (3, 3, 2) and not present.any()
    asked = []
    for seed in range(200):
        random_drags(lambda _, rules: asked.append(rules) or paths[False], np.random.default_rng(seed), 3, straight=0.25)
    assert np.mean([rules.straight for rules in asked]) == pytest.approx(0.25, abs=0.08) and {r.max_drags for r in asked} == {3}


def test_rates():
    """A linear layer of 3 → 5 on 7 rows: 7·3·5 multiply-adds forward and as many for the weights' gradient, 2 FLOP each."""
    layer, x = nn.Linear(3, 5, bias=False), torch.ones(7, 3)
    assert flops_of(layer, lambda: layer(x).sum(), torch.device("cpu")) == 2 * 2 * 7 * 3 * 5
    assert layer.weight.grad is None
    meter = Meter(flops_a_clip=10.0, peak=1000.0)
    meter.clips = 50
    meter.waited = 1e-4
    rates = meter.read()
    assert rates["MFU"] == pytest.approx(rates["clips per second"] * 10 / 1000)
    assert rates["share of time waiting for data"] * 50 == pytest.approx(rates["clips per second"] * 1e-4)
