"""Uploaded pictures come out harmless or not at all."""

import io
import struct
import zlib

import pytest
from PIL import Image

from core.errors import BadUpload
from core.images import clean_image

ORIENTATION, GPS = 0x0112, 0x8825


def picture(
    kind: str = "JPEG", size: tuple[int, int] = (60, 40), mode: str = "RGB", **save
) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, 120).save(out, kind, **save)
    return out.getvalue()


def clean(raw: bytes, **limits):
    return clean_image(io.BytesIO(raw), **limits)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_three_kinds_become_jpeg(kind):
    image = clean(picture(kind))
    assert (image.width, image.height, image.content_type) == (60, 40, "image/jpeg")
    assert Image.open(io.BytesIO(image.data)).format == "JPEG"
    assert len(image.sha256) == 64


@pytest.mark.parametrize("mode", ["RGBA", "LA", "L", "P", "1", "I;16"])
def test_every_colour_mode_is_taken(mode):
    assert clean(picture("PNG", mode=mode)).width == 60


def test_what_was_transparent_is_white():
    out = io.BytesIO()
    Image.new("RGBA", (10, 10), (0, 0, 0, 0)).save(out, "PNG")
    assert Image.open(io.BytesIO(clean(out.getvalue()).data)).getpixel((5, 5)) == (255, 255, 255)


def test_a_large_picture_is_made_smaller():
    image = clean(picture(size=(3000, 1500)), max_side=600)
    assert (image.width, image.height) == (600, 300)


def test_where_and_when_it_was_taken_is_gone_and_it_stands_upright():
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # turned by a quarter
    exif[GPS] = {1: "N", 2: (33.0, 38.0, 40.0), 3: "E", 4: (115.0, 10.0, 37.0)}
    image = clean(picture(exif=exif.tobytes(), comment=b"secret comment"))
    result = Image.open(io.BytesIO(image.data))
    assert (image.width, image.height) == (40, 60)
    assert not result.getexif()
    assert b"Exif" not in image.data
    assert b"secret comment" not in image.data


def test_what_hides_behind_the_picture_is_gone():
    polyglot = picture() + b"<script>alert(1)</script>PK\x03\x04"
    assert b"script" not in clean(polyglot).data


def png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    rows = zlib.compress(b"\x00" * 1000)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(13000, 13000), (60000, 60000), (40_000_001, 1)])
def test_a_pixel_bomb_is_refused_by_its_header(size):
    with pytest.raises(BadUpload, match=r"像素|pixels"):
        clean(png_header(*size))


@pytest.mark.parametrize(
    "raw",
    [
        b"<html><script>alert(1)</script></html>",
        b"",
        b"GIF89a" + b"\x00" * 100,
        b"%PDF-1.7",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xff\xd8\xffnot a jpeg",
        picture("PNG")[:8] + b"rubbish",
    ],
)
def test_what_is_no_picture_is_refused_whatever_its_name(raw):
    with pytest.raises(BadUpload) as caught:
        clean(raw)
    assert caught.value.errors["file"]


def test_half_a_picture_is_refused():
    noise = Image.effect_noise((400, 400), 90)
    out = io.BytesIO()
    noise.save(out, "JPEG")
    with pytest.raises(BadUpload):
        clean(out.getvalue()[: len(out.getvalue()) // 2])


def test_too_many_bytes_are_refused_unread():
    with pytest.raises(BadUpload):
        clean(picture() + b"\x00" * 2000, max_bytes=1000)
