"""Training runs as a whole: killed at any moment, several processes, clips from shards, and what is refused."""

import json
import math
import os
import re
import resource
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from puppetmaster_core.cli import main
from puppetmaster_core.clips.rendering import RenderPlan, render_clips
from puppetmaster_core.clips.rules import sample_drags
from puppetmaster_core.clips.shards import ClipStore
from puppetmaster_core.clips.sources import find_source
from puppetmaster_core.clips.studio import Filming
from puppetmaster_core.diffusion import SIGMA_MIN, diffusion_loss
from puppetmaster_core.pipeline import PuppetMasterPipeline, build
from puppetmaster_core.presets import MINI, SMOKE, SVD, TINY
from puppetmaster_core.training import plan as planning
from puppetmaster_core.training import run as runs
from puppetmaster_core.training.data import cache_latents
from puppetmaster_core.training.denoiser import Denoiser, Items, Recipe, train_denoiser
from puppetmaster_core.training.export import export, scalars
from puppetmaster_core.training.feed import Feed
from puppetmaster_core.training.meter import Meter, flops_of, rates_line
from puppetmaster_core.training.run import train
from puppetmaster_core.training.settings import RunSettings, TrainingError
from puppetmaster_core.training.shard_clips import ShardClips

STAGE = {"steps": 2, "batch_size": 2, "learning_rate": 1e-3, "warmup_steps": 1}
TRAINED = replace(SMOKE, residual=True, anchor=0.25, training={"vae": STAGE, "decoder": STAGE, "denoiser": STAGE})


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    command = [sys.executable, Path(__file__).with_name("training_processes.py"), tmp_path_factory.mktemp("processes")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# ---- killed, and together ------------------------------------------------------------------------------------------------


def test_a_run_killed_at_any_moment_ends_with_the_same_losses_and_weights(processes):
    """SIGKILL between steps and between the files of a checkpoint: afterwards every logged loss and every weight is the same
    to the bit as of a run that was left alone."""
    found = processes["killed"]
    assert found["kills"] == 6
    assert found["killed"]["steps"] == list(range(1, 25)) and found["killed"] == found["whole"]


def test_rounds_and_processes_make_the_same_updates(processes):
    """An update is the mean over the same eight rows, however they are split, the weights too: only the order of summing
    differs."""
    found = processes["together"]
    whole = found["1x1"]
    for way in ("1x2", "2x2", "2x2-shared"):
        assert not any(found[way]["codes"])
        np.testing.assert_allclose(found[way]["losses"], whole["losses"], rtol=1e-4)
        for weight, wanted in zip(found[way]["weights"], whole["weights"], strict=True):
            np.testing.assert_allclose(weight, wanted, atol=1e-5)


def together(folder, processes, *way):
    """All stages of a small scale, by processes that torchrun starts."""
    script = str(Path(__file__).with_name("training_processes.py"))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes), script]
    done = subprocess.run([*command, folder, *way], capture_output=True, text=True, timeout=280,
                          env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr


def losses(stage):
    found = scalars(stage)["loss"]
    return [found[step] for step in sorted(found)]


@pytest.fixture(scope="module")
def by_one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("by-one") / "run"
    together(folder, 1)
    return folder


@pytest.mark.slow
def test_two_processes_train_a_scale_as_one_does(by_one, tmp_path):
    """The VAE, its decoder and the denoiser: the same losses up to the order of summing, through checkpoints, latents and all."""
    together(tmp_path, 2)
    for stage in ("vae", "decoder", "denoiser"):
        assert len(losses(by_one / stage)) == 3
        np.testing.assert_allclose(losses(tmp_path / stage), losses(by_one / stage), rtol=1e-3)


@pytest.mark.slow
def test_a_model_that_is_shared_out_trains_as_a_whole_one(by_one, tmp_path):
    """FSDP, stopped and resumed from its own checkpoint: the losses, the last checkpoint and the pipeline of one process."""
    run = tmp_path / "run"
    shutil.copytree(by_one, run, ignore=shutil.ignore_patterns("denoiser", "pipeline"))
    together(run, 2, "shard")
    np.testing.assert_allclose(losses(run / "denoiser"), losses(by_one / "denoiser"), rtol=1e-3)
    one, two = (folder / "denoiser" / "checkpoints" / "step-00000003" for folder in (by_one, run))
    for name in ("optimizer.bin", "ema.bin"):
        for a, b in zip(*(tensors(torch.load(folder / name, weights_only=True)) for folder in (one, two)), strict=True):
            scale = float(a.abs().max())  # an element near 0 is a sum that nearly cancels: off by its summands' share
            torch.testing.assert_close(a, b, rtol=1e-2, atol=max(5e-2 * scale, 1e-5))
    wholes = [PuppetMasterPipeline.from_pretrained(folder / "pipeline").unet.state_dict() for folder in (by_one, run)]
    for name, weight in wholes[0].items():
        torch.testing.assert_close(wholes[1][name], weight, rtol=1e-2, atol=1e-3)


def tensors(record):
    """Those of a nested record, in order."""
    if isinstance(record, torch.Tensor):
        return [record]
    values = record.values() if isinstance(record, dict) else record if isinstance(record, list | tuple) else ()
    return [tensor for value in values for tensor in tensors(value)]


# ---- clips from shards ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Six clips of the library, of two groups, in two shards."""
    folder = tmp_path_factory.mktemp("clips")
    plan = RenderPlan(find_source("library", 6), Filming(size=64, frames=4), assets_a_shard=4)
    list(render_clips(folder, plan, workers=0))
    return folder


@pytest.fixture(scope="module")
def trained(clips, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    assert train(TRAINED, str(folder), data=[str(clips)])
    return folder


def test_a_scale_trains_on_shards(trained, clips):
    record = json.loads((trained / "denoiser" / "settings.json").read_text())
    assert record["clips"] == len(ClipStore(clips)) and sum(record["groups"].values()) == record["clips"]
    assert PuppetMasterPipeline.from_pretrained(trained / "pipeline").latent_space.residual


def test_shards_are_drawn_in_the_balanced_mixture(clips, tmp_path):
    """App. C.1's weights, among the groups that are there; a clip without a drag is never drawn."""
    found = ShardClips([clips, clips], 64, 4, tmp_path)
    assert len(found) == 2 * len(ClipStore(clips))
    store = ClipStore(clips)
    np.testing.assert_array_equal(found.frames(len(store) + 1, slice(1, 3)), store[1].frames[1:3])
    drawn = found.mixture(0).draws(0, 20_000)
    weights = found.mixture(0).weights
    groups = np.array(store.column("group") * 2)[drawn]
    for name, weight in weights.items():
        assert np.mean(groups == name) == pytest.approx(weight / sum(weights.values()), abs=0.02)


def test_training_draws_other_drags_by_the_same_rules(clips, tmp_path):
    """From the stored displacement, as `sample_drags` does: each begins on a pixel that moves and goes where that goes."""
    found, stored = ShardClips([clips], 64, 4, tmp_path), ClipStore(clips)[2]
    drawn = [found.drags(2, np.random.default_rng(seed)) for seed in range(8)]
    assert len({one.tobytes() for one in drawn}) > 1
    for seed, paths in enumerate(drawn):
        np.testing.assert_array_equal(sample_drags(stored, np.random.default_rng(seed)).points, paths)
        columns, rows = (paths[:, 0] * 64).astype(int).T
        way = stored.displacement[:, rows, columns].transpose(1, 0, 2).astype(np.float32)
        np.testing.assert_allclose(paths - paths[:, :1], way, atol=1e-6)
        assert (np.linalg.norm(way, axis=-1).max(1) > 0.004).all()


def test_a_scale_begins_with_a_models_weights(clips, tmp_path):
    """As svd does: its VAE and image encoder stay, and what they see of the clips is cached."""
    preset = replace(SMOKE, training={"denoiser": {**STAGE, "accumulate": 2, "activation_checkpointing": True},
                                      "recipe": {"straight": 0.0}})
    build(preset, 3).save_pretrained(tmp_path / "model")
    assert train(preset, str(tmp_path / "run"), data=[str(clips)], weights=str(tmp_path / "model"))
    before, after = (PuppetMasterPipeline.from_pretrained(tmp_path / name) for name in ("model", "run/pipeline"))
    kept = zip(before.vae.state_dict().values(), after.vae.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in kept)
    assert any(not torch.equal(a, b) for a, b in zip(before.unet.parameters(), after.unet.parameters(), strict=True))
    assert list((clips / "features").glob("*/*.safetensors"))
    more = replace(preset, unet={**preset.unet, "max_drags": 7})
    with pytest.raises(TrainingError, match=r"with up to 5 drags came, the scale 'smoke' has 4 of 64 with 7: begin with"):
        train(more, str(tmp_path / "another"), data=[str(clips)], weights=str(tmp_path / "model"))


def test_latents_go_on_where_they_stopped(trained, clips, tmp_path):
    vae, found = build(TRAINED, 0).vae, ShardClips([clips], 64, 4, tmp_path)
    whole = cache_latents(vae, found, tmp_path / "whole.npy", batch=2)
    assert cache_latents(vae, found, tmp_path / "parts.npy", batch=2, until=0.0) is None
    moments = iter([0.0, 0.0, 9.0])  # time runs out after two batches
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("puppetmaster_core.training.data.time.monotonic", lambda: next(moments))
        assert cache_latents(vae, found, tmp_path / "parts.npy", batch=2, until=1.0) is None
    assert int((tmp_path / "parts.done.partial").read_text()) == 4
    np.testing.assert_array_equal(cache_latents(vae, found, tmp_path / "parts.npy", batch=2), whole)
    assert not list(tmp_path.glob("*.partial"))


@contextmanager
def no_file_beyond(size):
    """As on a full disk, for files that grow beyond `size` bytes: the system says so while they are written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_without_room_for_what_is_cached_or_exported_is_said(trained, clips, tmp_path):
    preset = replace(SMOKE, training={"denoiser": STAGE})
    build(preset, 4).save_pretrained(tmp_path / "model")
    folder = shutil.copytree(clips, tmp_path / "clips", ignore=shutil.ignore_patterns("features"))
    with no_file_beyond(4096), pytest.raises(TrainingError, match=r"features: cannot be written .*cached so far are kept"):
        train(preset, str(tmp_path / "run"), data=[str(folder)], weights=str(tmp_path / "model"))
    with no_file_beyond(4096), pytest.raises(TrainingError, match=r"target: cannot be written .*make room and start the same"):
        export(trained, tmp_path / "target")


def test_a_disk_without_room_for_the_latents_is_said_before_any_is_encoded(clips, tmp_path):
    """Found later, a full disk would kill the process: latents are written through a map."""
    vae, found = build(TRAINED, 0).vae, ShardClips([clips], 64, 4, tmp_path)
    with no_file_beyond(4096), pytest.raises(TrainingError, match=r"z.npy: cannot be written \(File too large; .*\); latents"):
        cache_latents(vae, found, tmp_path / "z.npy")
    assert not (tmp_path / "z.npy").exists()


def refused(capsys, *words):
    assert main(["train", *map(str, words)]) == 2
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert line.startswith("puppetmaster train: error:")
    return line


def test_clips_that_do_not_fit_are_refused(clips, tmp_path, capsys):
    line = refused(capsys, "--data", clips, "--output", tmp_path / "a")  # tiny has 14 frames
    assert "clips with frames 4 came, this model wants 14: render them with --frames 14" in line
    assert "no index/*.parquet came" in refused(capsys, "--data", tmp_path, "--output", tmp_path / "b")
    assert "leave one out" in refused(capsys, "--data", clips, "--clips", 3, "--output", tmp_path / "c")
    assert "came without clips: render some at 256 pixels" in refused(capsys, "--scale", "mini", "--output", tmp_path / "d")


def test_a_half_written_shard_is_refused(clips, tmp_path):
    broken = tmp_path / "clips"
    (broken / "index").mkdir(parents=True)
    for path in clips.glob("index/*"):
        (broken / "index" / path.name).write_bytes(path.read_bytes())
    for path in clips.glob("*.tar"):
        (broken / path.name).write_bytes(path.read_bytes())
    cut = broken / "shard-000001.tar"
    cut.write_bytes(cut.read_bytes()[:5000])
    with pytest.raises(TrainingError, match=r"shard-000001.tar: 5000 bytes came, wanted at least \d+: a half-written shard"):
        train(TRAINED, str(tmp_path / "run"), data=[str(broken)])


def test_assets_kept_for_judging_are_refused(tmp_path):
    plan = RenderPlan(find_source("cabinets", 1, 900_001), Filming(size=64, frames=4))
    list(render_clips(tmp_path, plan, workers=0))
    with pytest.raises(TrainingError, match="cabinet-900001 came, but procedural assets with seeds from 900000 on are kept"):
        ShardClips([tmp_path], 64, 4, tmp_path)


# ---- noise, rates, scales ------------------------------------------------------------------------------------------------


def test_at_the_least_noise_a_perfect_network_has_no_loss():
    """What the network predicts is (ε − σ·z_0)/√(σ²+1) (Karras et al. 2022, with σ_data = 1). At σ_min the error of z_0 counts
    250,000 times, and float32 must bear it."""
    g = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(4, 3, 2, 8, 8, generator=g) for _ in range(2))
    sigma = torch.full((4,), SIGMA_MIN)
    root = math.sqrt(SIGMA_MIN**2 + 1)
    assert diffusion_loss(lambda *_: (noise - SIGMA_MIN * clean) / root, clean, sigma, noise).max() < 1e-6
    assert diffusion_loss(lambda *_: torch.zeros_like(clean), clean, sigma, noise) == pytest.approx(1, abs=0.2)  # v ≈ ε


def test_no_item_has_less_noise_than_sampling_meets(clips, tmp_path):
    found = ShardClips([clips], 64, 4, tmp_path)
    settings = RunSettings("run", 1, 256, 1.0, warmup_steps=0)
    items = Items(found, lambda i: np.zeros((4, 4, 8, 8), np.float16), None, settings, Recipe(sigma_mean=-6.0), 5)
    sigma = items.batch(0, range(64))["sigma"]
    assert sigma.min() == pytest.approx(SIGMA_MIN) and sigma.max() > SIGMA_MIN
    both = torch.cat([items.batch(3, rows)["noise"] for rows in (range(3), range(3, 8))])
    assert torch.equal(both, items.batch(3, range(8))["noise"])


def test_activation_checkpointing_changes_no_loss(clips, tmp_path):
    found, losses = ShardClips([clips], 64, 4, tmp_path), []
    for on in (False, True):
        pipeline = build(SMOKE, 0)
        model = Denoiser(pipeline.unet, pipeline.image_encoder, pipeline.time_ids())
        settings = RunSettings(str(tmp_path / str(on)), 2, 2, 1e-2, warmup_steps=0, activation_checkpointing=on)
        items = Items(found, lambda i: np.full((4, 4, 8, 8), 0.1 * i, np.float16), None, settings, Recipe(), 5)
        train_denoiser(model, items, pipeline.latent_space, {})
        assert model.unet.is_gradient_checkpointing == on
        losses.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    torch.testing.assert_close(*losses)


def test_batches_come_in_order_and_their_errors_too():
    def make(step, rows):
        if step == 5:
            raise ValueError("row 5")
        return {"step": torch.tensor([step])}

    with Feed(make, iter((step, range(1)) for step in range(9)), workers=3) as feed:
        assert [int(next(feed)["step"]) for _ in range(5)] == [0, 1, 2, 3, 4]
        with pytest.raises(ValueError, match="row 5"):
            next(feed)


def test_rates():
    """A linear layer of 3 → 5 on 7 rows: 7·3·5 multiply-adds forward and as many for the weights' gradient, 2 FLOP each."""
    layer, x = nn.Linear(3, 5, bias=False), torch.ones(7, 3)
    assert flops_of(layer, lambda: layer(x).sum(), torch.device("cpu")) == 2 * 2 * 7 * 3 * 5
    assert layer.weight.grad is None
    meter = Meter(flops_a_clip=10.0, peak=1000.0)
    meter._since -= 2.0  # two seconds ago
    meter.count(50)
    rates = meter.read(waited=0.5)
    assert rates["clips per second"] == pytest.approx(25, rel=0.05) and rates["MFU"] == pytest.approx(0.25, rel=0.05)
    assert rates["share of time waiting for data"] == pytest.approx(0.25, rel=0.05)
    line = rates_line({"clips per second": 25.04, "MFU": 0.251, "share of time waiting for data": 0.034})
    assert line == "25 clips/s, MFU 25.1%, 3.4% of the time waiting for data"


def test_a_run_ends_with_its_throughput(clips, tmp_path, capsys):
    assert train(TRAINED, str(tmp_path / "run"), stages=("vae",), data=[str(clips)])
    assert re.search(r"vae: [\d.e+]+ clips/s, MFU [\d.]+%, [\d.]+% of the time waiting for data", capsys.readouterr().err)


def test_the_recipes_of_all_scales_are_sound(tmp_path):
    """svd as App. C.1 has it: 12,500 updates of 64 clips, log σ ~ N(0.7, 1.6²), drags dropped with 0.1, EMA 0.9999."""
    for preset in (TINY, MINI, SVD):
        runs.Plan(preset, tmp_path, preset.training, {}, math.inf)
    settings = planning.Plan(SVD, tmp_path, SVD.training, {}, math.inf).settings("denoiser")
    assert (settings.steps, settings.batch_size, settings.accumulate, settings.ema_decay) == (12_500, 64, 64, 0.9999)
    assert (Recipe(**SVD.training["recipe"]).sigma_mean, Recipe().drag_dropout, SVD.frames, SVD.size) == (0.7, 0.1, 14, 256)


@pytest.mark.slow
def test_mini_trains_from_nothing_to_files_that_fit(tmp_path, monkeypatch):
    """Two steps of each stage at its own size: 256 pixels, 14 frames. At most 40 MB, in files of at most 16."""
    monkeypatch.setattr("puppetmaster_core.training.watch.SHOWN", 0)
    plan = RenderPlan(find_source("library", 3), Filming(size=256, frames=14))
    list(render_clips(tmp_path / "clips", plan, workers=0))
    assert train(MINI, str(tmp_path / "run"), data=[str(tmp_path / "clips")], steps=2, batch_size=1)
    export(tmp_path / "run", tmp_path / "mini")
    sizes = [path.stat().st_size for path in (tmp_path / "mini").rglob("*") if path.is_file()]
    assert max(sizes) <= 16e6 and sum(sizes) <= 40e6
    assert PuppetMasterPipeline.from_pretrained(tmp_path / "mini").config.size == 256
