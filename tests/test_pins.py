"""What must not change unnoticed while the code around it does: one number or picture of every room.

Expected: what the commit that added or last changed a pin computed. A change that is meant is written anew with
`python tests/test_pins.py`, and named in its commit.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from puppetmaster_core import Drags, PuppetMasterPipeline, encode_drags, motion_metrics
from puppetmaster_core.assets import asset_source
from puppetmaster_core.cli import main
from puppetmaster_core.clips.shards import ClipStore
from puppetmaster_core.curation.forest import Forest
from puppetmaster_core.curation.metrics import METRICS

PINS = Path(__file__).parent / "fixtures/pins.json"
EXAMPLE = Path(__file__).parents[1] / "puppetmaster_core/examples/cabinet.png"
FRAMES, CELL = (4, 8, 14), 16  # pictures are pinned as means over cells


def means(frames, cell=CELL):
    """(N, S, S, 3) → (N, S/cell, S/cell, 3)."""
    n, size, _, colours = frames.shape
    return frames.reshape(n, size // cell, cell, -1, cell, colours).mean((2, 4))


def encoded(folder):
    rng = np.random.default_rng(0)
    maps = encode_drags(Drags(rng.random((3, 14, 2)).astype(np.float32)), 16)
    frame, channel, row, column = np.nonzero(maps.numpy())
    values = maps.numpy()[frame, channel, row, column]
    return {"places": np.stack([frame, channel, row, column], 1)[::101].tolist(), "values": values[::101].tolist()}


def video_of_tiny(folder):
    image = Image.open(EXAMPLE).convert("RGB").resize((64, 64))
    drags = Drags.from_json(EXAMPLE.with_suffix(".json"))
    frames = PuppetMasterPipeline.from_pretrained("tiny")(image, drags, seed=0).frames
    return means(frames[[n - 1 for n in FRAMES]], 8).tolist()


def rendered_clips(folder):
    assert main(["render", "library", "--first", "500", "--count", "6", "--size", "64", "--output", str(folder / "clips"),
                 "--workers", "1"]) == 0
    store = ClipStore(folder / "clips")
    clips = [store[number] for number in range(len(store))]
    return {"frames": [means(clip.frames[[0, 6, 13]]).tolist() for clip in clips],
            "drags": [clip.drags[:, [0, 6, 13]].tolist() for clip in clips],
            "displacement": [np.abs(clip.displacement.astype(np.float32)).mean((1, 2)).tolist() for clip in clips]}


def verdicts_of_the_forest(folder):
    source = asset_source()
    names = sorted(source.CATEGORIES)[::4][:10]
    metrics = [motion_metrics(source.make_asset(name, 700)) for name in names]
    rows = np.array([[one[metric] for metric in METRICS] for one in metrics])
    return {"assets": names, "metrics": rows.tolist(), "keep": Forest.load().probability(rows).tolist()}


def scores_of_three_clips(folder):
    out = folder / "scores.json"
    assert main(["evaluate", "--model", "tiny", "--clips", "3", "--output", str(out)]) == 0
    clips = json.loads(out.read_text())["clips"]
    return [clip["scores"] for clip in clips]


# by name: what is computed, and by how much it may differ between processors
PINNED = {"encoded maps": (encoded, 1e-6), "tiny's frames": (video_of_tiny, 1.5), "rendered clips": (rendered_clips, 1e-2),
          "the forest": (verdicts_of_the_forest, 1e-4), "Table 1's scores": (scores_of_three_clips, 0.1)}


def flat(value, path=""):
    """The numbers and words of nested lists and dicts, each with where it is."""
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from flat(item, f"{path}/{key}")
    else:
        yield path, value


@pytest.mark.parametrize("name", PINNED)
def test_stays_as_pinned(name, tmp_path):
    compute, tolerance = PINNED[name]
    pinned, now = (dict(flat(one)) for one in (json.loads(PINS.read_text())[name], json.loads(json.dumps(compute(tmp_path)))))
    assert now.keys() == pinned.keys()
    assert {at: (was, now[at]) for at, was in pinned.items() if now[at] != pytest.approx(was, abs=tolerance)} == {}


if __name__ == "__main__":
    from tempfile import TemporaryDirectory

    def short(value):
        if isinstance(value, dict):
            return {key: short(item) for key, item in value.items()}
        if isinstance(value, list):
            return [short(item) for item in value]
        return round(value, 5) if isinstance(value, float) else value

    with TemporaryDirectory() as folder:
        pins = {name: short(compute(Path(folder))) for name, (compute, _) in PINNED.items()}
    PINS.write_text(json.dumps(pins) + "\n")
