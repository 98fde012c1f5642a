"""A page in a real browser, for the tests that want one."""

import pytest
from browser import browser


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
