"""A damaged shard, clip or cache costs itself only, with the reason on record, and is mended as the error says."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from killing import left_by

from puppetmaster_core.cli import main
from puppetmaster_core.clips.features import Features, cache_features
from puppetmaster_core.clips.records import ClipError, frames_of, from_tar, to_members, to_tar
from puppetmaster_core.clips.rendering import RenderPlan, missing_shards, render_clips
from puppetmaster_core.clips.shards import ClipStore
from puppetmaster_core.clips.sources import find_source
from puppetmaster_core.clips.studio import Filming
from puppetmaster_core.pipeline import build
from puppetmaster_core.presets import SMOKE
from puppetmaster_core.training.config import TrainingError
from puppetmaster_core.training.run import train
from puppetmaster_core.training.shard_clips import ShardClips

SIZE, FRAMES = SMOKE.size, SMOKE.frames
PLAN = RenderPlan(find_source("library", 6), Filming(size=SIZE, frames=FRAMES), assets_a_shard=3)
COMMAND = ["render", "library", "--count", "6", "--size", str(SIZE), "--frames", str(FRAMES), "--assets-a-shard", "3",
           "--workers", "1"]
STAGE = {"steps": 2, "batch_size": 4, "learning_rate": 1e-3, "warmup_steps": 1}
TRAINED = replace(SMOKE, residual=True, anchor=0.25, training={"vae": STAGE, "denoiser": STAGE})


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Six clips of the library in two shards."""
    folder = tmp_path_factory.mktemp("clips") / "whole"
    list(render_clips(folder, PLAN, workers=0))
    assert len(ClipStore(folder)) == 6
    return folder


@pytest.fixture
def clips(whole, tmp_path):
    """The same to damage."""
    return shutil.copytree(whole, tmp_path / "clips")


def cut(path, size=0):
    path.write_bytes(path.read_bytes()[:size])


def overwrite(folder, number, ending):
    """Zeros over a member of a clip: a disk's damage."""
    store = ClipStore(folder)
    shard, offset, length = (store.column(name)[number] for name in ("shard", "offset", "length"))
    with open(folder / shard, "r+b") as file:
        file.seek(offset)
        data = file.read(length)
        file.seek(offset + data.index(f"{store.column('key')[number]}.{ending}".encode()) + 512)
        file.write(bytes(len(from_tar(data)[ending])))


# ---- shards --------------------------------------------------------------------------------------------------------------


def test_a_half_written_shard_is_made_again_by_the_command_that_the_error_names(whole, clips, tmp_path, capsys):
    cut(clips / "shard-000001.tar", 5000)
    with pytest.raises(TrainingError, match="a half-written shard, render it again: the same puppetmaster render command does"):
        ShardClips([clips], SIZE, FRAMES, tmp_path)
    assert main([*COMMAND, "--output", str(clips)]) == 0
    captured = capsys.readouterr()
    assert "made now: 3" in captured.out
    assert f"shard 1 is made again, as {clips}/shard-000001.tar: got 5000 bytes, expected at least" in captured.err
    assert left_by(clips) == left_by(whole)
    assert len(ShardClips([clips], SIZE, FRAMES, tmp_path)) == 6


def test_an_index_that_cannot_be_read_is_made_again(whole, clips):
    cut(clips / "index" / "shard-000000.parquet")
    with pytest.raises(ClipError, match="expected an index: render again"):
        ClipStore(clips)
    assert main([*COMMAND, "--output", str(clips)]) == 0
    assert left_by(clips) == left_by(whole) and ClipStore(clips).index.equals(ClipStore(whole).index)


@pytest.mark.parametrize("name, damage", [
    ("shard-000000.tar", cut), ("index/shard-000000.parquet", lambda path: cut(path, 300)),
    ("index/shard-000000.parquet", lambda path: path.write_bytes(b"PAR1" + bytes(3000) + b"PAR1")),
    ("failures/shard-000000.json", lambda path: path.write_text('[{"asset"'))])
@pytest.mark.parametrize("retry", [False, True])
def test_only_the_damaged_shard_is_to_be_made(clips, capsys, name, damage, retry):
    assert missing_shards(clips, PLAN, retry) == [] and not capsys.readouterr().err
    (clips / "failures").mkdir()
    damage(clips / name)
    assert missing_shards(clips, PLAN, retry) == [0]
    assert f"shard 0 is made again, as {clips / name}: " in capsys.readouterr().err


# ---- clips ---------------------------------------------------------------------------------------------------------------


def test_a_damaged_clip_is_left_out_of_the_mixture_and_the_run_goes_on(whole, clips, tmp_path, capsys):
    """A picture of clip 0 and the labels of clip 4 are damaged: all stages train, again and again, on the other four."""
    overwrite(clips, 0, "02.webp")
    overwrite(clips, 4, "labels.npz")
    run = tmp_path / "run"
    assert train(TRAINED, str(run), data=[str(clips)])
    keys = ClipStore(clips).column("key")
    line = next(line for line in capsys.readouterr().err.splitlines() if "left out" in line)
    [record] = run.glob("left_out-*.json")
    assert f"2 of 6 clips, listed in {record}; the first: {clips}/shard-000000.tar, clip {keys[0]}: a clip cannot be read" in line
    causes = json.loads(record.read_text())
    assert [cause["clip"] for cause in causes] == [0, 4] and keys[4] in causes[1]["cause"]
    settings = json.loads((run / "denoiser" / "settings.json").read_text())
    assert settings["clips"] == 6 and settings["groups"]["cannot be read"] == 2
    found = ShardClips([clips], SIZE, FRAMES, run)  # a later start: from the cache
    assert set(found.mixture(0).draws(0, 1000)) == {1, 2, 3, 5}
    assert "2 of 6 clips" in capsys.readouterr().err
    assert train(replace(TRAINED, training={**TRAINED.training, "denoiser": {**STAGE, "steps": 3}}), str(run), data=[str(clips)])


def test_clips_beside_a_damaged_one_keep_their_numbers_and_latents(whole, clips, tmp_path):
    overwrite(clips, 0, "00.webp")
    vae = build(SMOKE, 0).vae
    (tmp_path / "run").mkdir()
    there, here = ShardClips([whole], SIZE, FRAMES, tmp_path), ShardClips([clips], SIZE, FRAMES, tmp_path / "run")
    for number in range(1, 6):
        np.testing.assert_array_equal(here.frames(number), there.frames(number))
        np.testing.assert_array_equal(*(one.drags(number, np.random.default_rng(0)) for one in (here, there)))
    latents, wanted = here.features(vae), there.features(vae)
    for number in range(1, 6):
        assert torch.equal(latents(number)[0], wanted(number)[0])


def test_what_was_left_out_stays_so_in_its_run_folder_and_is_taken_by_a_new_one(whole, clips, tmp_path):
    """The clip is mended while a run is under way: that keeps to its mixture; should its cache be lost, it is another run's."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    overwrite(clips, 2, "01.webp")
    before = ShardClips([clips], SIZE, FRAMES, tmp_path / "old")
    shutil.copyfile(whole / "shard-000000.tar", clips / "shard-000000.tar")
    after = ShardClips([clips], SIZE, FRAMES, tmp_path / "old")
    assert list(after.left_out) == [2] and after.digest == before.digest
    np.testing.assert_array_equal(after.mixture(3).draws(0, 50), before.mixture(3).draws(0, 50))
    fresh = ShardClips([clips], SIZE, FRAMES, tmp_path / "new")
    assert not fresh.left_out and fresh.digest != before.digest and not list((tmp_path / "new").glob("left_out*"))


def test_a_clip_damaged_after_the_start_is_an_error_that_names_it(clips, tmp_path):
    found = ShardClips([clips], SIZE, FRAMES, tmp_path)
    overwrite(clips, 3, "00.webp")
    with pytest.raises(ClipError, match=f"clip {ClipStore(clips).column('key')[3]}: a clip cannot be read"):
        found.frames(3)
    cut(clips / "shard-000000.tar")
    with pytest.raises(ClipError, match="the shard is too short"):
        found.frames(0)


def test_clips_that_are_all_damaged_are_refused(clips, tmp_path):
    for number in range(6):
        overwrite(clips, number, "labels.npz")
    with pytest.raises(TrainingError, match=r"got no clip that can be used, expected some; the first: .*shard-000000\.tar"):
        ShardClips([clips], SIZE, FRAMES, tmp_path)
    assert not list(tmp_path.glob("unreadable*"))


def test_a_clip_of_which_members_are_lost_cannot_be_read(whole):
    """A tar file seems to end at a damaged header: the pictures before it must not pass for the whole clip."""
    data = bytearray(to_tar("a", to_members(ClipStore(whole)[0])))
    assert len(frames_of(from_tar(bytes(data)))) == FRAMES
    at = data.index(b"a.02.webp")
    data[at : at + 512] = bytes(512)
    with pytest.raises(ClipError, match=f"{at} of {len(data)} bytes are whole"):
        from_tar(bytes(data))


def test_a_damaged_clip_has_no_features_until_it_is_mended(whole, clips, capsys):
    pipeline = build(SMOKE, 0)
    torch.manual_seed(0)
    models = pipeline.vae, pipeline.image_encoder
    overwrite(clips, 1, "00.webp")
    features, times = Features(clips, made := cache_features(clips, *models, batch=2)), []
    assert f"left out: {clips}/shard-000000.tar, clip {ClipStore(clips).column('key')[1]}" in capsys.readouterr().err
    with pytest.raises(ClipError, match="got no features of clip 1, which could not be read: render its shard again"):
        features[1]
    for _ in range(2):
        times.append([path.stat().st_mtime_ns for path in sorted(made.iterdir())])
        cache_features(clips, *models)
    assert times[0] == times[1]  # nothing is encoded twice
    shutil.copyfile(whole / "shard-000000.tar", clips / "shard-000000.tar")
    cache_features(clips, *models, batch=2)
    wanted = Features(whole, cache_features(whole, *models, batch=2))
    for number in range(6):
        assert all(map(torch.equal, features[number], wanted[number]))


# ---- what a run folder keeps ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 700])
def test_truncated_caches_of_a_run_are_made_again(clips, tmp_path, size):
    vae, found = build(SMOKE, 0).vae, ShardClips([clips], SIZE, FRAMES, tmp_path)
    latents = found.features(vae)(0)[0].clone()  # not of the file that is cut
    cut(next(tmp_path.glob("unreadable-*.json")), size // 700)
    cut(next(clips.glob("features/*/*000.safetensors")), size)
    again = ShardClips([clips], SIZE, FRAMES, tmp_path)
    assert again.digest == found.digest and torch.equal(again.features(vae)(0)[0], latents)
