"""The board's modules and style sheets, under an address that changes with their content: browsers may keep them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parent.parent / "app" / "components"
SUFFIXES = (".css", ".js", ".svg")


def _digest() -> str:
    parts = sorted(path for path in FOLDER.iterdir() if path.suffix in SUFFIXES)
    return sha256(b"\0".join(path.name.encode() + b"\0" + path.read_bytes() for path in parts)).hexdigest()[:16]


ASSETS = f"/assets/{_digest()}"


def asset_routes() -> list[BaseRoute]:
    """Serve `FOLDER` at `ASSETS`."""
    return [Mount(ASSETS, StaticFiles(directory=FOLDER))]
