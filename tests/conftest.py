"""For the tests that want one: a small model, in memory and on disk, a picture, a page in a real browser. The order of files."""

import numpy as np
import pytest
from browser import browser
from PIL import Image


@pytest.fixture(scope="session")
def pipe():
    """The model `smoke`, as if trained; a test that changes it makes its own."""
    from oracle import smoke

    return smoke(trained=True)


@pytest.fixture(scope="session")
def picture():
    y, x = np.mgrid[:64, :64]
    return Image.fromarray(np.stack([4 * x, 4 * y, (x * y) // 16], -1).astype(np.uint8))


@pytest.fixture(scope="session")
def smoke_folder(tmp_path_factory):
    """`smoke` with random weights as a folder; a test that changes it takes a copy."""
    from oracle import smoke

    smoke().save_pretrained(folder := tmp_path_factory.mktemp("models") / "smoke")
    return folder


@pytest.fixture(scope="module")
def tab():
    """One browser for the tests of a file; no longer, since its event loop would be in the way of others'."""
    with browser() as started:
        page = started.new_page(viewport={"width": 820, "height": 1000}, reduced_motion="reduce", has_touch=True)
        page.set_default_timeout(10_000)
        yield page


@pytest.fixture
def page(tab):
    """An empty page; an error in its scripts fails the test."""
    errors = []

    def note(error):
        errors.append(error)

    tab.on("pageerror", note)
    tab.goto("about:blank")
    yield tab
    tab.remove_listener("pageerror", note)
    assert not errors


def pytest_collection_modifyitems(items):
    """What takes long comes first, so that no worker ends alone: files with slow tests, then chapters, then the others."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: 0 if item.path in slow else 1 if item.path.suffix == ".ipynb" else 2)
