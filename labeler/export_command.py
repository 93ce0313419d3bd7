"""``labeler export``: judgments for other programs, in their formats."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from labeler.commands import Command
from labeler.errors import UsageError
from labeler.finals import Finals
from labeler.selection import Export as Wanted
from labeler.selection import Format, Selection


@dataclass(frozen=True, kw_only=True)
class Export(Command):
    """Write judgments in another program's format, all or some; `labeler snapshot` is what trainings start from.

    Attributes:
        project: which.
        to: the format; trl and its like get a row for each preference, with its annotator and, where all have one, its
            margin.
        out: a new or empty folder, or an earlier export, which is replaced.
        push: also upload it to this data set on the Hugging Face Hub, as ORG/NAME; the token comes from HF_TOKEN.
        public: make a new data set on the Hub public.
        ties: in trl, trl-conversational and openrlhf, write each tie too, in both directions and with the margin 0.
        ranks_from_ratings: give completions that were rated but not to be ranked ranks by their ratings.
        adjudicated: of tasks that a reviewer adjudicated, write only that answer, as annotator "adjudicated"; or beside
            the labelers' rankings; or ignore it.
        selection: which judgments.
    """

    project: str
    to: Format
    out: Path | None = None
    push: str | None = None
    public: bool = False
    ties: bool = False
    ranks_from_ratings: bool = False
    adjudicated: Finals = "only"
    selection: Selection = field(default_factory=Selection)

    def run(self) -> None:
        """Write the folder, then push."""
        from labeler import exporting, hub_push

        if self.out is None and self.push is None:
            raise UsageError("say where: --out FOLDER or --push ORG/NAME")
        wanted = Wanted(
            to=self.to,
            ties=self.ties,
            ranks_from_ratings=self.ranks_from_ratings,
            adjudicated=self.adjudicated,
            selection=self.selection,
        )
        with self.store() as store:
            project = store.project(self.project)
            if self.out is not None:
                counts = exporting.export(store, project, wanted, self.out)["counts"]
                print(f"wrote {self.out}: {', '.join(f'{number:,} {what}' for what, number in counts.items())}")
            if self.push is not None:
                rows = hub_push.push(store, project, wanted, self.push, public=self.public)
                print(f"pushed {rows:,} rows to {self.push}")
