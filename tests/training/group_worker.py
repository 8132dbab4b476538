"""What each of several processes does in the tests of `tutorial_lib.training.distributed`; started with torchrun.

torchrun --nproc-per-node 2 tests/training/group_worker.py CASE,CASE OUT
"""

import sys
from pathlib import Path

import torch

from tests.training import test_distributed as cases
from tutorial_lib.training import distributed


def main() -> None:
    names, out = sys.argv[1].split(","), Path(sys.argv[2])
    torch.set_num_threads(1)
    with distributed.group("cpu"):
        for name in names:
            result = cases.CASES[name](out)
            if distributed.rank() == 0:
                torch.save(result, out / f"{name}.pt")


if __name__ == "__main__":
    main()
