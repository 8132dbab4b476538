"""What the processes of tests do: import nothing heavy, leave their number, and sleep."""

import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

from tutorial_lib import processes


def child(pipe: Connection, packed: bytes) -> None:
    if os.environ.get("TEST_WITHOUT_PRCTL"):
        sys.platform = "a system without prctl"
    processes.child(pipe, packed)


def sleep(pipe: Connection, place: Path) -> None:
    place.write_text(str(os.getpid()), encoding="utf-8")
    time.sleep(60)
