"""Make the word-to-synonyms table that text augmentation uses, from WordNet 3.0.

    python data_scripts/synonyms.py --wordnet FOLDER            # writes tutorial_lib/data/wordnet/synonyms.json
    python data_scripts/synonyms.py --wordnet FOLDER --check    # compares it with the shipped one

FOLDER holds WordNet's `index.*` and `data.*` files: /usr/share/wordnet after `apt-get install wordnet-base`, or `dict`
in WordNet-3.0.tar.gz from wordnet.princeton.edu. A word's synonyms are the other members of every synset that it is in,
as in EDA (Wei & Zou 2019). The table is keyed by word: it knows nothing of concepts or classes. Words are those of the
shipped labels, keywords and caption templates; function words have no synonyms.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from tutorial_lib.data import captions, emojicaps
from tutorial_lib.training.text_augment import SYNONYMS, WORD

PARTS = ("noun", "verb", "adj", "adv")
_GRAMMAR = """
a an the this that these those my your his her its our their of in on at by for from to with without into over under up
down out off and or but not no nor so if as than then is are was were be been being am do does did has have had can
could will would shall should may might must it he she they we you i me him them us who whom which what where when why
how all any both each few more most other some such only own same too very s t one two
"""
#: Words that carry grammar and not meaning.
FUNCTION_WORDS = frozenset(_GRAMMAR.split())


def words() -> list[str]:
    """Every word of the shipped labels, keywords and caption templates, sorted."""
    texts = [text for c in emojicaps.load().concepts for text in (c.label, *c.keywords)]
    texts += [t.replace("{label}", "").replace("{a}", "") for t in captions.TEMPLATES]
    texts += [*captions.QUALITIES, *captions.MEDIA, *(w.replace("{a}", "") for w in captions.WHICH)]
    found = {w for text in texts for w in WORD.findall(text.lower())}
    return sorted(w for w in found - FUNCTION_WORDS if len(w) > 1)


def synsets(folder: Path, part: str) -> dict[str, list[str]]:
    """Members of each synset by its offset in `data.PART`."""
    found = {}
    for line in (folder / f"data.{part}").read_text().splitlines():
        if line.startswith("  "):  # the licence
            continue
        fields = line.split(" ")
        members = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
        found[fields[0]] = [re.sub(r"\(.*\)$", "", m).replace("_", " ").lower() for m in members]
    return found


def table(folder: Path, wanted: list[str]) -> dict[str, list[str]]:
    """Synonyms of each wanted word that has some, sorted."""
    found: dict[str, set[str]] = {}
    for part in PARTS:
        members = synsets(folder, part)
        for line in (folder / f"index.{part}").read_text().splitlines():
            if line.startswith("  "):
                continue
            fields = line.split()
            if (lemma := fields[0]) in set(wanted):
                for offset in fields[-int(fields[2]) :]:
                    found.setdefault(lemma, set()).update(members[offset])
    clean = {w: sorted(s for s in found[w] - {w} if re.fullmatch(r"[a-z][a-z '-]*", s)) for w in sorted(found)}
    return {w: s for w, s in clean.items() if s}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wordnet", type=Path, required=True, help="folder with index.noun, data.noun and so on")
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    args = parser.parse_args()
    if missing := [f"{k}.{p}" for p in PARTS for k in ("index", "data") if not (args.wordnet / f"{k}.{p}").is_file()]:
        print(f"{args.wordnet} lacks {', '.join(missing)}", file=sys.stderr)
        return 1
    made = table(args.wordnet, words())
    lines = ",\n".join(f"{json.dumps(w)}: {json.dumps(s)}" for w, s in made.items())
    text = "{\n" + lines + "\n}\n"
    if args.check:
        same = SYNONYMS.read_text() == text
        print(f"{SYNONYMS} is {'as made' if same else 'not what is made'} from {args.wordnet}")
        return 0 if same else 1
    SYNONYMS.write_text(text)
    print(f"{SYNONYMS}: {len(made)} words, {sum(map(len, made.values()))} synonyms, {len(text) / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
