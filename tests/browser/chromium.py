"""Chromium as the browser tests start it, and films for its fake camera."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, async_playwright, expect

from tests.availability import chromium_path

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDTH, HEIGHT = 640, 480
PATIENCE_MS = 20_000

# What is waited for comes; on a busy machine it comes late.
expect.set_options(timeout=PATIENCE_MS)


@asynccontextmanager
async def chromium(*, camera: Path | None = None) -> AsyncIterator[Browser]:
    """A browser; with `camera` its camera shows that film."""
    eyes = (
        ()
        if camera is None
        else (
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={camera}",
        )
    )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_path(), args=[*QUIET, *eyes]
        )
        try:
            yield browser
        finally:
            await browser.close()


def film(picture: Image.Image, path: Path) -> Path:
    """A second of video in which a picture is held still before the camera."""
    shown = picture.convert("L")
    shown.thumbnail((WIDTH, HEIGHT))
    scene = Image.new("L", (WIDTH, HEIGHT), 90)
    scene.paste(shown, ((WIDTH - shown.width) // 2, (HEIGHT - shown.height) // 2))
    frame = b"FRAME\n" + scene.tobytes() + bytes([128]) * (WIDTH * HEIGHT // 2)
    header = f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode()
    path.write_bytes(header + frame * 10)
    return path
