"""`puppetmaster render`: shards come out, whatever happens on the way; bad assets cost themselves."""

import hashlib
import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from killing import Kill, Run, kill_until_done, left_by
from toys import Baked, baked

from procedural_library import make_asset
from procedural_library.glb import to_glb
from puppetmaster_core.assets import AnimationClip, AssetError
from puppetmaster_core.cli import main
from puppetmaster_core.clips import studio
from puppetmaster_core.clips.shards import ClipStore
from puppetmaster_core.clips.sources import find_source
from puppetmaster_core.clips.studio import Filming, film, sample_times
from puppetmaster_core.render import BlenderError
from puppetmaster_core.render import render as fast_render

SMALL = ["--size", "16", "--frames", "3", "--assets-a-shard", "4", "--workers", "1"]


def render(source, output, *more):
    return main(["render", str(source), "--output", str(output), *SMALL, *map(str, more)])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Ten cabinets in three shards, rendered at one go by two processes."""
    folder = tmp_path_factory.mktemp("clips") / "whole"
    assert render("cabinets", folder, "--count", 10, "--workers", 2) == 0
    return folder


def test_clips_come_out(whole, capsys):
    store = ClipStore(whole)
    assert len(store) == 10 and len(set(store.column("key"))) == 10
    assert store[0].frames.shape == (3, 16, 16, 3)
    report = json.loads((whole / "report.json").read_text())
    assert (report["clips"], report["assets"], report["shards"], report["failures"]) == (10, 10, 3, [])
    assert sorted(p.name for p in whole.iterdir()) == [
        "index", "plan.json", "report.json", *(f"shard-{i:06d}.tar" for i in range(3))]


def test_a_killed_run_goes_on_and_loses_and_doubles_nothing(whole, tmp_path):
    """SIGKILL after the first asset and, of the next run, after two more; tests/killing.py does it more often."""
    assert kill_until_done(Run(("render", "cabinets", *SMALL[:4]), 10, 4), tmp_path / "killed", [Kill(1), Kill(2)]) == 2
    assert left_by(tmp_path / "killed") == left_by(whole)


@pytest.mark.parametrize("lost", ["index/shard-000001.parquet", "shard-000001.tar"])
def test_a_shard_without_its_index_or_an_index_without_its_shard_is_made_again(whole, lost):
    """What is left when the kill comes between the two."""
    before = left_by(whole)
    (whole / lost).unlink()
    (whole / ".shard-000001.tar.7-0.partial").write_bytes(b"half")
    assert render("cabinets", whole, "--count", 10) == 0
    assert left_by(whole) == before and len(ClipStore(whole)) == 10
    assert not list(whole.glob(".*"))


def test_an_asset_that_fails_costs_itself_and_is_named_with_its_cause(tmp_path, capsys):
    models = tmp_path / "models"
    (models / "deep").mkdir(parents=True)
    (models / "a.glb").write_bytes(to_glb(make_asset("safe", 0), {"category": "Furnitures", "shape": "safe"}))
    (models / "broken.glb").write_bytes(b"glTF" + bytes(100))
    (models / "deep" / "z.glb").write_bytes(to_glb(make_asset("box", 0), {}))
    (models / "manifest.csv").write_text("file,licence,author,category\ndeep/z.glb,CC-BY-4.0,A. Smith,Daily-Used\n")
    assert render(models, tmp_path / "clips", "--views", 2, "--setting", "release", "--background", "random") == 0
    store = ClipStore(tmp_path / "clips")
    assert store.column("asset") == ["a.glb"] * 2 + ["deep/z.glb"] * 2 and store.column("view") == [0, 1, 0, 1]
    assert store.column("category") == ["Furnitures"] * 2 + ["Daily-Used"] * 2
    assert store.column("licence")[2] == "CC-BY-4.0" and store[2].provenance["author"] == "A. Smith"
    assert store.column("source_sha256")[0] == hashlib.sha256((models / "a.glb").read_bytes()).hexdigest()
    report = json.loads((tmp_path / "clips" / "report.json").read_text())
    [failure] = report["failures"]
    assert failure["asset"] == "broken.glb" and "broken.glb" in failure["cause"]
    assert "broken.glb" in capsys.readouterr().err
    (models / "broken.glb").write_bytes((models / "a.glb").read_bytes())
    assert render(models, tmp_path / "clips", "--views", 2, "--setting", "release", "--background", "random", "--retry") == 0
    assert len(ClipStore(tmp_path / "clips")) == 6
    assert json.loads((tmp_path / "clips" / "report.json").read_text())["failures"] == []


@dataclass
class Twofold(Baked):
    """Its second animation cannot be computed."""

    def vertices(self, clip, t):
        if clip == 1:
            raise AssetError("animation 1 puts vertices at places that are not finite")
        return super().vertices(clip, t)


def twofold():
    corners = np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0, 0.5, 0.0]])
    asset = baked(corners + np.array([0, 0.3, 0.6])[:, None, None] * (1, 0, 0), [[0, 1, 2]])
    clips = [AnimationClip(name, 1.0) for name in ("slide", "burst", "again")]
    return Twofold(**{**vars(asset), "clips": clips, "provenance": {"sha256": "0" * 64}})


def test_an_animation_that_cannot_be_computed_costs_its_own_clips_only():
    shots = list(film(twofold(), 0, "two", Filming(size=16, frames=3)))
    assert [shot.clip is None for shot in shots] == [False, True, False]
    assert shots[1].reason == "animation 'burst': animation 1 puts vertices at places that are not finite"


def test_blender_draws_the_views_that_the_fast_renderer_found(monkeypatch):
    calls = []

    def drawn(asset, positions, camera, size, *, lights, time_limit):
        calls.append(time_limit)
        if len(calls) == 6:
            raise BlenderError("Blender ended with exit code 1; its last word: no memory", "many words\nno memory")
        return fast_render(asset, positions, camera, size, lights=lights)

    monkeypatch.setattr(studio, "render_blender", drawn)
    how = Filming(size=16, frames=3, views=4)
    fast, slow = (list(film(twofold(), 0, "two", replace(how, renderer=name), 100)) for name in ("fast", "blender"))
    assert calls == [90] * 8  # nine tenths of a clip's time, so that Blender ends before its worker does
    for ours, theirs in zip(fast[:4], slow[:4], strict=True):
        assert ours.key == theirs.key
        np.testing.assert_array_equal(ours.clip.frames, theirs.clip.frames)
        np.testing.assert_array_equal(ours.clip.drags, theirs.clip.drags)
    lost = [shot for shot in slow if shot.detail]
    assert [shot.key[-3:] for shot in lost] == ["v01"] and lost[0].detail == "many words\nno memory"
    assert "animation 'again', view 2: Blender ended with exit code 1" in lost[0].reason


def test_what_files_and_manifests_say_is_found_and_made_fit(tmp_path):
    """A manifest beside the file goes before one above it; a seed that no index can hold is left out."""
    (tmp_path / "a").mkdir()
    label = {"licence": "CC0-1.0", "shape": "safe", "source": "procedural:safe", "seed": 10**30, "kind": ["no text"]}
    for name in ("a/x.glb", "y.glb"):
        (tmp_path / name).write_bytes(to_glb(make_asset("safe", 0), label))
    (tmp_path / "manifest.csv").write_text("file,licence,author\na/x.glb,above,Above\n")
    (tmp_path / "a" / "manifest.csv").write_text("file,licence\nx.glb,beside\n")
    source = find_source(str(tmp_path))
    x, y = source.open(0).provenance, source.open(1).provenance
    assert (x["licence"], "author" in x, y["licence"], y["shape"]) == ("beside", False, "CC0-1.0", "safe")
    assert "seed" not in y and "kind" not in y


def test_an_asset_that_takes_too_long_is_given_up(tmp_path, capsys):
    assert render("cabinets", tmp_path / "clips", "--count", 1, "--time-limit", 0.1, "--size", 2048) == 2
    assert "got no clip of 1 assets, expected some" in capsys.readouterr().err  # a run of which nothing comes is no success
    [failure] = json.loads((tmp_path / "clips" / "report.json").read_text())["failures"]
    assert failure["cause"] == "took longer than 0.1 s"
    assert len(ClipStore(tmp_path / "clips")) == 0


def test_an_asset_that_does_not_move_is_named(tmp_path):
    shots = list(film(make_asset("static", 0), 0, "static-000000", Filming(size=16, frames=3, views=2)))
    assert [shot.clip for shot in shots] == [None, None]
    assert "nothing visible moves" in shots[0].reason
    [there_and_back] = film(make_asset("fish", 0), 0, "fish-000000", Filming(size=16, frames=3, rules="drag-a-move"))
    assert "nothing visible ends elsewhere than it began" in there_and_back.reason


def test_frames_at_a_pace_start_anywhere_and_know_what_follows():
    """At 10 frames a second 3 frames last 0.2 s of the animation's 2 s; what follows goes on at the same pace to its end."""
    asset = make_asset("storage", 0)
    duration = asset.clips[0].duration
    starts = []
    for seed in range(50):
        times, later = sample_times(asset, 0, Filming(frames=3, fps=10), np.random.default_rng(seed))
        together = np.concatenate([times, later])
        assert len(times) == 3 and together[-1] <= duration + 1e-9 and duration - together[-1] < 0.1
        np.testing.assert_allclose(np.diff(together), 0.1)
        starts.append(times[0])
    assert min(starts) < 0.1 * duration and max(starts) > 0.8 * (duration - 0.2)
    times, later = sample_times(asset, 0, Filming(frames=3), np.random.default_rng(0))
    np.testing.assert_allclose(times, [0, duration / 2, duration])
    assert len(later) == 0


@pytest.mark.slow  # Ray needs half a minute to start where processors are few
def test_ray_gives_the_same_shards(whole, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed")
    assert render("cabinets", tmp_path / "ray", "--count", 10, "--engine", "ray", "--workers", 2) == 0
    assert left_by(tmp_path / "ray") == left_by(whole)


