"""A client of the REST API, for people's own programs.

from labeler.client import Client
with Client("http://127.0.0.1:8501", token) as client:
    for project in client.projects():
        print(project.name, client.stats(project.id).counts.finished)

Errors are those of `labeler.errors`; what the server refused has the same kind here as there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx

from labeler.api import typed
from labeler.api.common import Page, Problem
from labeler.api.content import Imported, ImportQuery, Moved, Priorities, SetAside, TaskInfo
from labeler.api.insight import (
    AgreementReport,
    InsightQuery,
    LeaderboardReport,
    QualityReport,
    SampleQuery,
    ThroughputQuery,
    ThroughputReport,
)
from labeler.api.labeling import (
    Answer,
    AskForReplies,
    Draft,
    Kept,
    Next,
    Notices,
    OfferInfo,
    OptOut,
    OwnJudgment,
    Recorded,
    SaveDraft,
    Skip,
    Undo,
)
from labeler.api.people import Assigned, Invitation, LanguageChoice, Me, NewPerson, Person
from labeler.api.projects import (
    AskModel,
    EndpointSetting,
    Guidelines,
    ModelAnswer,
    NewProject,
    ProjectInfo,
    Rules,
    Settings,
)
from labeler.api.results import ExportQuery, JudgmentInfo, Stats, TaskDetail
from labeler.api.training import NewTraining, Training
from labeler.api.webhooks import AddedWebhook, NewWebhook
from labeler.chat import Turn
from labeler.client_exchange import Exchange
from labeler.client_models import Models
from labeler.client_oversight import Oversight
from labeler.client_prompts import Prompts
from labeler.client_screening import Screening
from labeler.errors import ConflictError, DataError, NotFoundError, PermissionDeniedError, ProductError, StoreError
from labeler.formats.files import replacing
from labeler.own_work import OwnWork
from labeler.tokens import ApiToken
from labeler.webhooks import Delivery, Webhook

T = TypeVar("T")
KINDS: dict[int, type[ProductError]] = {
    401: PermissionDeniedError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: PermissionDeniedError,
}
PAGE = 500
SAMPLE = 1000


def submission_id() -> str:
    """A fresh id for an answer; keep it to send the answer again after a failure."""
    return uuid4().hex


class Client:
    """One server, in the name of one token's owner; threads may share it.

    Args:
        url: of the server, as ``http://127.0.0.1:8501``.
        token: a personal token.
        seconds: how long to wait for an answer.
        hooks: of httpx, e.g. to log what is sent.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        seconds: float = 60.0,
        hooks: Mapping[str, list[Callable[..., Any]]] | None = None,
    ) -> None:
        self._http = httpx.Client(
            base_url=f"{url.rstrip('/')}/api/v1",
            headers={"authorization": f"Bearer {token}"},
            timeout=seconds,
            event_hooks=hooks,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # Account and people

    def me(self) -> Me:
        """Whose token this is."""
        return self._ask(Me, "GET", "/me")

    def tokens(self) -> tuple[ApiToken, ...]:
        """One's own tokens."""
        return self._ask(tuple[ApiToken, ...], "GET", "/tokens")

    def revoke_token(self, token_id: int) -> None:
        """End one of one's own tokens."""
        self._send("DELETE", f"/tokens/{token_id}")

    def users(self) -> Iterator[Person]:
        """Every account."""
        return self._pages(Page[Person], "/users")

    def add_user(self, person: NewPerson) -> Invitation:
        """Add an account, with an invitation."""
        return self._ask(Invitation, "POST", "/users", person)

    def invite(self, user_id: int) -> Invitation:
        """A new invitation for an account."""
        return self._ask(Invitation, "POST", f"/users/{user_id}/invitation")

    def disable_user(self, user_id: int) -> Person:
        """Close an account."""
        return self._ask(Person, "POST", f"/users/{user_id}/disable")

    def set_language(self, language: str | None) -> None:
        """Read the pages in this language; None: as the browser asks."""
        self._send("PUT", "/me/language", json=typed.to_json(LanguageChoice(language)))

    def assign_user(self, user_id: int, projects: Sequence[str]) -> Person:
        """Let an account work in these projects and no others; none: in every project."""
        return self._ask(Person, "PUT", f"/users/{user_id}/projects", Assigned(tuple(projects)))

    def held_out(self, project_id: int) -> tuple[str, ...]:
        """The raters of whom no model learns."""
        return self._ask(tuple[str, ...], "GET", f"/projects/{project_id}/held-out")

    def hold_out(self, project_id: int, name: str, *, held: bool) -> None:
        """Keep somebody's judgments from training, or let models learn from them again."""
        self._send("PUT" if held else "DELETE", f"/projects/{project_id}/held-out/{quote(name, safe='')}")

    # Projects

    def projects(self) -> Iterator[ProjectInfo]:
        """The projects that one may work in."""
        return self._pages(Page[ProjectInfo], "/projects")

    def add_project(self, project: NewProject) -> ProjectInfo:
        """Make a project."""
        return self._ask(ProjectInfo, "POST", "/projects", project)

    def project(self, project_id: int) -> ProjectInfo:
        """One project."""
        return self._ask(ProjectInfo, "GET", f"/projects/{project_id}")

    def set_settings(self, project_id: int, settings: Settings) -> ProjectInfo:
        """Ask something else from now on."""
        return self._ask(ProjectInfo, "PUT", f"/projects/{project_id}/settings", settings)

    def ask_model(self, project_id: int, suggest: EndpointSetting | None = None) -> str:
        """What the model that writes suggestions answers; the project's own, or another to try."""
        path = f"/projects/{project_id}/settings/ask-model"
        return self._ask(ModelAnswer, "POST", path, AskModel(suggest)).text

    def set_rules(self, project_id: int, rules: Rules) -> ProjectInfo:
        """Change overlap, dwell time or lease time."""
        return self._ask(ProjectInfo, "PATCH", f"/projects/{project_id}/rules", rules)

    def set_guidelines(self, project_id: int, text: str) -> ProjectInfo:
        """Publish a new version of the guidelines."""
        return self._ask(ProjectInfo, "PUT", f"/projects/{project_id}/guidelines", Guidelines(text))

    def import_file(self, project_id: int, path: str | Path, **how: Any) -> Imported:
        """Upload a file of groups or demonstrations, also packed with gzip; all or nothing.

        Args:
            project_id: where to.
            path: of the file.
            how: the fields of `labeler.api.content.ImportQuery`, as ``overlap=2`` or ``dry_run=True``; with
                ``unique_meaning`` use `Client.exchange`, whose imports are jobs.
        """
        with Path(path).open("rb") as file:
            return self._import(project_id, ImportQuery(**how), files={"file": file})

    def import_lines(self, project_id: int, lines: bytes, **how: Any) -> Imported:
        """Import JSON lines; all or nothing. ``how``: as for `import_file`."""
        request = {"content": lines, "headers": {"content-type": "application/x-ndjson"}}
        return self._import(project_id, ImportQuery(**how), **request)

    def _import(self, project_id: int, query: ImportQuery, **request: Any) -> Imported:
        answer = self._send("POST", f"/projects/{project_id}/import", params=typed.to_query(query), **request)
        return typed.from_json(Imported, answer.json(), strict=False)

    def download_export(self, project_id: int, path: str | Path, **how: Any) -> Path:
        """Download judgments in another program's format to a file, which is replaced.

        Args:
            project_id: of which project.
            path: of the file; a zip where the format has several files.
            how: the fields of `labeler.api.results.ExportQuery`, as ``to="trl"``.
        """
        return self._save(f"/projects/{project_id}/export", typed.to_query(ExportQuery(**how)), path)

    def tasks(self, project_id: int) -> Iterator[TaskInfo]:
        """Tasks in the order of import."""
        return self._pages(Page[TaskInfo], f"/projects/{project_id}/tasks")

    def task(self, project_id: int, task_id: int) -> TaskDetail:
        """One task with everything that was said of it and stands."""
        return self._ask(TaskDetail, "GET", f"/projects/{project_id}/tasks/{task_id}")

    def set_priorities(self, project_id: int, priorities: Mapping[str, int]) -> None:
        """Say how urgent tasks are, by group id."""
        self._send("PUT", f"/projects/{project_id}/priorities", json=typed.to_json(Priorities(dict(priorities))))

    def set_aside(self, project_id: int, groups: Sequence[str], *, aside: bool) -> int:
        """Take tasks out of the queue, by group id, or put them back; how many moved."""
        return self._ask(Moved, "PUT", f"/projects/{project_id}/aside", SetAside(tuple(groups), aside)).tasks

    def judgments(self, project_id: int, *, standing: bool = True) -> Iterator[JudgmentInfo]:
        """Judgments in the order in which they were recorded."""
        path = f"/projects/{project_id}/judgments"
        return self._pages(Page[JudgmentInfo], path, standing="true" if standing else "false")

    def stats(self, project_id: int, *, sample: int = SAMPLE) -> Stats:
        """Counts, and agreement among at most so many judged tasks."""
        return self._report(Stats, project_id, "stats", SampleQuery(sample))

    def download_snapshot(
        self, project_id: int, path: str | Path, *, ranks_from_ratings: bool = False, adjudicated: str = "only"
    ) -> Path:
        """Download a snapshot to a new or empty folder, unpacked, or packed to a file named .zip or .tar.gz."""
        target = Path(path)
        archive = "tar.gz" if target.name.endswith(".tar.gz") else "zip"
        query = {"archive": archive, "ranks_from_ratings": "true" if ranks_from_ratings else "false"}
        query["adjudicated"] = adjudicated
        if target.is_dir() and any(target.iterdir()):
            raise DataError("is not empty; name another folder", file=str(target))
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".snapshot-", dir=target.parent) as folder:
            packed = Path(folder) / f"packed.{archive}"
            with packed.open("wb") as file:
                self._download(f"/projects/{project_id}/snapshot", query, file.write)
            if target.name.endswith((".zip", ".tar.gz")):
                packed.replace(target)
            else:
                shutil.unpack_archive(packed, Path(folder) / "files", "zip")
                (Path(folder) / "files").rename(target)
        return target

    # Insight; `which`: fields of `labeler.api.insight.InsightQuery`, as ``model=("m1",)`` or ``since="2026-01-31"``

    def agreement(self, project_id: int, **which: Any) -> AgreementReport:
        """How far people agree."""
        return self._report(AgreementReport, project_id, "agreement", InsightQuery(**which))

    def quality(self, project_id: int, **which: Any) -> QualityReport:
        """How well each person labels."""
        return self._report(QualityReport, project_id, "quality", InsightQuery(**which))

    def leaderboard(self, project_id: int, **which: Any) -> LeaderboardReport:
        """How the models stand."""
        return self._report(LeaderboardReport, project_id, "leaderboard", InsightQuery(**which))

    def throughput(self, project_id: int, annotator: Sequence[str] = ()) -> ThroughputReport:
        """How fast rankings come in, and when the queue will be done; by these people alone where some are named."""
        return self._report(ThroughputReport, project_id, "throughput", ThroughputQuery(tuple(annotator)))

    def my_work(self, project_id: int) -> OwnWork:
        """One's own pace, and how often others say the same."""
        return self._ask(OwnWork, "GET", f"/projects/{project_id}/my-work")

    def _report(self, kind: type[T], project_id: int, name: str, query: Any) -> T:
        answer = self._send("GET", f"/projects/{project_id}/{name}", params=typed.to_query(query))
        return typed.from_json(kind, answer.json(), strict=False)

    # Labeling

    def next_task(self, project_id: int) -> Next:
        """The next thing to do."""
        return self._ask(Next, "POST", f"/projects/{project_id}/next-task")

    def save_draft(
        self, task_id: int, draft: Draft, version: int, *, correction: int | None = None, opening: str | None = None
    ) -> Kept:
        """Keep an unfinished answer."""
        return self._ask(Kept, "PUT", f"/tasks/{task_id}/draft", SaveDraft(draft, version, correction, opening))

    def submit(self, task_id: int, answer: Answer) -> Recorded:
        """Record an answer; sending the same again records nothing more."""
        return self._ask(Recorded, "POST", f"/tasks/{task_id}/answer", answer)

    def skip(self, task_id: int, skip: Skip) -> Recorded:
        """Refuse a task."""
        return self._ask(Recorded, "POST", f"/tasks/{task_id}/skip", skip)

    def suggest(self, task_id: int, turns: Sequence[Turn]) -> OfferInfo:
        """Let the project's model go on from a dialogue."""
        return self._ask(OfferInfo, "POST", f"/tasks/{task_id}/suggestions", AskForReplies(tuple(turns)))

    def undo(self, project_id: int, judgment_id: int | None = None) -> Next:
        """Bring a judgment of one's own back for correction."""
        return self._ask(Next, "POST", f"/projects/{project_id}/undo", Undo(judgment_id))

    def cancel_correction(self, task_id: int) -> None:
        """Leave the judgment as it was."""
        self._send("DELETE", f"/tasks/{task_id}/correction")

    def history(self, project_id: int) -> Iterator[OwnJudgment]:
        """One's own standing judgments, latest first."""
        return self._pages(Page[OwnJudgment], f"/projects/{project_id}/history")

    def notices(self, project_id: int) -> Notices:
        """What waits for one: own judgments to look at again, and talk that one has not read."""
        return self._ask(Notices, "GET", f"/projects/{project_id}/notices")

    def opted_out(self, project_id: int) -> OptOut:
        """Whether one leaves out sensitive tasks, and until when."""
        return self._ask(OptOut, "GET", f"/projects/{project_id}/opt-out")

    def opt_out(self, project_id: int, until: datetime | None) -> OptOut:
        """Leave out sensitive tasks until a moment with its time zone, or (None) take them again."""
        wanted = OptOut(None if until is None else until.isoformat())
        return self._ask(OptOut, "PUT", f"/projects/{project_id}/opt-out", wanted)

    # Training

    def trainings(self) -> tuple[Training, ...]:
        """Trainings of one's projects, latest first."""
        return self._ask(tuple[Training, ...], "GET", "/trainings")

    def start_training(self, project_id: int, training: NewTraining) -> Training:
        """Train a reward model on the judgments as they are now."""
        return self._ask(Training, "POST", f"/projects/{project_id}/trainings", training)

    def training(self, training_id: str) -> Training:
        """How far a training is."""
        return self._ask(Training, "GET", f"/trainings/{training_id}")

    def cancel_training(self, training_id: str) -> Training:
        """End a training that runs."""
        return self._ask(Training, "POST", f"/trainings/{training_id}/cancel")

    def download_report(self, training_id: str, path: str | Path) -> Path:
        """Download the report of a training's evaluation to an HTML file, which is replaced."""
        return self._save(f"/trainings/{training_id}/report", {}, path)

    @property
    def models(self) -> Models:
        """Trained models compared, tried, asked what to label next, and held against people."""
        return Models(self._ask, self._send)

    @property
    def oversight(self) -> Oversight:
        """Gold items, reviews and the talk about tasks."""
        return Oversight(self._send, self._pages)

    @property
    def screening(self) -> Screening:
        """The screening exam."""
        return Screening(self._send)

    @property
    def exchange(self) -> Exchange:
        """Exports and imports in the background, also to and from the Hub."""
        return Exchange(self._ask, self._send, self._save)

    @property
    def prompts(self) -> Prompts:
        """Prompts found by words and by meaning, near-duplicates, clusters and categories."""
        return Prompts(self._ask, self._send, self._pages)

    # Webhooks

    def webhooks(self) -> tuple[Webhook, ...]:
        """Endpoints of one's projects."""
        return self._ask(tuple[Webhook, ...], "GET", "/webhooks")

    def add_webhook(self, webhook: NewWebhook) -> AddedWebhook:
        """Add an endpoint; its secret comes back this once."""
        return self._ask(AddedWebhook, "POST", "/webhooks", webhook)

    def remove_webhook(self, webhook_id: int) -> None:
        """Remove an endpoint."""
        self._send("DELETE", f"/webhooks/{webhook_id}")

    def deliveries(self, webhook_id: int) -> Iterator[Delivery]:
        """What an endpoint was sent, latest first."""
        return self._pages(Page[Delivery], f"/webhooks/{webhook_id}/deliveries")

    def redeliver(self, webhook_id: int, delivery_id: int) -> Delivery:
        """Send a delivery again."""
        return self._ask(Delivery, "POST", f"/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver")

    # On the wire

    def _ask(self, kind: type[T], method: str, path: str, body: Any = None) -> T:
        sent = {} if body is None else {"json": typed.to_json(body)}
        return typed.from_json(kind, self._send(method, path, **sent).json(), strict=False)

    def _pages(self, kind: type[Page[T]], path: str, **query: str | list[str]) -> Iterator[T]:
        cursor: str | None = None
        while True:
            sent = {"limit": PAGE, **query, **({} if cursor is None else {"cursor": cursor})}
            page = typed.from_json(kind, self._send("GET", path, params=sent).json(), strict=False)
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            raise StoreError(f"{self._http.base_url} cannot be reached ({error}); check the address") from error
        _check(answer)
        return answer

    def _save(self, path: str, query: Mapping[str, str | list[str]], target: str | Path) -> Path:
        """Download to a file, which is replaced."""
        place = Path(target)
        place.parent.mkdir(parents=True, exist_ok=True)
        with replacing(place) as temporary, temporary.open("wb") as file:
            self._download(path, query, file.write)
        return place

    def _download(self, path: str, query: Mapping[str, str | list[str]], write: Callable[[bytes], Any]) -> None:
        try:
            with self._http.stream("GET", path, params=query) as answer:
                if answer.is_error:
                    answer.read()
                _check(answer)
                for chunk in answer.iter_bytes():
                    write(chunk)
        except httpx.HTTPError as error:
            raise StoreError(f"{self._http.base_url} cannot be reached ({error}); check the address") from error


def _check(answer: httpx.Response) -> None:
    """Raise what the server refused as the kind of error that it is there."""
    if answer.is_success:
        return
    try:
        found = typed.from_json(Problem, answer.json(), strict=False)
    except (ValueError, DataError):
        raise StoreError(f"{answer.url} answered {answer.status_code}; is it a labeler server?") from None
    if found.status in KINDS:
        raise KINDS[found.status](found.detail)
    if found.status >= 500:
        raise StoreError(found.detail)
    prefix = f"{found.field}: " if found.field else ""
    raise DataError(found.detail.removeprefix(prefix), line=found.line, field=found.field)
