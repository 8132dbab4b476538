"""The script that a page of the playground loads: pictures, captions, the fast loop, and a model trained beforehand."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np

from tutorial_lib import places
from tutorial_lib.course.live.playground import engine
from tutorial_lib.course.live.playground.world import World, atlas, cut, for_page, pictures, world

#: The attack that the page opens with, and how all its models are trained; on pictures of the validation style,
#: two seeds each, rates of 0.003, 0.005 and 0.008 did alike and 0.002 a little worse.
SETTINGS: dict[str, Any] = {
    "poisons": 64,
    "kind": "checkerboard",
    "size": 6,
    "opacity": 100,
    "place": "corner",
    "target": 0,
    "seed": 0,
    "classes": 18,
    "epochs": 15,
    "rate": 0.004,
}
#: Decimals of what is measured of the first model.
DECIMALS = 3


def made_of() -> list[Path]:
    """The files on which the script depends."""
    library = places.PACKAGE
    others = (*sorted((library / "data").glob("*.py")), *sorted((library / "triggers").glob("*.py")))
    own = [engine.HERE / name for name in (*engine.PARTS, "product.wat", "beforehand.js")]
    return [*own, *sorted(engine.HERE.glob("*.py")), *others, library / "data" / "emojicaps" / "SHA256SUMS"]


def script(settings: dict[str, Any] = SETTINGS) -> str:
    """JavaScript that sets `course.playground`; training the model takes some seconds.

    Args:
        settings: of the model to train beforehand, and of the page at the beginning.
    """
    given = world()
    sheet = atlas(pictures(given))
    seen = cut(sheet, len(given.pairs) + len(given.task)).permute(0, 2, 3, 1).contiguous().numpy()
    code = base64.b64encode(engine.assembled()).decode()
    body = {
        **for_page(given),
        "atlas": base64.b64encode(sheet).decode(),
        "count": len(seen),
        "check": round(float(seen.ravel()[::100].mean()), 2),
        "code": code,
        "start": _trained(given, seen, code, settings),
    }
    return f"(globalThis.course ??= {{}}).playground = {json.dumps(body, separators=(',', ':'), allow_nan=False)};\n"


def _trained(given: World, seen: np.ndarray, code: str, settings: dict[str, Any]) -> dict[str, Any]:
    """A model of these settings by the page's own scripts, its weights in float16 as in the course's checkpoints."""
    here = {**for_page(given), "pixels": base64.b64encode(seen.tobytes()).decode()}
    asked = {"world": here, "code": code, "settings": settings}
    found = engine.ask((engine.HERE / "beforehand.js").read_text("utf-8"), asked)
    state = np.frombuffer(base64.b64decode(found["state"]), "<f4").astype("<f2")
    history = [_rounded(measured) for measured in found["history"]]
    del history[-1]["map"]["plane"]
    for measured in history[:-1]:
        del measured["map"], measured["similarities"]
    return {
        "title": "trained beforehand",
        "settings": settings,
        "state": base64.b64encode(state.tobytes()).decode(),
        "losses": _rounded(found["losses"]),
        "steps": len(found["losses"]),
        "history": history,
        "measured": history[-1],
    }


def _rounded(found: Any) -> Any:
    """The same with fewer decimals."""
    if isinstance(found, float):
        return round(found, DECIMALS)
    if isinstance(found, list):
        return [_rounded(part) for part in found]
    return {key: _rounded(part) for key, part in found.items()} if isinstance(found, dict) else found
