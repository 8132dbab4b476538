"""Take the pictures that stand for live figures in print and without JavaScript, from the built pages.

python -m tests.book.live_pictures

The pages need some picture to be built; after a change of a live figure, build, take them and build again.
"""

from __future__ import annotations

from tests.book import site

SIZE = {"width": 1100, "height": 900}


def main() -> None:
    with site.served() as address, site.browser() as chromium:
        page = chromium.new_page(viewport=SIZE, color_scheme="light")
        for name in site.page_names():
            if 'class="live-figure' not in (site.HTML / f"{name}.html").read_text():
                continue
            page.goto(f"{address}/{name}.html")
            site.settle(page)
            for figure in page.locator(".live-figure").all():
                figure.scroll_into_view_if_needed()
                page.wait_for_timeout(500)  # drawn in the next frames
                source = figure.locator(".live-static").get_attribute("src") or ""
                target = site.BOOK / "live" / source.rsplit("/", 1)[-1]
                part = figure.locator("[data-still]")  # of a figure that is too long to print
                (part if part.count() else figure.locator(".live-mount")).screenshot(path=target)
                print(target.relative_to(site.ROOT))


if __name__ == "__main__":
    main()
