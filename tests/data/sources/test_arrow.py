"""What pyarrow reads, and the word where it is missing."""

import io
import sys
from collections.abc import Callable
from typing import IO, Any

import pytest

from tutorial_lib.data.sources.archives import Tar
from tutorial_lib.data.sources.arrow import parquet, zstandard
from tutorial_lib.data.sources.tables import open_table
from tutorial_lib.data.sources.trees import SourceError


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (parquet, r"^a is Parquet, which needs pyarrow: pip install 'backdooring-clip\[import\]'$"),
        (zstandard, r"^a is compressed by Zstandard, which needs pyarrow: pip install .*, or unpack it \(zstd -d\)$"),
    ],
)
def test_without_pyarrow_it_is_said_what_is_missing(
    read: Callable[[IO[bytes], str], Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(SourceError, match=said):
        read(io.BytesIO(b"0"), "a")


def test_readers_say_so_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(SourceError, match=r"a.parquet is Parquet, which needs pyarrow"):
        _ = open_table(lambda: io.BytesIO(b"PAR1"), "a.parquet").columns
    tree = Tar(lambda: io.BytesIO(b"\x28\xb5\x2f\xfd" + bytes(100)), "a.tar.zst")
    with pytest.raises(SourceError, match=r"a.tar.zst is compressed by Zstandard, which needs pyarrow"):
        _ = tree.members


def test_what_is_neither() -> None:
    pytest.importorskip("pyarrow", reason="pyarrow, of the extra `import`, is not installed")
    with pytest.raises(SourceError, match=r"a.parquet is no Parquet file, or damaged"):
        parquet(io.BytesIO(b"PAR1 and no more"), "a.parquet")
    with pytest.raises(SourceError, match=r"a.tar.zst is no tar archive, or damaged"):
        _ = Tar(lambda: io.BytesIO(b"\x28\xb5\x2f\xfd" + bytes(100)), "a.tar.zst").members
