"""Camera frames: the code in them is read, anything else is a named refusal."""

import io

import pytest
import qrcode
from PIL import Image, ImageFilter

from admin.problems import Bad, Problem
from admin.till.frames import FRAME_PIXELS_MAX, FrameReader, read_frame

PAYLOAD = "9" + "0123456789" * 3 + "01"


def photo(text: str, *, size: tuple[int, int] = (1280, 720), angle: float = 7) -> Image.Image:
    """A code as a camera sees it: smaller than the frame, turned, a little out of focus."""
    code = qrcode.make(text, box_size=8, border=4).get_image().convert("L")
    scene = Image.new("L", size, 140)
    turned = code.rotate(angle, expand=True, fillcolor=140)
    turned.thumbnail((size[0] // 2, size[1] // 2))
    scene.paste(turned, (size[0] // 4, size[1] // 4))
    return scene.filter(ImageFilter.GaussianBlur(0.8))


def jpeg(image: Image.Image, quality: int = 75) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality)
    return out.getvalue()


@pytest.mark.parametrize("angle", [0, 7, 45, 90, 180])
def test_a_code_is_read(angle: float) -> None:
    assert read_frame(jpeg(photo(PAYLOAD, angle=angle))) == PAYLOAD


def test_a_frame_in_colour_is_read() -> None:
    assert read_frame(jpeg(photo(PAYLOAD).convert("RGB"))) == PAYLOAD


def test_a_frame_without_a_code_is_nothing() -> None:
    assert read_frame(jpeg(Image.new("RGB", (640, 480), "grey"))) is None


def png() -> bytes:
    out = io.BytesIO()
    photo(PAYLOAD).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xd8",
        b"<html>",
        b"GIF89a" + bytes(100),
        png(),
        jpeg(photo(PAYLOAD))[:2000],
        jpeg(Image.new("L", (FRAME_PIXELS_MAX // 1000 + 1, 1001))),
        jpeg(Image.new("L", (20_000, 20_000)), quality=1),
    ],
    ids=["empty", "cut", "html", "gif", "png", "half", "too large", "bomb"],
)
def test_what_is_no_frame_is_refused(body: bytes) -> None:
    problem = read_frame(body)
    assert isinstance(problem, Problem)
    assert problem.code is Bad.UNREADABLE_IMAGE


async def test_frames_are_decoded_off_the_event_loop() -> None:
    reader = FrameReader()
    try:
        assert await reader.read(jpeg(photo(PAYLOAD))) == PAYLOAD
    finally:
        reader.close()
