"""The board's modules and style sheets, under an address that changes with their content: browsers may keep them.

Each language has an address of its own, where ``catalog.js`` holds its texts and all else is the same.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from labeler import languages

FOLDER = Path(__file__).parent.parent / "app" / "components"
SUFFIXES = (".css", ".js", ".svg", ".po")


def _digest() -> str:
    files = [*FOLDER.iterdir(), *languages.FOLDER.iterdir()]
    parts = sorted(path for path in files if path.suffix in SUFFIXES)
    return sha256(b"\0".join(path.name.encode() + b"\0" + path.read_bytes() for path in parts)).hexdigest()[:16]


ASSETS = f"/assets/{_digest()}"


def asset_routes() -> list[BaseRoute]:
    """Serve `FOLDER` at `ASSETS`, and at the address of every other language."""
    files = Mount("/", StaticFiles(directory=FOLDER))
    translated = [code for code in languages.LANGUAGES if code != languages.SOURCE]
    catalogs: list[BaseRoute] = [Mount(assets_in(code), routes=[_catalog(code), files]) for code in translated]
    return [*catalogs, Mount(ASSETS, routes=[files])]


def assets_in(language: str) -> str:
    """The address of the modules that speak a language."""
    return ASSETS if language == languages.SOURCE else f"{ASSETS}/{language}"


def _catalog(language: str) -> Route:
    async def catalog(request: Request) -> Response:
        return Response(languages.for_browser(language), media_type="text/javascript")

    return Route("/catalog.js", catalog)
