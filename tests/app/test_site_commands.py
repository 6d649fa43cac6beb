"""`kapsula sites` as an operator types it."""

import json

import pytest

from tests.app.conftest import SECRET
from tests.app.test_commands import refused, said, url

__all__ = ["url"]


def test_a_site_from_its_keys_to_its_end(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    add = ("sites", "add", "shop", "--origin", "https://shop.example")
    assert "KAPSULA_SECRET" in refused(url, *add, code=2)
    monkeypatch.setenv("KAPSULA_SECRET", SECRET)
    public, secret = (line.split()[-1] for line in said(url, *add).splitlines())
    assert (public[:4], secret[:4]) == ("kps_", "kss_")
    assert "invalid_site: name" in refused(url, *add)
    assert "invalid_site: origins" in refused(
        url, "sites", "add", "two", "--origin", "shop.example"
    )
    assert said(url, "sites", "rotate", "shop").strip() != secret
    [row] = json.loads(said(url, "sites", "list", "--json"))
    assert (row["public_key"], row["works"]) == (public, True)
    assert "Closed" in said(url, "sites", "close", "shop")
    assert "no open site" in refused(url, "sites", "close", "shop")
    assert "no open site" in refused(url, "sites", "rotate", "shop")
