from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.book import site


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    """Without pages there is nothing to test, and that is a failure."""
    missing = [name for name in site.page_names() if not (site.HTML / f"{name}.html").exists()]
    if missing:
        pytest.fail(f"not built yet: {', '.join(missing)}. Run `make book`.", pytrace=False)


@pytest.fixture(scope="session")
def address(built: None) -> Iterator[str]:
    with site.served() as url:
        yield url


@pytest.fixture(scope="session")
def chromium(built: None) -> Iterator[Browser]:
    if os.environ.get("NO_BROWSER") == "1":
        pytest.skip("NO_BROWSER=1")
    try:
        with site.browser() as found:
            yield found
    except RuntimeError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def unscripted(chromium: Browser) -> Iterator[site.Unscripted]:
    """Opens an address without JavaScript, in a window of that width; it is closed afterwards."""
    contexts = []

    def opened(url: str, width: int = 1280) -> Page:
        contexts.append(chromium.new_context(java_script_enabled=False, viewport={"width": width, "height": 900}))
        page = contexts[-1].new_page()
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
