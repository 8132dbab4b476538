"""What pyarrow reads, of the extra `import`: Parquet files, and streams compressed by Zstandard."""

from __future__ import annotations

from typing import IO, Any

from tutorial_lib.data.sources.trees import SourceError

INSTALL = "pip install 'backdooring-clip[import]'"


def parquet(file: IO[bytes], title: str) -> Any:
    """A Parquet file, opened.

    Args:
        file: its bytes.
        title: how messages call it.

    Raises:
        SourceError: pyarrow is not installed, or this is no Parquet file.

    Example:
        >>> parquet(open("a.parquet", "rb"), "a.parquet").schema_arrow.names  # doctest: +SKIP
        ['image', 'text']
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise SourceError(f"{title} is Parquet, which needs pyarrow: {INSTALL}") from error
    try:
        return pyarrow.parquet.ParquetFile(file)
    except (OSError, ValueError) as error:  # Arrow's own errors are among these
        raise SourceError(f"{title} is no Parquet file, or damaged: {error}") from error


def zstandard(file: IO[bytes], title: str) -> IO[bytes]:
    """A stream without its compression by Zstandard.

    Args:
        file: the compressed bytes.
        title: how messages call it.

    Raises:
        SourceError: pyarrow is not installed.

    Example:
        >>> zstandard(open("a.tar.zst", "rb"), "a.tar.zst").read(5)  # doctest: +SKIP
        b'1.jpg'
    """
    try:
        import pyarrow
    except ImportError as error:
        raise SourceError(
            f"{title} is compressed by Zstandard, which needs pyarrow: {INSTALL}, or unpack it (zstd -d)"
        ) from error
    return pyarrow.CompressedInputStream(file, "zstd")  # type: ignore[no-any-return]
