"""Pictures as they are stored, and the order of what several threads make."""

import io
import time
import warnings

import numpy as np
import pytest
from PIL import Image

from tutorial_lib.data.decoding import MOST_BYTES, decode
from tutorial_lib.practice.import_pictures import Stored, digest_of, format_of, in_order


def encoded(form: str, mode: str = "RGB", size: tuple[int, int] = (7, 5)) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(file, form)
    return file.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WebP"])
def test_stored_without_loss(form: str) -> None:
    body = encoded(form)
    made = Stored.of(lambda: body, side=None, keep_codec=False)
    assert (made.format, made.suffix, made.size, made.problem) == (form, "webp", (7, 5), "")
    assert np.array_equal(decode(made.body), decode(body))
    kept = Stored.of(lambda: body, side=None, keep_codec=True)
    assert (kept.body == body, kept.converted) == (form in ("JPEG", "PNG", "WebP"), form in ("GIF", "BMP", "TIFF"))


def test_what_conventions_differ_on_is_counted() -> None:
    made = Stored.of(lambda: encoded("PNG", "RGBA"), side=None, keep_codec=False)
    assert made.notes.total() == 0
    file = io.BytesIO()
    Image.new("RGBA", (2, 2)).save(file, "PNG")
    made = Stored.of(file.getvalue, side=None, keep_codec=False)
    assert [note.partition(",")[0] for note in made.notes] == ["transparent"]


def test_formats_by_content() -> None:
    assert [format_of(b) for b in (b"", b"RIFF0000WAVE", b"%PDF", b"<svg", b"\0\0\0 ftypavif")] == [""] * 5


def test_reading_that_fails_and_what_is_beyond_the_bounds() -> None:
    def fail() -> bytes:
        raise ValueError("that cannot be read")

    assert Stored.of(fail, side=8, keep_codec=False).problem == "that cannot be read"
    large = encoded("BMP") + bytes(MOST_BYTES)
    assert Stored.of(lambda: large, side=8, keep_codec=False).problem == "with a picture beyond the bounds"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "damaged" in Stored.of(lambda: encoded("PNG")[:50], side=8, keep_codec=False).problem


def test_digests() -> None:
    assert digest_of(b"ab", "c") != digest_of(b"a", "bc")
    assert digest_of(b"a", "") == digest_of(b"a", "")


def test_results_come_in_order() -> None:
    def slow(number: int) -> int:
        time.sleep(0.001 * (7 - number % 7))
        return number

    assert [item == made for item, made in in_order(range(50), slow, 4)] == [True] * 50


def test_few_are_made_ahead() -> None:
    taken = []

    def items() -> object:
        for i in range(1000):
            taken.append(i)
            yield i

    found = in_order(items(), str, 2)  # type: ignore[arg-type]
    assert next(found) == (0, "0")
    assert len(taken) < 20
    found.close()
