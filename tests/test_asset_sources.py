"""Asset sources: packages of animated objects that the core finds by an entry point."""

import subprocess
import sys

import pytest

from puppetmaster_core.assets import AssetSourceError, asset_source, asset_sources


def test_the_library_is_found_by_its_entry_point():
    assert asset_source().make_asset("box", 3).provenance["source"] == "procedural:box"


def test_a_source_that_is_not_installed_is_one_clear_error(monkeypatch):
    monkeypatch.setattr(asset_sources, "LIBRARY", "furniture_shop")
    with pytest.raises(AssetSourceError, match=r"'furniture_shop' is not installed: run `python -m pip install"):
        asset_source.__wrapped__()


def test_the_core_imports_no_source_before_it_is_asked():
    code = "import sys, puppetmaster_core.cli, puppetmaster_core.clips.sources; sys.exit('procedural_library' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
