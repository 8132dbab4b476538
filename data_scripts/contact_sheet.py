"""Draw the contact sheet of EmojiCaps: some concepts in each of the permissively licensed styles.

python data_scripts/contact_sheet.py                     # writes tutorial_lib/data/emojicaps/contact_sheet.webp
python data_scripts/contact_sheet.py --out sheet.png     # or elsewhere, in the format of the name
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tutorial_lib.data import emojicaps
from tutorial_lib.data.captions import plain_label

CELL = 68
MARGIN = 150
HEADER = 48


def contact_sheet(rows: int = 18) -> Image.Image:
    """One row per concept, one column per style; concepts at even distances among those drawn in every style."""
    data = emojicaps.load()
    place = {(int(c), s): i for i, (c, s) in enumerate(zip(data.concept, data.style, strict=True))}
    complete = [
        c
        for c, concept in enumerate(data.concepts)
        if concept.group in emojicaps.CLASS_GROUPS and all((c, s) in place for s in emojicaps.PERMISSIVE)
    ]
    chosen = [complete[(2 * k + 1) * len(complete) // (2 * rows)] for k in range(rows)]
    sheet = Image.new("RGB", (MARGIN + CELL * len(emojicaps.PERMISSIVE), HEADER + CELL * rows), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for column, style in enumerate(emojicaps.PERMISSIVE):
        name = style.replace("fluent-", "fluent-\n")
        draw.multiline_text(
            (MARGIN + CELL * (column + 0.5), HEADER / 2), name, "black", font, anchor="mm", align="center"
        )
        for row, concept in enumerate(chosen):
            sprite = Image.fromarray(data.images[place[concept, style]].numpy(), "RGBA")
            sheet.paste(sprite, (MARGIN + CELL * column + 2, HEADER + CELL * row + 2), sprite)
    for row, concept in enumerate(chosen):
        words, lines = plain_label(data.concepts[concept].label).split(), [""]
        for word in words:
            if len(lines[-1]) + len(word) > 18:
                lines.append("")
            lines[-1] = f"{lines[-1]} {word}".strip()
        place_text = (MARGIN - 12, HEADER + CELL * (row + 0.5))
        draw.multiline_text(place_text, "\n".join(lines), "black", font, anchor="rm", align="right")
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=emojicaps.FOLDER / "contact_sheet.webp", help="file to write")
    out = parser.parse_args().out
    contact_sheet().save(out, quality=80, method=6)
    print(f"{out}: {out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
