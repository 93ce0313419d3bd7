"""The commands of ``labeler``: one dataclass each, whose fields are the flags and whose `run` does the work.

What a command needs is imported when it runs, so that ``labeler --help`` is fast.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tyro.conf import Positional

from labeler.cleaning import Cleaning
from labeler.errors import DataError, UsageError
from labeler.finals import Finals

if TYPE_CHECKING:
    from labeler.agreement import Estimate, Reliability
    from labeler.entities import AnnotatorCounts, ProjectCounts
    from labeler.importing import Report, Wanted
    from labeler.label_schema import LabelSchema
    from labeler.store import Store


def default_db() -> str:
    """Where the judgments are if ``--db`` does not say."""
    return os.environ.get("LABELER_DB") or "sqlite:///labeler.db"


@dataclass(frozen=True, kw_only=True)
class Command(ABC):
    """What every command takes.

    Attributes:
        db: the database, sqlite:///FILE or postgresql://USER@HOST/NAME; taken from LABELER_DB where it is set.
        debug: show the traceback of an error.
    """

    db: str = field(default_factory=default_db)
    debug: bool = False

    @abstractmethod
    def run(self) -> None:
        """Do what the command says."""

    def store(self) -> AbstractContextManager[Store]:
        """The store of ``--db``, closed at the end of the block."""
        from labeler.store import Store

        return closing(Store.open(self.db))


@dataclass(frozen=True, kw_only=True)
class Init(Command):
    """Create the database, or bring an older one to this version."""

    def run(self) -> None:
        """Create or upgrade the tables."""
        from labeler.database import safe
        from labeler.store import Store

        store = Store.create(self.db)
        store.close()
        print(f"ready: {safe(store.database.url)}")


@dataclass(frozen=True, kw_only=True)
class Import(Command):
    """Add prompts, with or without completions, judgments made elsewhere and demonstrations to a project.

    All or nothing.

    Attributes:
        source: a file (.jsonl, .json, .csv, .tsv, .parquet, also .gz), a snapshot folder, a saved dataset's folder, or
            hf:NAME[:CONFIG][/SPLIT].
        project: into which project; it is made if there is none of this name.
        task: what labelers do in a new project: rank the completions, rate each from 1 to 7 and then rank them,
            choose of a pair and say how much better it is, demonstrate the ideal answer to prompts alone by writing
            it, or write both sides of a dialogue in a chat (rank where nothing is said).
        rate_only: with --task rate, ask for no ranking.
        settings: a file (.json or .toml) with all that a new project asks, see `labeler project show`.
        format: name of the format; auto looks at the first rows.
        columns: our name of a field and its name in the source, as prompt=question.
        overlap: how many different people judge each task (a new project's default is 1); rankings that come along
            count.
        guidelines: a text file (Markdown) that becomes the newest version of the project's guidelines.
        priority: urgency from 0 (usual) to 100 (first) of the groups that have none in meta.priority.
        skip_bad: leave bad rows out and write them with their reasons to this file, instead of importing nothing; also
            rows that can be read but have too few or too many completions for the project.
        skip_known: leave out what the project has already with the same id and content, instead of importing nothing.
        dry_run: store nothing; list every problem by line and say what would be imported and cleaned.
        report: write what was done, or would be, to this file as JSON.
        progress: write how far it is to this file as JSON lines.
        cleaning: what is done before it is stored.
    """

    source: Positional[str]
    project: str
    task: Literal["rank", "rate", "pair", "demonstrate", "chat"] | None = None
    rate_only: bool = False
    settings: Path | None = None
    format: str = "auto"
    columns: tuple[str, ...] = ()
    overlap: int | None = None
    guidelines: Path | None = None
    priority: int | None = None
    skip_bad: Path | None = None
    skip_known: bool = False
    dry_run: bool = False
    report: Path | None = None
    progress: Path | None = None
    cleaning: Cleaning = field(default_factory=Cleaning)

    def run(self) -> None:
        """Read the source, clean it, then store all of it."""
        from labeler.importing import bring_in

        with self.store() as store:
            done = bring_in(store, self._wanted(), dry_run=self.dry_run)
        if self.report:
            done.save(self.report)
        print("\n".join(self._told(done)))
        if self.dry_run and done.bad and not self.skip_bad:
            raise DataError(f"{done.bad:,} problems: an import would store nothing; mend them or use --skip-bad")

    def _wanted(self) -> Wanted:
        from labeler.importing import Wanted

        return Wanted(
            source=self.source,
            project=self.project,
            format=self.format,
            columns=self._renamed(),
            schema=self._schema(),
            overlap=self.overlap,
            guidelines=None if self.guidelines is None else _read_text(self.guidelines),
            priority=self.priority,
            skip_bad=self.skip_bad,
            skip_known=self.skip_known,
            cleaning=self.cleaning,
            progress=self.progress,
        )

    def _told(self, done: Report) -> list[str]:
        from labeler.import_report import lines

        counts = asdict(done.counts) if done.counts else {}
        parts = [f"{number:,} {what}" for what, number in counts.items()]
        left_out = f"; {done.bad:,} bad rows written to {self.skip_bad}" if self.skip_bad and done.bad else ""
        verb = "would import" if self.dry_run else "imported"
        first = f"{verb} into {self.project} ({done.format}): {', '.join(parts)}{left_out}"
        return [*([first] if done.counts else []), *lines(done)]

    def _schema(self) -> LabelSchema | None:
        from labeler.label_schema import preset
        from labeler.settings_file import read_settings

        if self.settings and (self.task or self.rate_only):
            raise UsageError("give --settings or --task, not both")
        if self.rate_only and self.task != "rate":
            raise UsageError("--rate-only goes with --task rate")
        if self.settings:
            return read_settings(self.settings)
        return preset(self.task, ranking=not self.rate_only) if self.task else None

    def _renamed(self) -> dict[str, str]:
        for entry in self.columns:
            if "=" not in entry:
                raise UsageError(f"--columns {entry!r} must look like prompt=question")
        return dict(entry.split("=", 1) for entry in self.columns)


def _read_text(path: Path) -> str:
    from labeler.records import check_plain

    try:
        return check_plain(path.read_text(encoding="utf-8"), "guidelines")
    except DataError as error:
        raise error.at(file=str(path)) from error
    except UnicodeDecodeError as error:
        raise DataError("is not UTF-8 text; save it as UTF-8", file=str(path)) from error


@dataclass(frozen=True, kw_only=True)
class Snapshot(Command):
    """Freeze a project's judgments into a folder for training.

    Attributes:
        project: which.
        out: a new or empty folder, or an earlier snapshot, which is replaced.
        ranks_from_ratings: give completions that were rated but not to be ranked (`--rate-only`) ranks by their
            ratings, so that a reward model can be trained on them.
        adjudicated: of tasks that a reviewer adjudicated, write only that answer, as annotator "adjudicated", so that
            training takes it as final; or beside the labelers' rankings; or ignore it.
    """

    project: str
    out: Path
    ranks_from_ratings: bool = False
    adjudicated: Finals = "only"

    def run(self) -> None:
        """Write the folder."""
        from labeler.snapshot import freeze

        with self.store() as store:
            project = store.project(self.project)
            manifest = freeze(
                store,
                project,
                self.out,
                ranks_from_ratings=self.ranks_from_ratings,
                adjudicated=self.adjudicated,
            )
        counts = ", ".join(f"{number:,} {what}" for what, number in manifest["counts"].items())
        splits = ", ".join(f"{name} {facts['groups']:,}" for name, facts in manifest["splits"].items())
        print(f"wrote {self.out}: {counts} (groups: {splits})")


@dataclass(frozen=True, kw_only=True)
class Stats(Command):
    """Show how a project stands and how far its annotators agree.

    Attributes:
        project: which.
        json: print one JSON object, which also has the models' leaderboard and each annotator's quality.
        sample: look at no more than so many judged tasks for all but the counts, a random sample that stays the same.
    """

    project: str
    json: bool = False
    sample: int = 1000

    def run(self) -> None:
        """Count, compare and print."""
        from labeler.agreement import INSTRUCTGPT_HELD_OUT, INSTRUCTGPT_TRAINING, reliability
        from labeler.comparisons import comparisons
        from labeler.leaderboard import leaderboard
        from labeler.quality import quality, skipping
        from labeler.rating_report import lines, rating_report
        from labeler.writing_report import lines as writing_lines
        from labeler.writing_report import writing_report

        if self.sample < 1:
            raise UsageError("--sample must be at least 1")
        with self.store() as store, store.frozen(store.project(self.project).id) as frozen:
            project, counts, people = frozen.project, frozen.counts(), frozen.annotator_counts()
            (judged, complete), schemas = frozen.sample(self.sample), frozen.label_schemas()
        agreement, marks = reliability(group for group, _ in judged), rating_report(judged, schemas)
        writing = writing_report(judged)
        if not self.json:
            part = [] if complete else [f"from a random sample of {len(judged):,} judged tasks:"]
            agreeing = [NOTHING_TO_AGREE_ON] if project.schema.writes else _agreement_lines(agreement)
            text = [*_count_lines(project.name, counts, people), *part, *agreeing, *lines(marks)]
            print("\n".join([*text, *writing_lines(writing)]))
            return
        table = comparisons([group for group, _ in judged], skipping(judged))
        references = {"training_labelers": INSTRUCTGPT_TRAINING, "held_out_labelers": INSTRUCTGPT_HELD_OUT}
        figures = {
            "project": project.name,
            "counts": asdict(counts),
            "annotators": [asdict(person) for person in people],
            "tasks": len(judged),
            "complete": complete,
            "reliability": asdict(agreement),
            "instructgpt_agreement": references,
            "marks": asdict(marks),
            "writing": asdict(writing),
            "leaderboard": asdict(leaderboard(table)),
            "quality": asdict(quality(judged, table)),
        }
        print(json.dumps(figures, ensure_ascii=False, indent=2))


NOTHING_TO_AGREE_ON = "agreement: none to measure, since labelers write answers here instead of judging them"


def _count_lines(name: str, counts: ProjectCounts, people: tuple[AnnotatorCounts, ...]) -> list[str]:
    lines = [
        f"{name}: {counts.tasks:,} tasks, {counts.finished:,} finished, {counts.started:,} started",
        f"{counts.judgments:,} judgments, {counts.skips:,} skips, {counts.corrections:,} corrections, "
        f"{counts.demonstrations:,} demonstrations, {counts.live_leases:,} being labeled now",
    ]
    if people:
        lines.append(f"{'annotator':<24} {'judgments':>9} {'skips':>6} {'corrections':>11} {'minutes':>8}")
    rows = (
        f"{person.annotator:<24} {person.judgments:>9,} {person.skips:>6,} {person.corrections:>11,} "
        f"{person.seconds / 60:>8.1f}"
        for person in people
    )
    return [*lines, *rows]


def _agreement_lines(found: Reliability) -> list[str]:
    from labeler.agreement import INSTRUCTGPT_HELD_OUT, INSTRUCTGPT_TRAINING

    def figure(value: float | None) -> str:
        return "–" if value is None else f"{value:.3f}"

    return [
        f"agreement of two annotators: {_share(found.agreement)}",
        f"… where both had a preference: {_share(found.decided)}",
        f"InstructGPT's labelers: {INSTRUCTGPT_TRAINING:.1%} (training), {INSTRUCTGPT_HELD_OUT:.1%} (held out)",
        f"Fleiss' κ {figure(found.fleiss_kappa)}, Krippendorff's α {figure(found.krippendorff_alpha)}, "
        f"Kendall's τ-b {figure(found.kendall_tau)}",
    ]


def _share(estimate: Estimate) -> str:
    if estimate.value is None:
        return "no task was compared by two people yet"
    return f"{estimate.value:.1%} (95 % interval {estimate.low:.1%} to {estimate.high:.1%}, {estimate.comparisons:,})"
