"""The part of a round in which people work: they are asked, they rank, and their rankings come back.

Simulated annotators take the same way: their rankings go into the labeling project and come out in a snapshot.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial

from labeler.errors import DataError
from labeler.formats import read, write_groups
from labeler.formats.files import replacing
from labeler.records import Group
from reward.artifact import Scorer
from reward.config.rounds import RoundsConfig
from reward.progress import Progress
from reward.prompts import read_prompts
from reward.rounds.data import assign, by_people, without
from reward.rounds.ledger import Step, there
from reward.rounds.places import Places
from reward.rounds.project import LabelingProject, Standing
from reward.rounds.simulate import Annotator, annotators, label


@dataclass(frozen=True)
class Labeling:
    """Asking people, or simulated annotators.

    Attributes:
        config: the settings of the run. at: where its files lie. progress: where to say how far people are.
    """

    config: RoundsConfig
    at: Places
    progress: Progress

    @cached_property
    def project(self) -> LabelingProject:
        """The labeling project."""
        return LabelingProject(self.config.db or f"sqlite:///{self.at.out / 'labels.db'}", self.config.project)

    @cached_property
    def people(self) -> tuple[Annotator, ...]:
        """The simulated annotators; nobody where people rank."""
        config = self.config
        if config.simulate is None:
            return ()
        return annotators(config.annotators, config.noise, config.length_taste, config.seed)

    @cached_property
    def judges(self) -> tuple[str, ...]:
        """Whose rankings the reward model never sees: half of the simulated annotators, or those named."""
        return tuple(person.name for person in self.people[len(self.people) // 2 :]) or self.config.judges

    def label(self, number: int) -> Step:
        """Ask, and wait for the rankings."""
        ask, done = self.at.round(number, "ask.jsonl"), self.at.round(number, "labels.json")
        settings = {"project": self.config.project, "overlap": self.config.overlap, "simulated": bool(self.people)}
        inputs = [ask, *there(str(self.config.simulate))] if self.people else [ask]
        return Step(f"round-{number}/labels", done, partial(self._ask, number), inputs, settings)

    def snapshot(self, number: int) -> Step:
        """All rankings of the project as files."""
        out = self.at.round(number, "snapshot")
        return Step(f"round-{number}/snapshot", out, partial(self.project.snapshot, out))

    def split_people(self, number: int) -> Step:
        """The rankings that the reward model learns from, and those of the judges, apart."""
        snapshot, rankings = self.at.round(number, "snapshot"), self.at.round(number, "rankings.jsonl")
        work = partial(self._split_people, number)
        return Step(
            f"round-{number}/people", rankings, work, [snapshot, self.at.held_out], {"judges": list(self.judges)}
        )

    def _ask(self, number: int) -> None:
        ask = self.at.round(number, "ask.jsonl")
        if self.people:
            simulated = self.at.round(number, "simulated.jsonl")
            write_groups(self._simulate(read(str(ask)).groups), simulated)
            ask = simulated
        self.project.put(ask, self.config.overlap)
        waited = self.project.wait(self._tell, self.config.poll)
        with replacing(self.at.round(number, "labels.json")) as temporary:
            temporary.write_text(json.dumps(asdict(waited)) + "\n", encoding="utf-8")

    def _simulate(self, groups: Sequence[Group]) -> list[Group]:
        """The groups, each ranked by ``overlap`` annotators of either half."""
        config, half = self.config, len(self.people) - len(self.judges)
        device = None if config.device == "auto" else config.device
        gold = Scorer.from_pretrained(str(config.simulate), device=device).score_groups(groups)
        labelled = []
        for group, worth in zip(groups, gold, strict=True):
            teachers = assign(group, self.people[:half], config.overlap, config.seed)
            judges = assign(group, self.people[half:], config.overlap, config.seed)
            labelled.append(label(group, worth, [*teachers, *judges], config.seed))
        return labelled

    def _tell(self, now: Standing) -> None:
        self.progress.say(
            f"{now.finished} of {now.tasks} prompts are ranked; people rank at: labeler serve --db {self.project.db}"
        )

    def _split_people(self, number: int) -> None:
        """Write both files; the one that ends the step comes last."""
        held_out = read_prompts(str(self.at.held_out))
        ranked = without(read(str(self.at.round(number, "snapshot"))).groups, held_out)
        trained, judged = by_people(ranked, self.judges)
        if not trained:
            raise DataError("everybody who ranked is a judge, nobody is left to train on; name fewer --judges")
        if self.judges and not judged:
            raise DataError(f"no ranking is by a judge ({', '.join(self.judges)}); let them rank too")
        write_groups(judged, self.at.round(number, "judged.jsonl"))
        write_groups(trained, self.at.round(number, "rankings.jsonl"))
