"""What was left out of files is counted in the reports of runs, and clips without their texture are no training data."""

import json

import pytest
from gltf_files import File, encoded

from puppetmaster_core.cli import main
from puppetmaster_core.clips.shards import read_index
from puppetmaster_core.training.config import TrainingError
from puppetmaster_core.training.shard_clips import ShardClips

SIZE, FRAMES = 32, 4
SQUARE = [[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]


def moving_square(picture: bytes) -> File:
    """A textured square that slides to the right, and a primitive that cannot be read where the picture is whole."""
    file = File()
    texture = file.add("textures", {"source": file.add("images", {"bufferView": file.view(picture)})})
    primitive = file.primitive(SQUARE, [0, 1, 2, 0, 2, 3], TEXCOORD_0=[[0, 1], [1, 1], [1, 0], [0, 0]])
    primitive["material"] = file.add("materials", {"pbrMetallicRoughness": {"baseColorTexture": {"index": texture}}})
    node = file.node(mesh=file.mesh(primitive))
    file.animation((node, "translation", [0, 1], [[0, 0, 0], [1, 0, 0]]))
    return file


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    whole = encoded([[[200, 100, 50], [50, 100, 200]]])
    moving_square(whole).write(folder / "a_sound.glb")
    file = moving_square(whole)
    file.json["meshes"][0]["primitives"].append({"attributes": {"POSITION": 99}})
    file.write(folder / "b_part.glb")
    moving_square(whole[:40]).write(folder / "c_texture.glb")
    return folder


@pytest.fixture(scope="module")
def clips(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips") / "all"
    assert main(["render", str(models), "--output", str(folder), "--size", str(SIZE), "--frames", str(FRAMES), "--views", "2",
                 "--workers", "1"]) == 0
    return folder


COUNTS = {"part left out": 1, "texture lost": 1}  # assets, not clips


def test_render_counts_assets_with_notes_by_kind(clips):
    assert json.loads((clips / "report.json").read_text())["assets with notes"] == COUNTS
    assert read_index(clips).column("notes").to_pylist() == [[]] * 2 + [["part left out"]] * 2 + [["texture lost"]] * 2


def test_training_leaves_out_clips_whose_texture_is_lost_unless_asked(clips, tmp_path, capsys):
    found = ShardClips([clips], SIZE, FRAMES, tmp_path)
    assert len(found) == 6 and sorted(found.left_out) == [4, 5]
    assert found.groups["texture lost"] == 2
    assert set(found.mixture(0).draws(0, 64).tolist()) == {0, 1, 2, 3}
    assert "left out: 2 of 6 clips" in capsys.readouterr().err
    assert ShardClips([clips], SIZE, FRAMES, tmp_path, untextured=True).left_out == {}


def test_where_no_clip_is_left_the_cause_is_given(models, tmp_path):
    alone = tmp_path / "models"
    alone.mkdir()
    (alone / "c.glb").write_bytes((models / "c_texture.glb").read_bytes())
    assert main(["render", str(alone), "--output", str(tmp_path / "clips"), "--size", str(SIZE), "--frames", str(FRAMES),
                 "--workers", "1"]) == 0
    with pytest.raises(TrainingError, match=r"got no clip that can be used, .* lost a texture"):
        ShardClips([tmp_path / "clips"], SIZE, FRAMES, tmp_path)
