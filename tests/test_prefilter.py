"""GObjaverse's categories: read from its public format, whatever else is in the file; Poor-quality goes (App. B.1)."""

import json

import pytest

from puppetmaster_core.curation.prefilter import CategoryError, read_categories


def written(tmp_path, entries):
    (tmp_path / "categories.json").write_text(json.dumps(entries))
    return tmp_path / "categories.json"


def test_poor_quality_is_left_out_and_the_rest_has_a_category(tmp_path):
    known = read_categories(written(tmp_path, [
        {"object_index": "0a1b.glb", "label": "Poor-quality"}, {"object_index": "2c3d.glb", "label": "Animals"},
        {"object_index": "2c3d.glb", "label": "Food"},
    ]))
    assert known.left_out("deep/folder/0a1b.glb") and not known.left_out("2c3d.glb") and not known.left_out("none.glb")
    assert (known.of("2c3d.glb"), known.of("none.glb"), known.skipped) == ("Animals", None, 0)


def test_entries_that_are_none_are_skipped_and_counted(tmp_path):
    known = read_categories(written(tmp_path, [
        {"object_index": "a.glb", "label": "Plants"}, {"object_index": 7, "label": "Plants"}, {"label": "Plants"}, "a.glb", None,
        {"object_index": "b.glb", "label": "Spaceships"}, {"object_index": "c.glb", "label": ["Plants"]},
    ]))
    assert dict(known.labels) == {"a": "Plants"} and known.skipped == 6


@pytest.mark.parametrize("text", ["{}", "[1", "[]", "[3]"])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(CategoryError):
        read_categories(tmp_path / "c.json")
