"""An attack that does something to its process before it does nothing at all."""

import errno
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tutorial_lib.attacks import Backdoor


@dataclass(frozen=True)
class Deadly(Backdoor):
    """A backdoor that kills its process, once or always, fills the disk, or has a bug."""

    kind: ClassVar[str] = "deadly"

    how: str = "never"
    place: str = ""

    def plan(self, clean, task, *, seed):
        here = Path(self.place, "dead")
        if self.how == "always" or (self.how == "once" and not here.exists()):
            here.write_text("", encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)
        if self.how == "full":
            raise OSError(errno.ENOSPC, "No space left on device", "state.pt")
        if self.how == "bug":
            raise KeyError("a bug")
        if self.how == "no data":
            raise FileNotFoundError("there are no shards at data/cc3m")
        return super().plan(clean, task, seed=seed)
