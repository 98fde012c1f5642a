"""Training runs as a whole: killed at any moment, several processes, clips from shards, what they leave, and what is refused."""

import json
import os
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

from puppetmaster_core.clips.drag_sampling import sample_drags
from puppetmaster_core.clips.features import model_digest
from puppetmaster_core.clips.mixture import Mixture
from puppetmaster_core.clips.rendering import RenderPlan, render_clips
from puppetmaster_core.clips.shards import ClipStore
from puppetmaster_core.clips.sources import find_source
from puppetmaster_core.clips.studio import Filming
from puppetmaster_core.diffusion import SIGMA_MIN
from puppetmaster_core.drags import Drags
from puppetmaster_core.jobs import JobError
from puppetmaster_core.pipeline import PuppetMasterPipeline, build
from puppetmaster_core.presets import MINI, SMOKE
from puppetmaster_core.training.checkpoint import lock_run
from puppetmaster_core.training.config import Recipe, RunSettings, TrainingError
from puppetmaster_core.training.denoiser import PictureItems
from puppetmaster_core.training.export import export, scalars
from puppetmaster_core.training.run import train
from puppetmaster_core.training.shard_clips import ShardClips

STAGE = {"steps": 2, "batch_size": 2, "learning_rate": 1e-3, "warmup_steps": 1}
TRAINED = replace(SMOKE, residual=True, anchor=0.25,
                  training={"vae": STAGE, "denoiser": STAGE, "recipe": {"short_steps": 1, "short_frames": 3}})


def in_processes(folder, *works):
    """What training_processes.py says of these."""
    command = [sys.executable, Path(__file__).with_name("training_processes.py"), folder, *works]
    done = subprocess.run(command, capture_output=True, text=True, timeout=590, env={**os.environ, "OMP_NUM_THREADS": "1"})
    print(done.stderr)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    return in_processes(tmp_path_factory.mktemp("processes"), "killed", "together")


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


def losses(stage):
    found = scalars(stage)["loss"]
    return [found[step] for step in sorted(found)]


@pytest.fixture(scope="module")
def scales(tmp_path_factory):
    """All stages of a small scale by one process, by two, and its denoiser by two that share it out."""
    folder = tmp_path_factory.mktemp("scales")
    assert not any(in_processes(folder, "scales")["scales"]["codes"])
    return folder


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_train_a_scale_as_one_does(scales):
    """The VAE and the denoiser: the same losses up to the order of summing, through checkpoints, latents and all."""
    for stage in ("vae", "denoiser"):
        assert len(losses(scales / "one" / stage)) == 3
        np.testing.assert_allclose(losses(scales / "two" / stage), losses(scales / "one" / stage), rtol=1e-3)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_model_that_is_shared_out_trains_as_a_whole_one(scales):
    """FSDP, stopped and resumed from its own checkpoint: the losses, the last checkpoint and the pipeline of one process."""
    by_one, run = scales / "one", scales / "shared"
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


# ---- a scale, from shards to a model -------------------------------------------------------------------------------------


def render(folder, source, size=64, frames=4):
    plan = RenderPlan(source, Filming(size=size, frames=frames), assets_a_shard=4)
    list(render_clips(folder, plan, workers=0))
    return folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Six clips of the library, of two groups, in two shards."""
    return render(tmp_path_factory.mktemp("clips"), find_source("library", 6))


@pytest.fixture(scope="module")
def trained(clips, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    assert train(TRAINED, str(folder), data=[str(clips)])
    return folder


def test_a_scale_trains_from_nothing_to_a_pipeline(trained, clips):
    pipeline = PuppetMasterPipeline.from_pretrained(trained / "pipeline")
    video = pipeline(np.full((64, 64, 3), 200, np.uint8), Drags(np.array([[[0.2, 0.2], [0.8, 0.8]]])), seed=0)
    assert video.frames.shape == (4, 64, 64, 3)
    assert pipeline.latent_space.residual and pipeline.latent_space.scale != 1.0  # measured on the latents
    record = json.loads((trained / "denoiser" / "settings.json").read_text())
    assert record["settings"]["steps"] == 2 and record["preset"]["name"] == "smoke" and "commit" in record
    assert set(record["versions"]) >= {"torch", "diffusers"} and list((trained / "denoiser" / "log").glob("events*"))
    assert record["clips"] == len(ClipStore(clips)) and sum(record["groups"].values()) == record["clips"]


def test_a_finished_run_is_not_repeated(trained, clips):
    kept = lambda: [*trained.glob("vae/final/*"), *trained.glob("*/checkpoints/*"), *clips.glob("features/*/*")]  # noqa: E731
    times = lambda: {p: p.stat().st_mtime_ns for p in kept()}  # noqa: E731
    before = times()
    assert len(before) >= 6 and train(TRAINED, str(trained), data=[str(clips)])
    assert times() == before


def test_without_clips_half_are_rendered_as_cabinets_and_time_runs_out_cleanly(tmp_path):
    preset = replace(TRAINED, training={**TRAINED.training, "clips": 2})
    assert not train(preset, str(tmp_path), max_seconds=0)
    assert len(ClipStore(tmp_path / "clips" / "cabinets")) == 1
    assert not (tmp_path / "vae" / "final").exists() and not (tmp_path / "denoiser").exists()
    with pytest.raises(TrainingError, match="run the stage 'vae' first"):
        train(preset, str(tmp_path), stages=("denoiser",))
    assert train(preset, str(tmp_path), stages=("vae",))


def test_folders_of_shards_are_drawn_as_one_balanced_mixture(clips, tmp_path):
    found, store = ShardClips([clips, clips], 64, 4, tmp_path), ClipStore(clips)
    assert len(found) == 2 * len(store)
    np.testing.assert_array_equal(found.frames(len(store) + 1, slice(1, 3)), store[1].frames[1:3])
    np.testing.assert_array_equal(found.mixture(3).draws(0, 99), Mixture.of(store.column("group") * 2, 3).draws(0, 99))


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


def test_no_item_has_less_noise_than_sampling_meets(clips, tmp_path):
    settings = RunSettings("run", 1, 256, 1.0, warmup_steps=0)
    items = PictureItems(ShardClips([clips], 64, 4, tmp_path), settings, Recipe(sigma_mean=-6.0), 4, 5, (4, 8, 8),
                         lambda i: np.zeros((4, 4, 8, 8), np.float16))
    sigma = items.batch(0, range(64))["sigma"]
    assert sigma.min() == pytest.approx(SIGMA_MIN) and sigma.max() > SIGMA_MIN
    both = torch.cat([items.batch(3, rows)["noise"] for rows in (range(3), range(3, 8))])
    assert torch.equal(both, items.batch(3, range(8))["noise"])


# ---- on from a model, and out as one -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained_on(trained, clips, tmp_path_factory):
    """A run that began with what `trained` exports: "given" and "run" in a folder."""
    folder = tmp_path_factory.mktemp("on")
    export(trained, folder / "given")
    assert train(TRAINED, str(folder / "run"), data=[str(clips)], seed=1, weights=str(folder / "given"))
    return folder


def test_a_model_is_trained_on_and_keeps_its_vae(trained_on, clips):
    before, after = (PuppetMasterPipeline.from_pretrained(trained_on / name) for name in ("given", "run/pipeline"))
    assert all(torch.equal(a, b) for a, b in zip(before.vae.parameters(), after.vae.parameters(), strict=True))
    assert after.latent_space == before.latent_space
    moved = [(a - b).abs().max() for a, b in zip(before.unet.parameters(), after.unet.parameters(), strict=True)]
    assert 0 < max(moved) < 0.1  # two small steps from where it was; this seed's random weights are farther away
    with pytest.raises(TrainingError, match=r"holds a run with first weights=.*given, this one has first weights=none"):
        train(TRAINED, str(trained_on / "run"), stages=("denoiser",), data=[str(clips)], seed=1, steps=3)


def test_a_run_is_exported_with_its_log_and_that_of_the_model_it_began_with(trained_on, tmp_path):
    weights = sorted((trained_on / "given").rglob("*.safetensors"))
    assert len(weights) == 3 and all(".fp16." in path.name for path in weights)
    assert PuppetMasterPipeline.from_pretrained(trained_on / "given").unet.dtype == torch.float32
    export(trained_on / "run", tmp_path)
    first, second = (json.loads((folder / "training_log.json").read_text()) for folder in (trained_on / "given", tmp_path))
    assert list(first) == ["vae", "denoiser"] and first["vae"]["settings"]["steps"] == 2
    assert {name: second[name] for name in first} == first and list(second) == [*first, "denoiser 2"]
    assert (first["denoiser"]["settings"]["seed"], second["denoiser 2"]["settings"]["seed"]) == (0, 1)


def test_a_scale_begins_with_a_models_weights(clips, tmp_path):
    """As svd does, which has no stage for the VAE: what that and the image encoder see of the clips is cached."""
    preset = replace(SMOKE, training={"denoiser": {**STAGE, "accumulate": 2}, "recipe": {"straight": 0.0}})
    build(preset, 3).save_pretrained(tmp_path / "model")
    assert train(preset, str(tmp_path / "run"), data=[str(clips)], weights=str(tmp_path / "model"))
    before, after = (PuppetMasterPipeline.from_pretrained(tmp_path / name) for name in ("model", "run/pipeline"))
    assert any(not torch.equal(a, b) for a, b in zip(before.unet.parameters(), after.unet.parameters(), strict=True))
    assert list((clips / "features").glob("*/*.safetensors"))
    more = replace(preset, unet={**preset.unet, "max_drags": 7})
    with pytest.raises(TrainingError, match=r"got a model with max_drags=5, the scale 'smoke' has 7: begin with"):
        train(more, str(tmp_path / "another"), data=[str(clips)], weights=str(tmp_path / "model"))


# ---- caches, disks, clips that do not fit --------------------------------------------------------------------------------


def test_latents_go_on_where_they_stopped(clips, tmp_path, monkeypatch):
    vae, found = build(TRAINED, 6).vae, ShardClips([clips], 64, 4, tmp_path)
    moments = iter([0.0, 9.0])  # time runs out after the first of two shards
    with monkeypatch.context() as patch:
        patch.setattr("puppetmaster_core.clips.features.time.monotonic", lambda: next(moments))
        assert found.features(vae, until=1.0) is None
    [first] = clips.glob(f"features/{model_digest(vae)}/*")
    written = first.stat().st_mtime_ns
    _, embedding = found.features(vae)(5)
    assert embedding.shape == (0,) and first.stat().st_mtime_ns == written


@contextmanager
def no_file_beyond(size):
    """As on a full disk, for files that grow beyond `size` bytes: the system says so while they are written."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_without_room_is_said_and_nothing_is_lost(trained, clips, tmp_path):
    vae, found = build(TRAINED, 5).vae, ShardClips([clips], 64, 4, tmp_path)
    with no_file_beyond(4096), pytest.raises(TrainingError, match=r"features: cannot be written \(.*\); features cached so far"):
        found.features(vae)
    assert not list(clips.glob(f"features/{model_digest(vae)}/*"))
    with no_file_beyond(4096), pytest.raises(TrainingError, match=r"target: cannot be written .*make room and start the same"):
        export(trained, tmp_path / "target")


def test_a_run_folder_in_use_is_left_alone(tmp_path):
    with lock_run(tmp_path), pytest.raises(JobError, match="another run is at work here"):
        train(TRAINED, str(tmp_path), data=["none"])


def test_a_run_does_not_go_on_with_another_recipe_or_network(trained, clips, tmp_path):
    given = {"data": [str(clips)], "steps": 4, "warmup_steps": 1}
    with pytest.raises(TrainingError, match=r"holds a run with drag_dropout=0.1, this one has drag_dropout=0.9: use another"):
        train(TRAINED, str(trained), config={"recipe": {"drag_dropout": 0.9}}, **given)
    wider = replace(TRAINED, unet={**TRAINED.unet, "modulation_channels": (16, 32)})
    with pytest.raises(TrainingError, match=r"holds a run with unet=.*, this one has unet="):
        train(wider, str(trained), **given)
    other = replace(TRAINED, vae={**TRAINED.vae, "latent_channels": 8}, unet={**TRAINED.unet, "in_channels": 12})
    shutil.copytree(trained / "vae", tmp_path / "vae")
    with pytest.raises(TrainingError, match=r"got a VAE with latent_channels=4, expected 8"):
        train(other, str(tmp_path), data=[str(clips)])


def test_clips_kept_for_judging_are_refused(tmp_path):
    kept = render(tmp_path / "kept", find_source("cabinets", 1, 900_001))
    with pytest.raises(TrainingError, match="cabinet-900001, but procedural assets with seeds from 900000 on are kept"):
        ShardClips([kept], 64, 4, tmp_path)


def test_mini_is_exported_in_files_that_fit(tmp_path):
    """At most 40 MB, in files of at most 16."""
    build(MINI).save_pretrained(tmp_path / "run" / "pipeline")
    export(tmp_path / "run", tmp_path / "mini")
    sizes = [path.stat().st_size for path in (tmp_path / "mini").rglob("*") if path.is_file()]
    assert max(sizes) <= 16e6 and sum(sizes) <= 40e6
    assert PuppetMasterPipeline.from_pretrained(tmp_path / "mini").config.size == 256
