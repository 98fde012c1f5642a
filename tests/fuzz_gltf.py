"""Fuzz the glTF reader, guided by coverage: `pip install atheris`, then

  nice python tests/fuzz_gltf.py -runs=100000 -max_total_time=600

Every input ends as an asset that can be used or as one AssetError, within 10 s and 2 GiB; anything else stops the fuzzer, which
writes the input to crash-*. Put such inputs, made small, into tests/test_gltf_defects.py.
"""

import random
import sys
import tempfile
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
with atheris.instrument_imports(include=["puppetmaster_core.assets.gltf"]):
    from gltf_damage import damaged, survives
    from gltf_files import draco_quad, everything, looks, moving_triangle

SHARED = Path(__file__).parents[2] / "shared" / "data" / "hard_assets"
SEEDS = [everything().glb(), looks().glb(), moving_triangle().glb(), draco_quad().glb(),
         *(path.read_bytes() for path in sorted(SHARED.glob("*.glb")))]
PLACE = Path(tempfile.mkdtemp()) / "a.glb"
COUNTS = {True: 0, False: 0}


def test_one(data: bytes) -> None:
    COUNTS[survives(PLACE, data)] += 1
    if sum(COUNTS.values()) % 10_000 == 0:
        print(f"{sum(COUNTS.values())} inputs, {COUNTS[True]} of them read", flush=True)


def mutate(data: bytes, most: int, seed: int) -> bytes:
    rng = random.Random(seed)
    return damaged(data if len(data) > 100 and rng.random() < 0.3 else rng.choice(SEEDS), rng)[:most]


if __name__ == "__main__":
    corpus = Path(tempfile.mkdtemp())
    for i, seed in enumerate(SEEDS):
        (corpus / str(i)).write_bytes(seed)
    options = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=20000", "-mutate_depth=1", "-use_value_profile=0"]
    atheris.Setup([sys.argv[0], *options, *sys.argv[1:], str(corpus)], test_one, custom_mutator=mutate)
    atheris.Fuzz()
