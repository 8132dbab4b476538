"""Execute one notebook file in place, in the current folder: `python run_notebook.py FILE.ipynb SECONDS_A_CELL`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError


def main(path: Path, timeout: int) -> None:
    """Execute and write; what a cell raised goes to stderr, without colours, and the exit status is 1."""
    notebook = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    client = NotebookClient(
        notebook, timeout=timeout, record_timing=False, resources={"metadata": {"path": str(Path.cwd())}}
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        sys.exit(re.sub(r"\x1b\[[0-9;]*m", "", str(error)))
    nbformat.write(notebook, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
