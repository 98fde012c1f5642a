"""The training mixture of App. C.1: its frequencies, and an order that seed and number of the draw alone decide."""

import numpy as np
import pytest

from puppetmaster_core.clips.mixture import BLOCK, WEIGHTS, Mixture, group_of

# 40 clips: many of some groups, few of others; the weights are over groups, whatever their sizes.
GROUPS = ["Drag-a-Move"] * 4 + ["Human-Shape"] * 20 + ["Animals"] * 1 + ["Daily-Used"] * 10 + ["Other"] * 5


def test_draws_have_the_papers_frequencies():
    """App. C.1: 0.3, 0.25, 0.25, 0.05, 0.15. Of n draws a share p deviates by sqrt(p (1 − p) / n): at most 0.0015 here."""
    mixture, n = Mixture.of(GROUPS), 100_000
    drawn = np.array(GROUPS)[mixture.draws(0, n)]
    shares = {name: float(np.mean(drawn == name)) for name in WEIGHTS}
    assert shares == pytest.approx({"Drag-a-Move": 0.3, "Human-Shape": 0.25, "Animals": 0.25, "Daily-Used": 0.05, "Other": 0.15},
                                   abs=0.006)
    assert sum(WEIGHTS.values()) == pytest.approx(1)


def test_within_a_group_each_clip_is_as_likely():
    drawn = Mixture.of(GROUPS).draws(0, 200_000)
    count = np.bincount(drawn, minlength=40) / len(drawn)
    for name, weight in WEIGHTS.items():
        own = np.array(GROUPS) == name
        np.testing.assert_allclose(count[own], weight / own.sum(), rtol=0.08)


def test_a_seed_is_an_order():
    one, same, other = (Mixture.of(GROUPS, seed=seed).draws(0, 1000) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize("first", [0, 1, 17, BLOCK - 1, BLOCK, 3 * BLOCK + 5])
def test_a_run_that_goes_on_draws_what_it_would_have_drawn(first):
    mixture = Mixture.of(GROUPS, seed=3)
    whole = mixture.draws(0, first + 2 * BLOCK)
    np.testing.assert_array_equal(mixture.draws(first, 2 * BLOCK), whole[first:])


def test_a_group_without_clips_gives_its_weight_to_the_others():
    groups = [name for name in GROUPS if name != "Animals"]
    drawn = np.array(groups)[Mixture.of(groups).draws(0, 50_000)]
    assert np.mean(drawn == "Drag-a-Move") == pytest.approx(0.3 / 0.75, abs=0.01)
    with pytest.raises(ValueError, match="got no clips of"):
        Mixture.of(["no drag"])


@pytest.mark.parametrize(
    "category, provenance, group",
    [
        ("Human-Shape", {}, "Human-Shape"),
        ("Animals", {"source": "fox.glb"}, "Animals"),
        ("Daily-Used", {}, "Daily-Used"),
        ("Furnitures", {"source": "table.glb"}, "Other"),  # Objaverse's furniture is one of its other categories
        ("Poor-quality", {}, "Other"),
        ("Furniture", {"source": "procedural:cabinet"}, "Drag-a-Move"),
        ("Daily-Used", {"source": "procedural:bucket", "shape": "bucket"}, "Drag-a-Move"),  # Drag-a-Move has buckets
        ("Furnitures", {"source": "procedural:explode", "shape": "storage"}, "Drag-a-Move"),
    ],
)
def test_groups(category, provenance, group):
    assert group_of(category, provenance) == group
