"""The child process of core.images: one picture on stdin, a clean JPEG on stdout.

Usage: image_child.py MAX_PIXELS MAX_SIDE. Answers one JSON line ({"width", "height"} or
{"refused": "type" | "pixels" | "broken"}) and then the JPEG. Knows nothing of Django.
"""

import io
import json
import resource
import sys

from PIL import Image, ImageOps

MEMORY_BYTES = 1024 * 1024 * 1024
CPU_SECONDS = 20
FORMATS = ("JPEG", "PNG", "WEBP")


def main(raw: bytes, max_pixels: int, max_side: int) -> bytes:
    """Return the answer for the picture in ``raw``."""
    try:
        with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                return refusal("pixels")
            small = image.convert("RGBA") if image.mode == "P" else image
            small.thumbnail((max_side, max_side))
            upright = on_white(ImageOps.exif_transpose(small))
            out = io.BytesIO()
            upright.save(out, "JPEG", quality=85, exif=b"", icc_profile=None)
    except Image.DecompressionBombError:
        return refusal("pixels")
    except Image.UnidentifiedImageError:
        return refusal("type")
    except Exception:
        return refusal("broken")
    header = {"width": upright.width, "height": upright.height}
    return json.dumps(header).encode() + b"\n" + out.getvalue()


def on_white(image: Image.Image) -> Image.Image:
    """Return a fresh RGB picture that carries nothing of the old one but its pixels."""
    seen = image.convert("RGBA") if image.has_transparency_data else image.convert("RGB")
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(seen, mask=seen if seen.mode == "RGBA" else None)
    return canvas


def refusal(reason: str) -> bytes:
    """Return the line that says why not."""
    return json.dumps({"refused": reason}).encode() + b"\n"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    answer = main(sys.stdin.buffer.read(), int(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.buffer.write(answer)
