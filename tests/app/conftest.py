"""Processes of Kapsula as an operator starts them."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECRET = "a secret of the tests that is long enough"

Start = Callable[..., AbstractAsyncContextManager["Running"]]


class Running:
    """A process that was started; its output is collected."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def end(self, timeout_s: float = 60) -> tuple[int, str]:
        """Wait for it to end by itself: exit code and everything it said."""
        async with asyncio.timeout(timeout_s):
            out, err = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, (out + err).decode()

    async def stop(self, number: int, timeout_s: float = 60) -> tuple[int, str]:
        self.process.send_signal(number)
        return await self.end(timeout_s)


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start `kapsula …` in an empty folder with nothing but the given environment."""

    @asynccontextmanager
    async def starting(
        *arguments: str, env: Mapping[str, str] | None = None
    ) -> AsyncIterator[Running]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("KAPSULA_")}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "app.cli",
            *arguments,
            cwd=tmp_path,
            env={**clean, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **(env or {})},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            yield Running(process)
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()

    return starting


@pytest.fixture
def port() -> int:
    """A port on which nobody listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
