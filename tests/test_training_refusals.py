"""What a training run refuses, and what it leaves behind when something breaks: settings, folders, checkpoints, disks."""

import json
import shutil
import subprocess
from dataclasses import replace

import pytest
import torch
from diffusers.training_utils import EMAModel
from safetensors.torch import load_file
from torch import nn

from puppetmaster_core.cli import main
from puppetmaster_core.pipeline import build
from puppetmaster_core.presets import SMOKE
from puppetmaster_core.training.feed import row_noise
from puppetmaster_core.training.loop import fit
from puppetmaster_core.training.records import alone
from puppetmaster_core.training.run import train
from puppetmaster_core.training.settings import RunSettings, TrainingError
from puppetmaster_core.training.state import load

STAGE = {"steps": 2, "batch_size": 2, "learning_rate": 1e-3, "warmup_steps": 1}
TRAINED = replace(SMOKE, training={"vae": STAGE, "decoder": STAGE, "denoiser": STAGE})


def refused(capsys, *words):
    assert main(["train", *map(str, words)]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("puppetmaster train: error:")
    return line


@pytest.mark.parametrize(
    "text, said",
    [
        ("[denoiser]\nlearning_rte = 1e-4", "stage 'denoiser': unknown setting 'learning_rte', did you mean 'learning_rate'?"),
        ("[recipe]\ndrag_drop = 0.5", "unknown setting 'drag_drop', did you mean 'drag_dropout'?"),
        ("[denoser]\nsteps = 3", "recipe: unknown setting 'denoser', did you mean 'denoiser'?"),
        ("[parts]\nsteps = 10\nwarmup_steps = 8\ndecay_steps = 8", "warmup_steps=8 and decay_steps=8 given for 10 steps"),
        ("[parts]\nbatch_size = 8\naccumulate = 3", "batch_size=8 and accumulate=3 given"),
        ("[denoiser]\nshard = true\ncompile = true", "compile and shard given"),
        ("vae = 3", "vae=3 given, wanted a table of settings"),
        ("[clips]\nsteps = 3", "clips={'steps': 3} given: it must be a whole number of 1 or more"),
        ('clips = "many"', "clips='many' given: it must be a whole number of 1 or more"),
        ("[decoder]\nsteps = 3", "stage 'decoder' came without batch_size, learning_rate, and the scale 'tiny' has no"),
        ("[denoiser]\noutput = 'elsewhere'", "stage 'denoiser': unknown setting 'output'"),
        ("[denoiser]\nmax_seconds = 5", "stage 'denoiser': unknown setting 'max_seconds'"),
        ('[denoiser]\nlearning_rate = "fast"', "learning_rate='fast' given: it must be a number"),
        ("[denoiser]\nlearning_rate = -1", "learning_rate=-1 given: it must be above 0"),
        ('[denoiser]\nwarmup_steps = "a"', "warmup_steps='a' given: it must be a whole number"),
        ("[denoiser]\nbatch_size = true", "batch_size=True given: it must be a whole number"),
        ('[denoiser]\nshard = "no"', "shard='no' given: it must be true or false"),
        ("[denoiser]\nema_decay = nan", "ema_decay=nan given: it must be a number"),
        ("[recipe]\ndrag_dropout = 7", "drag_dropout=7 given: it must lie between 0 and 1"),
        ("[recipe]\nshort_frames = 1", "short_frames=1 given: it must lie between 2 and"),
        ('[recipe]\nsigma_min = "a"', "sigma_min='a' given: it must be a number"),
        ("[vae", "expected TOML with a table"),
    ],
)
def test_unknown_and_conflicting_settings_are_named(text, said, tmp_path, capsys):
    (tmp_path / "recipe.toml").write_text(text)
    assert said in refused(capsys, "--config", tmp_path / "recipe.toml", "--output", tmp_path / "run")
    assert not (tmp_path / "run" / "clips").exists()  # before anything was rendered


def test_a_model_of_another_scale_is_no_beginning(tmp_path, capsys):
    build(SMOKE).save_pretrained(tmp_path / "model")
    said = refused(capsys, "--weights", tmp_path / "model", "--clips", "1", "--output", tmp_path / "run")
    assert "got a model with other latents than the scale 'tiny' has" in said
    assert not (tmp_path / "run" / "clips").exists()  # before anything was rendered


def test_a_run_folder_in_use_is_left_alone(tmp_path):
    with alone(tmp_path), pytest.raises(TrainingError, match="another process is training here"):
        train(TRAINED, str(tmp_path), data=["none"])


def small(folder, width=3, steps=4, loss=None, **changes):
    settings = RunSettings(str(folder), steps, 4, 0.1, warmup_steps=0, checkpoint_every=2, **changes)
    model = nn.Linear(width, 1)
    fit(model, lambda step, rows: {"x": row_noise(0, step, rows, (width,))},
        loss or (lambda m, batch: (m(batch["x"]).square().mean(), {})), settings, record={"data": "toy"})
    return model


def test_a_checkpoint_of_another_architecture_is_refused(tmp_path):
    small(tmp_path)
    before = sorted(p.name for p in (tmp_path / "checkpoints").iterdir())
    with pytest.raises(TrainingError, match=r"another architecture came, 'weight' is \(1, 3\), wanted \(1, 5\)"):
        small(tmp_path, width=5, steps=8)
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == before


def test_a_checkpoint_of_a_smaller_network_is_not_called_damaged(tmp_path):
    small(tmp_path)
    bigger = nn.Sequential()
    bigger.weight, bigger.bias, bigger.more = nn.Parameter(torch.ones(1, 3)), nn.Parameter(torch.ones(1)), nn.Linear(3, 1)
    optimizer, average = torch.optim.AdamW(bigger.parameters()), EMAModel(bigger.parameters())
    with pytest.raises(TrainingError, match=r"another architecture came, without 'more.bias' and 1 more of its weights"):
        load(tmp_path, bigger, optimizer, average)


def test_a_file_as_run_folder_is_refused(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["train", "--output", str(tmp_path / "file")]) == 2
    assert "a run folder" in capsys.readouterr().err


def test_a_run_does_not_go_on_with_another_recipe_or_network(tmp_path):
    run = tmp_path / "run"
    cabinets = {"clips": 2, "config": {"recipe": {"drag_dropout": 0.2}}}
    stage = {**STAGE, "warmup_steps": 0}
    preset = replace(TRAINED, training={"clips": 2, "vae": stage, "decoder": stage, "denoiser": stage})
    assert train(preset, str(run), **cabinets)
    with pytest.raises(TrainingError, match=r"whose recipe has drag_dropout=0.2, this one's has 0.9: use another folder"):
        train(preset, str(run), clips=2, config={"recipe": {"drag_dropout": 0.9}}, steps=4)
    wider = replace(preset, unet={**TRAINED.unet, "modulation_channels": (16, 32)})
    with pytest.raises(TrainingError, match=r"whose preset has unet=.*, this one's has"):
        train(wider, str(run), **cabinets, steps=4)
    other = replace(preset, vae={**TRAINED.vae, "latent_channels": 8}, unet={**TRAINED.unet, "in_channels": 12})
    shutil.copytree(run / "vae", tmp_path / "other" / "vae")
    with pytest.raises(TrainingError, match=r"a VAE of another preset came, with latent_channels=4, wanted 8"):
        train(other, str(tmp_path / "other"), clips=2)
    assert not list((tmp_path / "other").glob("latents-*"))  # before anything was encoded


def test_a_damaged_checkpoint_is_said_and_never_runs_code(tmp_path):
    small(tmp_path)
    newest = tmp_path / "checkpoints" / "step-00000004"
    torch.save({"exec": subprocess.Popen}, newest / "optimizer.bin")  # only weights_only=False would load this
    with pytest.raises(TrainingError, match=r"step-00000004: cannot be read .* goes on from the one before it"):
        small(tmp_path, steps=8)


def test_a_run_on_other_clips_is_another_run(tmp_path):
    small(tmp_path)
    record = json.loads((tmp_path / "settings.json").read_text())
    (tmp_path / "settings.json").write_text(json.dumps({**record, "data": "others"}))
    with pytest.raises(TrainingError, match="holds a run on other clips"):
        small(tmp_path, steps=8)


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path, monkeypatch):
    small(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match=r"cannot be written \(No space left on device; .*\); the checkpoint before it is"):
        small(tmp_path, steps=8)
    assert [p.name for p in sorted((tmp_path / "checkpoints").iterdir())] == ["step-00000002", "step-00000004"]


def test_the_batch_that_broke_a_run_is_kept(tmp_path):
    def broken(model, batch):
        value = model(batch["x"]).square().mean()
        return value * (float("nan") if torch.equal(batch["x"], row_noise(0, 3, range(4), (3,))) else 1), {}

    with pytest.raises(FloatingPointError, match=r"bad-step-00000003-0\.safetensors"):
        small(tmp_path, loss=broken)
    assert torch.equal(load_file(tmp_path / "bad-step-00000003-0.safetensors")["x"], row_noise(0, 3, range(4), (3,)))


def test_batches_that_cannot_be_split_evenly_are_refused():
    settings = RunSettings("run", 1, 12, 1.0, warmup_steps=0, accumulate=2)
    assert [list(settings.rows(r, p, 3)) for r in range(2) for p in range(3)] == [[i, i + 1] for i in range(0, 12, 2)]
    with pytest.raises(TrainingError, match="take a multiple of 10"):
        settings.rows(0, 0, 5)


def test_weights_and_biases_is_asked_for_before_anything(tmp_path):
    with pytest.raises(TrainingError, match="not installed: pip install wandb, or leave it out"):
        small(tmp_path, wandb="project")
