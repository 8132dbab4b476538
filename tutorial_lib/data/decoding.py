"""Bytes that somebody calls a picture, to RGB: formats by content, on an allow list, within bounds.

Pillow opens whatever format it knows, and hands some to other programs (PostScript to Ghostscript, for example). Here
only formats that data sets hold are tried, whatever a file is called, and no picture may be larger than some bounds,
in
bytes, pixels and seconds.
"""

from __future__ import annotations

import io
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
from PIL import Image

#: Formats by content; all are decoded in this process.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
#: Bounds of one picture: its file in bytes, its area in pixels.
MOST_BYTES, MOST_PIXELS = 1 << 26, 1 << 26
#: Seconds that one picture may take: a progressive JPEG may scan its pixels thousands of times.
MOST_SECONDS = 20.0
#: Bytes of a progressive JPEG between two looks at the clock.
CHUNK = 1 << 12
#: A picture longer than so many of its shorter sides is cut at both ends before it is resized.
LONGEST = 16

#: What a picture may have that conventions differ on, and what is done here.
TRANSPARENT = "transparent, put over white (open_clip drops the transparency)"
ROTATED = "with an EXIF rotation, which is not applied (as in open_clip)"
FLOATS = "of floats, read as 0 to 1 where none is above 1, else as 0 to 255"
MOVING = "of several frames, of which the first is taken"


class NotAPictureError(ValueError):
    """Bytes that cannot be decoded as a picture, or that are beyond the bounds."""


class _SlowError(Exception):
    """A picture takes longer than it may."""


class _Timed(io.BytesIO):
    """A file that can be read for `MOST_SECONDS`."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.until = time.monotonic() + MOST_SECONDS

    def read(self, size: int | None = -1, /) -> bytes:
        if time.monotonic() > self.until:
            raise _SlowError(f"a picture that takes more than {MOST_SECONDS:g} s")
        return super().read(size)


@dataclass(frozen=True)
class Resizing:
    """How a picture of any size becomes a square; the default is that of OpenAI's and the course's models.

    Attributes:
        interpolation: "bicubic", "bilinear" or "nearest".
        mode: "shortest" side to the square's and the centre cut out, "longest" side to it and the rest black, or
            "squash" both, which alters proportions.

    Raises:
        ValueError: there is no such interpolation or mode.

    Example:
        >>> Resizing(mode="stretch")
        Traceback (most recent call last):
        ValueError: pictures are resized by their shortest or longest side, or squashed; not 'stretch'
    """

    interpolation: str = "bicubic"
    mode: str = "shortest"

    def __post_init__(self) -> None:
        if self.interpolation not in ("bicubic", "bilinear", "nearest"):
            raise ValueError(f"interpolation is bicubic, bilinear or nearest, not {self.interpolation!r}")
        if self.mode not in ("shortest", "longest", "squash"):
            raise ValueError(f"pictures are resized by their shortest or longest side, or squashed; not {self.mode!r}")


#: Of OpenAI's models, and of the course's.
CENTRE = Resizing()


def decode(
    picture: bytes, *, side: int | None = None, resizing: Resizing = CENTRE, notes: Counter[str] | None = None
) -> np.ndarray:
    """An encoded picture of any mode as RGB, shape (H, W, 3), uint8; transparent parts over white.

    Args:
        picture: the bytes of a file.
        side: width and height of the result; by default the picture's own.
        resizing: to that side.
        notes: counts what conventions differ on.

    Raises:
        NotAPictureError: the bytes are none of `FORMATS`, damaged, or beyond the bounds.

    Example:
        >>> decode(b"%!PS-Adobe-3.0 EPSF-3.0")
        Traceback (most recent call last):
        tutorial_lib.data.decoding.NotAPictureError: no picture (JPEG, PNG, WEBP, GIF, BMP or TIFF) that can be decoded
    """
    image = _open(picture)
    try:
        with image:
            found = to_rgb(image, notes)
    except (MemoryError, KeyboardInterrupt):
        raise
    except _SlowError as error:
        raise NotAPictureError(str(error)) from error
    except Exception as error:  # Pillow's decoders raise many kinds for damaged files
        raise NotAPictureError(f"a damaged picture: {error or type(error).__name__}") from error
    return np.array(resize(found, side, resizing) if side else found)


def header(picture: bytes) -> tuple[int, int]:
    """Width and height that a picture says; nothing is decoded.

    Raises:
        NotAPictureError: as for `decode`, as far as a header tells.

    Example:
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (5, 3)).save(file, "PNG")
        >>> header(file.getvalue())
        (5, 3)
    """
    with _open(picture) as image:
        return image.size


def _open(picture: bytes) -> Image.Image:
    if len(picture) > MOST_BYTES:
        raise NotAPictureError(f"a file of {len(picture):,} bytes, and at most {MOST_BYTES:,} are read")
    try:
        image = Image.open(_Timed(picture), formats=FORMATS)
    except MemoryError:
        raise
    except _SlowError as error:
        raise NotAPictureError(str(error)) from error
    except Image.DecompressionBombError as error:
        raise NotAPictureError(f"a picture of far more than {MOST_PIXELS:,} pixels") from error
    except Exception as error:  # plugins raise many kinds for damaged headers
        *some, last = FORMATS
        raise NotAPictureError(f"no picture ({', '.join(some)} or {last}) that can be decoded") from error
    width, height = image.size
    if not 0 < width * height <= MOST_PIXELS:
        raise NotAPictureError(f"a picture of {width}x{height} pixels, and at most {MOST_PIXELS:,} are decoded")
    if image.info.get("progressive"):
        image.decodermaxblock = CHUNK
    return image


def to_rgb(image: Image.Image, notes: Counter[str] | None = None) -> Image.Image:
    """Any mode to RGB: transparent parts over white, 16-bit grey scaled down, floats to 8 bits.

    Args:
        image: an opened picture.
        notes: counts what conventions differ on.

    Example:
        >>> to_rgb(Image.new("RGBA", (2, 2), (0, 0, 0, 0))).getpixel((0, 0))  # transparent: white
        (255, 255, 255)
    """
    notes = Counter() if notes is None else notes
    image.load()
    notes[ROTATED] += image.getexif().get(0x0112, 1) != 1
    notes[MOVING] += getattr(image, "n_frames", 1) > 1
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    if image.mode == "F":
        notes[FLOATS] += 1
        values = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0, posinf=255.0, neginf=0.0)
        values = values * 255 if values.max() <= 1 else values
        image = Image.fromarray(values.round().clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        notes[TRANSPARENT] += image.getchannel("A").getextrema() != (255, 255)
        ground = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(ground, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def resize(image: Image.Image, side: int, resizing: Resizing = CENTRE) -> Image.Image:
    """A picture as a square, as open_clip's evaluation views make it.

    Example:
        >>> resize(Image.new("RGB", (80, 40)), 20).size, resize(Image.new("RGB", (60_000, 1)), 20).size
        ((20, 20), (20, 20))
    """
    if image.size == (side, side):
        return image
    from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize  # only where pictures are resized

    how = InterpolationMode(resizing.interpolation)
    view: Image.Image
    if resizing.mode == "squash":
        view = Resize((side, side), interpolation=how)(image)
    elif resizing.mode == "longest":
        from open_clip.transform import CenterCropOrPad, ResizeKeepRatio

        view = Compose([ResizeKeepRatio(side, interpolation=how, longest=1), CenterCropOrPad(side)])(image)
    else:
        view = Compose([Resize(side, interpolation=how), CenterCrop(side)])(_cut(image))
    return view


def _cut(image: Image.Image) -> Image.Image:
    """Without the ends of a very long picture, which the centre does not show and resizing would blow up."""
    width, height = image.size
    keep = LONGEST * min(width, height)
    if max(width, height) <= keep:
        return image
    left, top = max(0, (width - keep) // 2), max(0, (height - keep) // 2)
    return image.crop((left, top, left + min(width, keep), top + min(height, keep)))
