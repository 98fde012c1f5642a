"""The forest: judges objects it has not seen, says why, is read without running anything, and known corruptions are what they
are called."""

import json
import shutil

import numpy as np
import pyarrow.parquet
import pytest
from sklearn.ensemble import RandomForestClassifier

from procedural_library import GROUPS, make_asset
from puppetmaster_core.cli import main
from puppetmaster_core.cli.forest import forest_record
from puppetmaster_core.curation import fitting
from puppetmaster_core.curation.examples import BY_HAND, LIBRARY, PUBLISHED, Example, Examples, examples_of, object_of
from puppetmaster_core.curation.fitting import Judged, cross_validate, fit_forest
from puppetmaster_core.curation.forest import Forest, ForestError, pushes
from puppetmaster_core.curation.metrics import METRICS, motion_metrics
from puppetmaster_core.evaluation.claims import rebuild
from puppetmaster_core.files import write_json

UNSEEN = 5000  # seeds the shipped forest was not fitted on begin far below


@pytest.fixture(scope="module")
def unseen():
    """One animation of every other good category and two of every bad one, all new."""
    jobs = [("library", name, UNSEEN) for name in GROUPS["good"][::2]]
    jobs += [("library", name, UNSEEN + k) for name in GROUPS["bad"] for k in range(2)]
    return Examples.of([example for job in jobs for example in examples_of(None, job)])


@pytest.fixture(scope="module")
def shipped():
    return Forest.load()


def test_the_shipped_forest_keeps_the_good_and_drops_the_bad(shipped, unseen):
    kept = shipped.probability(unseen.metrics) >= shipped.threshold
    assert kept[unseen.good].mean() >= 0.95
    assert not kept[~unseen.good].any(), list(unseen.groups[kept & ~unseen.good])


def test_reasons_add_up_to_what_the_trees_say(shipped, unseen):
    push = pushes(shipped.trees, unseen.metrics)
    share = shipped.trees.predict_proba(unseen.metrics.astype(np.float32))[:, 1]
    root = np.mean([tree.tree_.value[0, 0, 1] / tree.tree_.value[0, 0].sum() for tree in shipped.trees.estimators_])
    np.testing.assert_allclose(root + push.sum(1), share, atol=1e-9)


def test_reasons_name_what_is_wrong(shipped):
    """Trembling has jerk, a static object does not move; a kept one is kept for what speaks for it."""
    tremble = shipped.why([list(motion_metrics(make_asset("jitter", 0)).values())], most=5)[0]
    assert "jerk" in [reason.metric for reason in tremble] and " high " in str(tremble[0])
    still = shipped.why([list(motion_metrics(make_asset("static", UNSEEN)).values())])[0]
    assert all(reason.push < 0 and " low " in str(reason) for reason in still)
    fine = list(motion_metrics(make_asset("door", UNSEEN)).values())
    assert all(reason.push > 0 for reason in shipped.why([fine])[0])


def noise(groups, copies, seed=0):
    """Objects whose metrics say nothing of their labels, several animations each."""
    rng = np.random.default_rng(seed)
    rows = [(f"object {g}", "good" if g % 2 else "spin", tuple(rng.normal(size=len(METRICS)))) for g in range(groups)]
    return Examples.of([Example(name, kind, "a test", metrics) for name, kind, metrics in rows for _ in range(copies)])


@pytest.fixture
def few_trees(monkeypatch):
    """Forests of ten trees: nested folds grow 31 forests."""

    def ten(count, **options):
        return RandomForestClassifier(10, random_state=options["random_state"])

    monkeypatch.setattr(fitting, "RandomForestClassifier", ten)


def test_an_object_is_never_judged_by_trees_that_saw_it(few_trees):
    """Copies of one animation in both parts of a fold would be recognised: the AUC would be near 1. It is that of a guess."""
    figures = cross_validate(noise(40, 4)).figures()
    assert 0.3 < figures["auc"] < 0.7


def test_figures_count_what_each_forest_kept_at_its_own_threshold():
    examples = Examples.of([Example(str(i), kind, "a test", (0.0,) * len(METRICS)) for i, kind in enumerate(
        ["good", "good", "good", "good", "spin", "spin", "static", "static"])])
    probability = np.array([0.9, 0.8, 0.6, 0.5, 0.7, 0.1, 0.2, 0.3])
    margin = np.array([0.1, 0.1, 0.1, -0.1, 0.0, -0.1, -0.1, -0.1])
    figures = Judged(probability, probability, margin, examples).figures()
    assert figures["kept at the threshold"] == {"good": 0.75, "spin": 0.5, "static": 0.0}
    assert figures["kept at 95 % of the good"] == {"good": 1.0, "spin": 0.5, "static": 0.0}
    assert figures["auc"] == 14 / 16 and figures["kept of the good by source"] == {"a test": 0.75}


def test_sources_of_labels_weigh_the_same():
    few = [Example(f"f{i}", kind, "few", (0.0,) * len(METRICS)) for i, kind in enumerate(["good", "spin"])]
    many = [Example(f"m{i}", kind, "many", (0.0,) * len(METRICS)) for i, kind in enumerate(["good"] * 9 + ["spin"] * 4)]
    examples = Examples.of([*few, *many])
    weights = examples.weights()
    for good in (True, False):
        own = examples.good == good
        few_weigh, many_weigh = (weights[own & (examples.sources == source)].sum() for source in ("few", "many"))
        assert few_weigh == pytest.approx(many_weigh)
    assert weights[examples.good].sum() == pytest.approx(weights[~examples.good].sum()) == pytest.approx(len(examples) / 2)


def test_one_command_fits_it_and_the_same_command_fits_the_same(few_trees, tmp_path, capsys, unseen):
    options = ["--good", "12", "--bad", "16", "--seed", "3", "--workers", "1", "--json"]
    assert main(["forest", "--output", str(tmp_path / "forest"), *options]) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["labels"] == {LIBRARY: {"good": 12, **dict.fromkeys(GROUPS["bad"], 2)}}
    forest = Forest.load(tmp_path / "forest")
    jobs = [("library", name, 0) for name in GROUPS["good"][:12]] + [("library", GROUPS["bad"][i % 8], i // 8) for i in range(16)]
    again = fit_forest(Examples.of([e for job in jobs for e in examples_of(None, job)]), seed=3)
    np.testing.assert_array_equal(forest.probability(unseen.metrics), again.probability(unseen.metrics))
    assert forest.threshold == again.threshold and forest.usual == again.usual
    assert main(["forest", "--output", str(tmp_path / "forest"), *options]) == 2  # nothing is overwritten
    assert "is there already" in capsys.readouterr().err


# ---- reading -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path, shipped):
    from puppetmaster_core.curation.forest import SHIPPED

    shutil.copytree(SHIPPED, tmp_path / "forest")
    return tmp_path / "forest"


def dumped(folder, trees):
    from skops.io import dump

    dump(trees, folder / "trees.skops")


def test_trees_that_would_run_code_are_not_loaded(copy):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    dumped(copy, {"trees": Evil()})
    with pytest.raises(ForestError, match="not loaded"):
        Forest.load(copy)


@pytest.mark.parametrize("place", ["child", "circle", "feature"])
def test_trees_whose_nodes_point_nowhere_are_refused(copy, shipped, place):
    from skops.io import load

    trees = load(copy / "trees.skops", trusted=["sklearn.tree._tree.Tree"])
    inner = trees.estimators_[7].tree_
    array, value = {"child": (inner.children_left, 10**6), "circle": (inner.children_right, 0),
                    "feature": (inner.feature, 99)}[place]
    array[0] = value
    dumped(copy, trees)
    with pytest.raises(ForestError, match="holds no forest"):
        Forest.load(copy)


def test_files_that_are_no_forest_are_one_clear_error(copy, tmp_path):
    dumped(copy, np.zeros(3))
    with pytest.raises(ForestError, match="holds no forest of 22 metrics"):
        Forest.load(copy)
    (copy / "trees.skops").write_bytes(b"PK no zip")
    with pytest.raises(ForestError, match="cannot be read"):
        Forest.load(copy)
    (copy / "forest.json").write_text('{"format": "other"}')
    with pytest.raises(ForestError):
        Forest.load(copy)
    with pytest.raises(ForestError, match="no such file"):
        Forest.load(tmp_path / "gone")


# ---- corruptions ---------------------------------------------------------------------------------------------------------


def test_clips_of_one_file_are_one_object():
    assert object_of("a.glb", {"source": "pack/Knight.glb#Walk"}) == object_of("b.glb", {"source": "pack/Knight.glb#Run"})
    assert object_of("a.glb", {}) == "a.glb"


def test_the_command_learns_from_labels_and_published_ids(few_trees, tmp_path, capsys):
    """Beside 12 good and 16 bad assets of the library: two labelled rows and one published one of a run's table."""
    rows = [{"asset": f"{uid * 32}.glb", "animation": 0, **dict.fromkeys(METRICS, 0.5)} for uid in "abc"]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "table.parquet")
    answers = [f"{uid * 32}.glb#0,me,{answer}" for uid, answer in (("a", "keep"), ("b", "drop"))]
    (tmp_path / "labels.csv").write_text("\n".join(["animation,rater,answer", *answers]))
    (tmp_path / "objaverse-animation.json").write_text(json.dumps(["c" * 32]))
    options = ["--good", "12", "--bad", "16", "--workers", "1", "--json", "--table", str(tmp_path / "table.parquet")]
    assert main(["forest", "--output", str(tmp_path / "forest"), *options, "--labels", str(tmp_path / "labels.csv"),
                 "--official", str(tmp_path)]) == 0
    labels = json.loads(capsys.readouterr().out)["labels"]
    assert labels[BY_HAND] == {"good": 1, "dropped by hand": 1} and labels[PUBLISHED] == {"good": 1}


def test_claims_of_a_forest_are_those_of_its_figures(shipped, tmp_path):
    write_json(tmp_path / "forest.json", forest_record(shipped.about, {"measuring": 1.0, "fitting": 2.0}))
    claims, figures = rebuild(tmp_path), shipped.about["figures, objects not seen"]
    assert claims["curation.forest.auc"].ours == figures["auc"] and claims["curation.forest.auc"].holds == "yes"
    bad = {kind: share for kind, share in figures["kept at 95 % of the good"].items() if kind != "good"}
    assert claims["curation.forest.worst_bad_kept"].ours == max(bad.values())
    assert claims["curation.forest.spin_kept"].ours == bad["spin"] and claims["curation.forest.auc"].seconds == 3.0
