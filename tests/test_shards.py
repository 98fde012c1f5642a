"""Clips on disk: WebDataset reads them, DuckDB reads their index, and they come back as they were."""

import io
import json

import duckdb
import numpy as np
import pytest
import torch
import webdataset

from puppetmaster_core.clips.features import Features, cache_features
from puppetmaster_core.clips.records import ClipError, from_members, from_tar, labels_of, to_members, to_tar
from puppetmaster_core.clips.rendering import RenderPlan, render_clips
from puppetmaster_core.clips.shards import ClipStore, shard_name
from puppetmaster_core.clips.sources import find_source
from puppetmaster_core.clips.studio import Filming, film
from puppetmaster_core.latents.pictures import encode
from puppetmaster_core.pipeline import build
from puppetmaster_core.presets import PRESETS

HOW = Filming(size=32, frames=4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five cabinets in two shards."""
    folder = tmp_path_factory.mktemp("clips")
    made = render_clips(folder, RenderPlan(find_source("cabinets", 5), HOW, assets_a_shard=3), workers=0)
    assert sum(len(outcome.result["rows"]) for outcome in made) == 5
    return folder


@pytest.fixture(scope="module")
def shots():
    """The same clips, filmed here."""
    source = find_source("cabinets", 5)
    return [shot for i in range(5) for shot in film(source.open(i), i, source.name(i), HOW)]


def same(clip, other):
    for name in ("frames", "alpha", "part_ids", "drags", "drag_visibility", "displacement", "depth", "seen",
                 "field_parts"):
        np.testing.assert_array_equal(getattr(clip, name), getattr(other, name))
    for name in ("camera", "category", "provenance", "tools"):
        assert getattr(clip, name) == getattr(other, name)


def test_clips_come_back_as_they_were_in_order(folder, shots):
    store = ClipStore(folder)
    assert store.column("key") == [shot.key for shot in shots]
    for clip, shot in zip(store, shots, strict=True):
        same(clip, shot.clip)


def test_webdataset_reads_the_shards(folder, shots):
    paths = [str(folder / shard_name(i)) for i in range(2)]
    samples = list(webdataset.WebDataset(paths, shardshuffle=False).decode("rgb8"))
    assert [sample["__key__"] for sample in samples] == [shot.key for shot in shots]
    for sample, shot in zip(samples, shots, strict=True):
        for n, frame in enumerate(shot.clip.frames):
            np.testing.assert_array_equal(sample[f"{n:02d}.webp"], frame)
        np.testing.assert_array_equal(sample["labels.npz"]["drags"], shot.clip.drags)
        assert sample["json"]["provenance"] == shot.clip.provenance


def test_duckdb_reads_the_index(folder, shots):
    query = f"""SELECT "group", count(*), sum(drags), max(travel) FROM '{folder}/index/*.parquet' GROUP BY ALL"""
    rows = duckdb.sql(query).fetchall()
    drags = [shot.clip.drags for shot in shots]
    travel = max(np.linalg.norm(d - d[:, :1], axis=-1).max() for d in drags)
    assert rows == [("Drag-a-Move", 5, sum(map(len, drags)), pytest.approx(travel))]


def test_clips_of_an_older_version_are_read_without_what_it_kept_more(shots):
    """Their candidate tracks are passed over; what they lack is empty, or said where it is asked for."""
    members, buffer = to_members(shots[0].clip), io.BytesIO()
    with np.load(io.BytesIO(members["labels.npz"])) as stored:
        kept = {name: stored[name] for name in stored.files if name != "displacement"}
    np.savez(buffer, tracks=np.zeros((1, 4, 2), np.float32), **kept)
    older = {**members, "labels.npz": buffer.getvalue()}
    assert from_members(older).displacement.size == 0
    np.testing.assert_array_equal(from_members(older).drags, shots[0].clip.drags)
    with pytest.raises(ClipError, match="got a clip without displacement, made by an older version: render it again"):
        labels_of(older, ("drags", "displacement"))


@pytest.mark.parametrize("seed", range(8))
def test_damaged_members_are_clip_errors(shots, seed):
    """Whatever is damaged, the error is ours; and arrays of objects, which want pickle, are refused."""
    rng = np.random.default_rng(seed)
    data = bytearray(to_tar("a", to_members(shots[0].clip)))
    for place in rng.integers(0, len(data), 40):
        data[place] = rng.integers(256)
    try:
        from_members(from_tar(bytes(data)))
    except ClipError as error:
        assert "\n" not in str(error)


def test_pickled_labels_are_refused(shots):
    members, buffer = to_members(shots[0].clip), io.BytesIO()
    np.savez(buffer, drags=np.array([print], dtype=object))
    with pytest.raises(ClipError):
        from_members({**members, "labels.npz": buffer.getvalue()})
    with pytest.raises(ClipError):
        from_members({**members, "json": json.dumps([1]).encode()})


def test_features_are_what_the_model_sees(folder, tmp_path):
    """Latents of each frame and the embedding of the first, in the order of the clips; of another network others."""
    torch.manual_seed(0)
    pipeline = build(PRESETS["smoke"], 0)
    made = cache_features(folder, pipeline.vae, pipeline.image_encoder, batch=2)
    store, features = ClipStore(folder), Features(folder, made)
    assert len(features) == 5
    for number in (0, 2, 4):
        latents, embedding = features[number]
        frames = torch.from_numpy(store[number].frames).permute(0, 3, 1, 2) / 127.5 - 1
        with torch.no_grad():
            wanted = encode(pipeline.vae, frames)
        torch.testing.assert_close(latents.float(), wanted, atol=2e-3, rtol=2e-3)
        assert embedding.shape == (pipeline.image_encoder.config.projection_dim,)
    with torch.no_grad():
        next(pipeline.vae.encoder.parameters()).add_(1)
    assert cache_features(folder, pipeline.vae, pipeline.image_encoder) != made
