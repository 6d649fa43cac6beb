"""The real server in a process of its own, which tests start, kill and start again."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import aiohttp

ROOT = Path(__file__).parents[2]
START_S = 30


class Server:
    """`kapsula serve` on a free port, with its database at `url`."""

    def __init__(self, url: str, secret: str, **settings: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        self._kind = "web" if url.startswith("postgres") else "all"
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("KAPSULA_")},
            "KAPSULA_DATABASE_URL": url,
            "KAPSULA_SECRET": secret,
            "KAPSULA_WEB__PORT": str(port),
            "KAPSULA_LOG_LEVEL": "ERROR",
            **settings,
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start, and return once it answers."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app.cli", "serve", self._kind, cwd=ROOT, env=self._environment
        )
        async with aiohttp.ClientSession() as session, asyncio.timeout(START_S):
            while True:
                assert self._process.returncode is None, "the server did not start"
                try:
                    async with session.get(f"{self.base}/healthz"):
                        return
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """kill -9: no goodbye."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM: finish what is under way."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await asyncio.wait_for(self._process.wait(), 20)
            assert self._process.returncode == 0
