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


@pytest.fixture(scope="module")
def contexts(browser):
    """A reader by day, by night, and with a phone."""
    made = {mode: browser.new_context(**options, reduced_motion="reduce") for mode, options in visiting.MODES.items()}
    yield made
    for context in made.values():
        context.close()
