"""The part of the client about exports and imports that are jobs; see `labeler.client.Client.exchange`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from labeler.api import typed
from labeler.api.exchange import ExportRun, ExportWanted, ImportChoice, ImportRun, NewExport, NewImport, NewSnapshot


class Exchange:
    """Exports made, and sources checked and imported, in the background, as the pages do it.

    Args:
        ask: sends a request (kind of the answer, method, path, body) and returns its answer.
        send: sends a request (method, path, options).
        save: downloads to a file (path, query, target) and returns its place.
    """

    def __init__(self, ask: Callable[..., Any], send: Callable[..., Any], save: Callable[..., Path]) -> None:
        self._ask = ask
        self._send = send
        self._save = save

    # Exports

    def preview_export(self, project_id: int, **how: Any) -> tuple[dict[str, Any], ...]:
        """The first rows of an export; ``how``: fields of `labeler.api.exchange.ExportWanted`, as ``to="trl"``."""
        path = f"/projects/{project_id}/exports/preview"
        found: tuple[dict[str, Any], ...] = self._ask(tuple[dict[str, Any], ...], "POST", path, ExportWanted(**how))
        return found

    def start_export(self, project_id: int, **how: Any) -> ExportRun:
        """Make an export; ``how``: fields of `labeler.api.exchange.NewExport`, as ``push="ORG/NAME"``."""
        return self._export("POST", f"/projects/{project_id}/exports", NewExport(**how))

    def start_snapshot(self, project_id: int, **how: Any) -> ExportRun:
        """Make a snapshot; ``how``: fields of `labeler.api.exchange.NewSnapshot`."""
        return self._export("POST", f"/projects/{project_id}/snapshots", NewSnapshot(**how))

    def exports(self) -> tuple[ExportRun, ...]:
        """One's own export that was started last, if there is one."""
        found: tuple[ExportRun, ...] = self._ask(tuple[ExportRun, ...], "GET", "/exports")
        return found

    def export(self, export_id: str) -> ExportRun:
        """How far an export is."""
        return self._export("GET", f"/exports/{export_id}")

    def cancel_export(self, export_id: str) -> ExportRun:
        """End an export that is being made."""
        return self._export("POST", f"/exports/{export_id}/cancel")

    def download(self, export_id: str, path: str | Path) -> Path:
        """Download the file of an export that is done; ``path`` is replaced."""
        return self._save(f"/exports/{export_id}/file", {}, path)

    # Imports

    def imports(self) -> tuple[ImportRun, ...]:
        """One's own sources that were not put away, the last one first."""
        found: tuple[ImportRun, ...] = self._ask(tuple[ImportRun, ...], "GET", "/imports")
        return found

    def add_import(self, place: str) -> ImportRun:
        """Name what is to be imported, as ``hf:NAME[:CONFIG][/SPLIT]``."""
        return self._import("POST", "", NewImport(place))

    def upload(self, path: str | Path) -> ImportRun:
        """Send a file that is to be imported, also packed with gzip."""
        with Path(path).open("rb") as file:
            answer = self._send("POST", "/imports/upload", files={"file": file})
        return typed.from_json(ImportRun, answer.json(), strict=False)

    def import_run(self, source_id: str) -> ImportRun:
        """How far a source is, and what was found in it."""
        return self._import("GET", f"/{source_id}")

    def check(self, source_id: str, project: str, **how: Any) -> ImportRun:
        """Read and clean a source for a project, by its name; ``how``: fields of `ImportChoice`, as ``unique=True``."""
        return self._import("POST", f"/{source_id}/check", ImportChoice(project=project, **how))

    def store(self, source_id: str) -> ImportRun:
        """Store a source as it was checked last."""
        return self._import("POST", f"/{source_id}/store")

    def cancel_import(self, source_id: str) -> ImportRun:
        """End a check or an import that runs."""
        return self._import("POST", f"/{source_id}/cancel")

    def download_bad_rows(self, source_id: str, path: str | Path) -> Path:
        """Download the rows that cannot be imported, with their reasons, as JSON lines; ``path`` is replaced."""
        return self._save(f"/imports/{source_id}/bad-rows", {}, path)

    def put_away(self, source_id: str) -> None:
        """Forget a source; what was stored stays."""
        self._send("DELETE", f"/imports/{source_id}")

    def _export(self, method: str, path: str, body: Any = None) -> ExportRun:
        found: ExportRun = self._ask(ExportRun, method, path, body)
        return found

    def _import(self, method: str, more: str, body: Any = None) -> ImportRun:
        found: ImportRun = self._ask(ImportRun, method, f"/imports{more}", body)
        return found
