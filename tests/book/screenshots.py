"""Save a picture of every built page to look at: on a desk, on a phone, dark, and without JavaScript.

python -m tests.book.screenshots build/screenshots [page ...]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.book import site

DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
#: Ways to look at a page, as options of a browser's context.
WAYS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": DESK, "color_scheme": "light"},
    "phone": {"viewport": PHONE, "color_scheme": "light"},
    "dark": {"viewport": DESK, "color_scheme": "dark"},
    "unscripted": {"viewport": DESK, "java_script_enabled": False},
}


def main(out: Path, names: Sequence[str] = ()) -> None:
    """A picture of each page in each way; of all pages if none is named."""
    out.mkdir(parents=True, exist_ok=True)
    with site.served() as address, site.browser() as chromium:
        for way, options in WAYS.items():
            context = chromium.new_context(**options)
            page = context.new_page()
            for name in names or site.page_names():
                page.goto(f"{address}/{name}.html")
                if options.get("java_script_enabled", True):
                    site.settle(page)
                target = out / f"{name}-{way}.png"
                page.screenshot(path=target, full_page=True)
                print(target)
            context.close()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python -m tests.book.screenshots FOLDER [PAGE ...]")
    main(Path(sys.argv[1]), sys.argv[2:])
