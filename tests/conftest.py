"""The site, where it is served, and a browser, for all tests that ask for them."""

from pathlib import Path

import pytest
import visiting
from browsing import chromium, serving


@pytest.fixture(scope="session")
def site() -> Path:
    """The site, built."""
    return visiting.built()


@pytest.fixture(scope="module")
def address(site):
    """The site, served on this machine."""
    with serving(site) as started:
        yield started


@pytest.fixture(scope="module")
def browser():
    """A browser; of a file, since Playwright keeps an event loop running in which no notebook could run."""
    with chromium() as started:
        yield started


class Readers(dict):
    """A reader by day, by night, and with a phone, each made when first asked for."""

    def __init__(self, browser):
        self.browser = browser

    def __missing__(self, mode):
        self[mode] = self.browser.new_context(**visiting.MODES[mode], reduced_motion="reduce")
        return self[mode]


@pytest.fixture
def contexts(browser):
    """Readers who come for the first time: what one test switched on, and the page remembers, no other meets."""
    made = Readers(browser)
    yield made
    for context in made.values():
        context.close()
