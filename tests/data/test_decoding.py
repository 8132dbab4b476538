"""Pictures by content, on an allow list and within bounds; whatever else comes costs one picture and nothing more."""

import contextlib
import io
import random
import struct
import subprocess
import time
import zlib
from collections import Counter

import numpy as np
import pytest
from open_clip.transform import image_transform
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from tests.data.tars import encoded, picture
from tutorial_lib.data import decoding
from tutorial_lib.data.decoding import FORMATS, NotAPictureError, Resizing, decode, header


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *extra: bytes, rows: int | None = None) -> bytes:
    """A PNG whose header may promise more than it holds; `extra` chunks lie before the pixels."""
    lines = zlib.compress(b"".join(b"\0" + bytes(3 * width) for _ in range(height if rows is None else rows)))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


PROGRAM = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 24 24\n{ } loop\n%%EOF\n"


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_on_the_list_is_decoded_whatever_it_is_called(form: str) -> None:
    image = picture("RGB")
    content = encoded(image, form)
    assert header(content) == image.size
    close = np.abs(decode(content).astype(int) - np.array(image)).mean()
    assert close < (12 if form in ("JPEG", "GIF", "WEBP") else 1e-9)


def test_a_program_that_calls_itself_a_picture_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("a program was started")

    for name in ("Popen", "run", "check_call", "check_output", "call"):
        monkeypatch.setattr(subprocess, name, started)
    for look in (decode, header):
        with pytest.raises(NotAPictureError, match=r"no picture \(JPEG, PNG, WEBP, GIF, BMP or TIFF\)"):
            look(PROGRAM)


@pytest.mark.parametrize("form", ["EPS", "PCX", "ICO", "DDS", "PPM", "TGA"])
def test_forms_that_are_not_on_the_list_are_no_pictures(form: str) -> None:
    content = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(content, form)
    with pytest.raises(NotAPictureError, match="no picture"):
        decode(content.getvalue())


def test_bounds_of_bytes_and_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotAPictureError, match="a picture of 8193x8193 pixels, and at most 67,108,864"):
        decode(png(8193, 8193, rows=0))
    with pytest.raises(NotAPictureError, match="a picture of far more than 67,108,864 pixels"):
        decode(png(65_000, 65_000, rows=0))
    assert decode(png(8193, 2)).shape == (2, 8193, 3)
    monkeypatch.setattr(decoding, "MOST_BYTES", 100)
    with pytest.raises(NotAPictureError, match="a file of 1,000 bytes, and at most 100 are read"):
        decode(bytes(1000))


@pytest.mark.parametrize(
    "content",
    [
        encoded(picture("RGB"), "JPEG")[:200],
        encoded(picture("RGB"), "TIFF")[:60],
        encoded(picture("RGB"), "WEBP")[:40],
        b"RIFF\xff\xff\xff\x7fWEBPVP8L" + bytes(40),
        b"II*\0\xff\xff\xff\x7f",
        b"GIF89a\xff\xff\xff\xff\xf7\0\0" + bytes(800),
        b"",
    ],
)
def test_what_is_damaged_is_one_kind_of_error(content: bytes) -> None:
    with pytest.raises(NotAPictureError):
        decode(content, side=8)


@pytest.mark.parametrize(
    "odd",
    [
        chunk(b"sRGB", b""), chunk(b"pHYs", b"\1"), chunk(b"gAMA", b""), chunk(b"cHRM", b"\0"),
        chunk(b"iCCP", b"x\0\0junk"), chunk(b"tRNS", b""), chunk(b"zTXt", b"a\0\0junk"), chunk(b"iTXt", b"a\0\1\0"),
        chunk(b"eXIf", b"junk"), chunk(b"acTL", b"\0"),
    ],
    ids=lambda odd: odd[4:8].decode(),
)  # fmt: skip
def test_odd_chunks_are_decoded_or_refused_in_one_way(odd: bytes) -> None:
    with contextlib.suppress(NotAPictureError):
        assert decode(png(9, 7, odd)).shape == (7, 9, 3)


@pytest.mark.parametrize("size", [(40, 30), (320, 30), (30, 470), (33, 33), (31, 64)])
def test_resizing_is_that_of_open_clip(size: tuple[int, int]) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))
    peer = Compose([Resize(24, interpolation=InterpolationMode.BICUBIC), CenterCrop(24)])
    assert np.array_equal(decode(encoded(image, "PNG"), side=24), np.array(peer(image)))


def test_a_very_long_picture_shows_its_middle_and_takes_no_memory() -> None:
    line = np.zeros((1, 60_000, 3), np.uint8)
    line[:, 29_990:30_010] = 255
    found = decode(encoded(Image.fromarray(line), "PNG"), side=224)
    assert found.shape == (224, 224, 3)
    assert found[:, 100:124].min() == 255
    tall = decode(encoded(Image.fromarray(line.transpose(1, 0, 2)), "PNG"), side=224)
    assert np.array_equal(tall, found.transpose(1, 0, 2))


def test_what_conventions_differ_on_is_counted() -> None:
    notes: Counter[str] = Counter()
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = io.BytesIO()
    picture("RGB").save(turned, "JPEG", exif=exif)
    frames = io.BytesIO()
    Image.new("L", (4, 4), 0).save(frames, "GIF", save_all=True, append_images=[Image.new("L", (4, 4), 255)])
    half = Image.new("RGBA", (4, 4), (0, 0, 0, 128))
    for content in (turned.getvalue(), frames.getvalue(), encoded(half, "PNG")):
        decode(content, notes=notes)
    opaque = encoded(Image.new("RGBA", (4, 4), (9, 9, 9, 255)), "PNG")
    assert decode(opaque, notes=notes)[0, 0].tolist() == [9, 9, 9]
    assert {what: n for what, n in notes.items() if n} == {
        decoding.ROTATED: 1, decoding.MOVING: 1, decoding.TRANSPARENT: 1,
    }  # fmt: skip


@pytest.mark.parametrize(("scale", "grey"), [(1.0, 255), (200.0, 200), (float("nan"), 0)])
def test_floats_are_read_as_shares_or_as_grey_levels(scale: float, grey: int) -> None:
    notes: Counter[str] = Counter()
    values = np.zeros((4, 4), np.float32)
    values[0, 0] = scale
    found = decode(encoded(Image.fromarray(values), "TIFF"), notes=notes)
    assert found[0, 0].tolist() == [grey] * 3
    assert found[1, 1].tolist() == [0] * 3
    assert notes[decoding.FLOATS] == 1


def mutants(seed: int) -> bytes:
    """A picture with some of its bytes changed, cut or doubled."""
    r = random.Random(seed)
    form = r.choice(FORMATS)
    mode = r.choice(("RGB", "L", "P", "RGBA") if form not in ("JPEG",) else ("RGB", "L", "CMYK"))
    content = bytearray(encoded(picture("RGB").convert(mode), form))
    for _ in range(r.choice((1, 1, 2, 8, 40))):
        if not content:
            break
        at = r.randrange(len(content))
        match r.randrange(5):
            case 0:
                content[at] = r.randrange(256)
            case 1:
                content[at : at + 4] = struct.pack(r.choice("<>") + "I", r.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF)))
            case 2:
                del content[at : at + r.randrange(1, 20)]
            case 3:
                content[at:at] = content[: r.randrange(1, 60)]
            case 4:
                content = content[: at + 1]
    return bytes(content)


def fuzz(seeds: range) -> Counter[str]:
    found: Counter[str] = Counter()
    for seed in seeds:
        content = mutants(seed)
        try:
            decode(content, side=16)
            found["decoded"] += 1
        except NotAPictureError:
            found["refused"] += 1
    return found


@pytest.mark.filterwarnings("ignore")
def test_mutated_pictures_are_decoded_or_refused() -> None:
    found = fuzz(range(5000))
    assert found.total() == 5000
    assert min(found["decoded"], found["refused"]) > 200


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_many_mutated_pictures_are_decoded_or_refused() -> None:
    assert fuzz(range(10_000, 60_000)).total() == 50_000


def scans(side: int, times: int) -> bytes:
    """A small progressive JPEG that goes over its pixels again and again."""
    content = io.BytesIO()
    Image.new("L", (side, side), 128).save(content, "JPEG", progressive=True)
    picture = content.getvalue()
    return picture[:-2] + picture[picture.rindex(b"\xff\xda") : -2] * times + picture[-2:]


def test_a_picture_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes and pixels are within the bounds: a megabyte that would take minutes."""
    assert decode(scans(400, 3)).shape == (400, 400, 3)
    monkeypatch.setattr(decoding, "MOST_SECONDS", 0.2)
    started = time.monotonic()
    with pytest.raises(NotAPictureError, match=r"a picture that takes more than 0\.2 s"):
        decode(scans(4000, 10_000))
    assert time.monotonic() - started < 20


@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [(50, 31), (31, 50), (40, 40), (9, 7)])
def test_resizing_is_open_clips(size: tuple[int, int], interpolation: str, mode: str) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
    view = image_transform(16, False, (0.0,) * 3, (1.0,) * 3, mode, interpolation)
    expected = (view(image).permute(1, 2, 0) * 255).round().byte().numpy()
    assert (decode(encoded(image, "PNG"), side=16, resizing=Resizing(interpolation, mode)) == expected).all()
