"""`tutorial doctor`: is everything in place, and what can this machine run?"""

from __future__ import annotations

import argparse

from tutorial_lib.cli import _common
from tutorial_lib.cli._common import Result

#: Memory that a profile needs, in GiB.
MEMORY = {"test": 2, "demo": 3, "cpu": 6}


def add(subparsers) -> None:
    _common.command(
        subparsers,
        "doctor",
        run,
        help="check versions, device and data, and say which profiles this machine can run",
        example="tutorial doctor --json",
    )


def run(args: argparse.Namespace) -> Result:
    import torch

    from tutorial_lib import machine
    from tutorial_lib.data import integrity
    from tutorial_lib.training.loop import native_bfloat16

    body = _common.machine()
    body["device"] = "cuda" if torch.cuda.is_available() else "cpu"
    body["bfloat16"] = native_bfloat16(torch.device(body["device"]))
    try:
        integrity.verify()
        body["data"] = {"name": "EmojiCaps", "ok": True, "fingerprint": integrity.fingerprint(), "problem": None}
    except (integrity.CorruptDataError, OSError, ValueError) as error:
        body["data"] = {"name": "EmojiCaps", "ok": False, "fingerprint": None, "problem": str(error)}
    data = body["data"]
    profiles = {}
    for name, needed in MEMORY.items():
        short = 0 < body["memory_gib"] < needed
        reason = data["problem"] if not data["ok"] else f"needs {needed} GiB of memory" if short else None
        profiles[name] = {"ok": reason is None, "reason": reason}
    body["gpu_trouble"] = machine.gpu_trouble()
    reason = data["problem"] if not data["ok"] else body["gpu_trouble"] or None
    profiles["gpu"] = {"ok": data["ok"] and body["gpu"] is not None, "reason": reason}
    body["profiles"] = profiles
    ready = [name for name, p in profiles.items() if p["ok"]]
    body["ok"] = data["ok"] and bool(ready)
    lines = [
        f"Python {body['python']}, " + ", ".join(f"{k} {v}" for k, v in body["versions"].items()),
        f"CPU     {body['cpu']}, {body['threads']} threads, {body['memory_gib']} GiB of memory",
        f"GPU     {body['gpu'] or 'none'}",
        f"bf16    {'multiplied natively: used' if body['bfloat16'] else 'not native: float32 is used'}",
        f"data    EmojiCaps {data['fingerprint']}, every checksum right"
        if data["ok"]
        else f"data    {data['problem']}",
        f"profiles that can run: {', '.join(ready) or 'none'}",
    ]
    lines += [f"  {name}: {p['reason']}" for name, p in profiles.items() if p["reason"]]
    return body, "\n".join(lines), 0 if body["ok"] else 1
