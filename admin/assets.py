"""Scripts, styles and icons, read once at start and served under one address per version.

The address holds a digest of all files together, so browsers may keep them for ever, and modules
may import each other by relative names.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    content_type: str


class Assets:
    """The files of one folder."""

    def __init__(self, folder: Path, prefix: str) -> None:
        files = sorted(path for path in folder.iterdir() if path.suffix in TYPES)
        self._assets = {path.name: Asset(path.read_bytes(), TYPES[path.suffix]) for path in files}
        digest = hashlib.sha256()
        for name, asset in self._assets.items():
            digest.update(f"{name} {len(asset.body)} ".encode() + asset.body)
        self.version = digest.hexdigest()[:16]
        self.base = f"{prefix}/{self.version}"

    def url(self, name: str) -> str:
        """The address of a file; a name that does not exist is a bug and raises KeyError."""
        return f"{self.base}/{name}" if self._assets[name] else ""

    def urls(self) -> list[str]:
        return [self.url(name) for name in self._assets]

    async def serve(self, request: web.Request) -> web.Response:
        asset = self._assets.get(request.match_info["name"])
        if asset is None or request.match_info["version"] != self.version:
            raise web.HTTPNotFound
        return web.Response(
            body=asset.body,
            headers={"Content-Type": asset.content_type, "Cache-Control": _FOR_EVER},
        )
