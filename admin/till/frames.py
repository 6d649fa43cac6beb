"""Reads the QR code in a camera frame, for browsers that cannot do it themselves.

A 1280×720 frame takes about 15 ms, in a thread of its own; what comes when both are busy is
refused, because the page's next frame is as good as this one.
"""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor

import zxingcpp
from PIL import Image, UnidentifiedImageError

from admin.problems import Bad, Problem
from loyalty.refusals import No

FRAME_BYTES_MAX = 512 * 1024
FRAME_PIXELS_MAX = 1920 * 1080
_AT_ONCE_MAX = 2
_FORMATS = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.EAN13])


class FrameReader:
    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_AT_ONCE_MAX, thread_name_prefix="frames")
        self._busy = 0

    async def read(self, jpeg: bytes) -> str | Problem | None:
        """The text of the code in the picture, or None.

        Refused: unreadable_image (not a JPEG, damaged, too large), too_many_requests(wait_s).
        """
        if self._busy >= _AT_ONCE_MAX:
            return Problem(No.TOO_MANY_REQUESTS, data={"wait_s": 1})
        self._busy += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, read_frame, jpeg)
        finally:
            self._busy -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def read_frame(jpeg: bytes) -> str | Problem | None:
    """Decode in this thread. The size is known from the header, before any pixel is unpacked."""
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
            if image.width * image.height > FRAME_PIXELS_MAX:
                return Problem(Bad.UNREADABLE_IMAGE, f"At most {FRAME_PIXELS_MAX} pixels.")
            image.draft("L", image.size)
            grey = image.convert("L")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return Problem(Bad.UNREADABLE_IMAGE, "Send a JPEG.")
    for found in zxingcpp.read_barcodes(grey, formats=_FORMATS):
        if found.valid and found.text:
            return str(found.text)
    return None
