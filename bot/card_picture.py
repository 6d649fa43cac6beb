"""The picture of the card: a QR code large enough for any scanner, and the digits for a person."""

from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO

import qrcode
from PIL import Image, ImageDraw, ImageFont
from qrcode.constants import ERROR_CORRECT_M, ERROR_CORRECT_Q

WIDTH = 720
QUIET_MODULES = 4  # what ISO 18004 asks for around the code
_CODE_TOP, _NUMBER_TOP, _HEIGHT = 716, 812, 880
_INK, _PAPER, _PALE = (10, 22, 30), (255, 255, 255), (84, 98, 108)


@lru_cache(maxsize=128)
def card_picture(payload: str, short_code: str, card_number: str) -> bytes:
    """PNG, 720 × 880: the QR code of `payload`, the short code below it, then the card number."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=QUIET_MODULES, box_size=1)
    code.add_data(payload)
    code.make(fit=True)
    modules = code.get_matrix()
    scale = WIDTH // len(modules)
    square = Image.new("1", (len(modules), len(modules)), 1)
    square.putdata([0 if dark else 1 for row in modules for dark in row])
    side = scale * len(modules)
    picture = Image.new("RGB", (WIDTH, _HEIGHT), _PAPER)
    picture.paste(square.resize((side, side), Image.Resampling.NEAREST), ((WIDTH - side) // 2, 8))
    draw = ImageDraw.Draw(picture)
    middle = WIDTH // 2
    draw.text((middle, _CODE_TOP), grouped(short_code, 3), _INK, _font(84), anchor="mt")
    draw.text((middle, _NUMBER_TOP), grouped(card_number, 4), _PALE, _font(38), anchor="mt")
    packed = picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
    out = BytesIO()
    packed.save(out, "PNG", optimize=True)
    return out.getvalue()


def qr_path(payload: str) -> tuple[str, int]:
    """The QR code as an SVG path in units of modules, and its side with the quiet zone."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_Q, border=QUIET_MODULES, box_size=1)
    code.add_data(payload)
    code.make(fit=True)
    modules = code.get_matrix()
    return "".join(_bars(modules)), len(modules)


def _bars(modules: list[list[bool]]) -> Iterator[str]:
    """Dark modules that stand side by side as one bar."""
    for y, row in enumerate(modules):
        x = 0
        while x < len(row):
            if not row[x]:
                x += 1
                continue
            end = x
            while end < len(row) and row[end]:
                end += 1
            yield f"M{x} {y}h{end - x}v1h-{end - x}z"
            x = end


def grouped(digits: str, size: int) -> str:
    """`123456` as `123 456`, counted from the right as people read numbers out."""
    head = len(digits) % size
    parts = [digits[:head]] if head else []
    return " ".join(parts + [digits[i : i + size] for i in range(head, len(digits), size)])


@lru_cache(maxsize=4)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
