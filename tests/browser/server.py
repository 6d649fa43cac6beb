"""A server of our own for a browser, which can be taken off the network."""

from dataclasses import dataclass

from aiohttp import web


@dataclass
class Server:
    """Stands at one address, can be cut off there and connected again."""

    app: web.AppRunner
    port: int = 0
    site: web.TCPSite | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def connect(self) -> None:
        self.site = web.TCPSite(self.app, "127.0.0.1", self.port)
        await self.site.start()
        self.port = self.app.addresses[0][1]

    async def cut(self) -> None:
        """Nothing listens any more, and open connections are dropped."""
        assert self.site is not None
        await self.site.stop()
        server = self.app.server
        assert server is not None
        for connection in list(server.connections):
            connection.force_close()
