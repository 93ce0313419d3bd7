"""How the parameters of the likelihood are learned: tie parameter and position bias by Adam, reliabilities by Bayes.

Adam has a learning rate of its own (``--auxiliary-lr``), since these are single numbers that all judgments share. The
reliability of a person is the mean of its posterior given the scores. The log likelihood of all that they said is kept
up to date as stepwise EM keeps its sums (Cappé & Moulines 2009, arXiv 0712.4273): the judgments that a step reads,
under the scores of now, take the place of as large a share of what was known,

    evidence ← evidence · (1 − choices read / all choices) + evidence of those read

Before the first step `reward.consensus` gives the evidence that the judgments hold without any text.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reward.consensus import Comparisons, Indices, agree
from reward.data import EncodedGroup
from reward.labels import Labels
from reward.likelihood import Likelihood, free_choices

Reduce = Callable[[Tensor, str], Tensor]
"""(tensor, "sum" or "mean") → the same over all processes."""
KEY_BYTES = 16
"""Of a completion's digest, enough to tell all apart."""


class Auxiliary:
    """The likelihood of a training run, and what moves its parameters.

    Args:
        labels: which labels are used and how.
        groups: the training groups, made ready by `reward.likelihood.prepare`.
        device: where the scores are.
    """

    def __init__(self, labels: Labels, groups: Sequence[EncodedGroup], device: torch.device | str = "cpu") -> None:
        modelled = groups if labels.annotator_model != "none" else ()
        annotators = sorted({name for group in modelled for name in group.judgments.annotators})
        self.likelihood = Likelihood(labels, annotators, tie_share(groups) if labels.ties != "drop" else 0.0)
        if annotators:
            comparisons = collect(groups, self.likelihood.people)
            self.likelihood.evidence += torch.from_numpy(agree(comparisons).evidence)
            choices = np.bincount(comparisons.person, comparisons.weight, comparisons.people)
            self.choices = torch.from_numpy(choices).to(device, torch.float32)
        self.likelihood.to(device)
        learned = [*self.likelihood.parameters()]
        self.optimizer = torch.optim.Adam(learned, lr=labels.auxiliary_lr) if learned else None

    def step(self, rate: float, reduce: Reduce, *, counts: bool = True) -> None:
        """Move the parameters after the gradients of a step are there.

        Args:
            rate: share of the peak learning rate.
            reduce: sums or averages over processes.
            counts: False where this process went along with groups that belong to another one.
        """
        if self.optimizer:
            for parameters in self.optimizer.param_groups:
                parameters["lr"] = self.likelihood.labels.auxiliary_lr * rate
            for parameter in self.likelihood.parameters():
                own = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                parameter.grad = reduce(own, "mean")
            self.optimizer.step()
            self.optimizer.zero_grad()
        if self.likelihood.people:
            seen = reduce(self.likelihood.seen * counts, "sum")
            known = 1 - (seen[:, -1] / self.choices.clamp(min=1e-9)).clamp(max=1)
            self.likelihood.evidence.mul_(known[:, None]).add_(seen[:, :-1])
            self.likelihood.seen.zero_()

    def tensors(self) -> dict[str, Tensor]:
        """Everything that changes in training, for a checkpoint; nothing with default labels."""
        moments = self.optimizer.state_dict()["state"] if self.optimizer else {}
        adam = {f"adam.{index}.{name}": each for index, state in moments.items() for name, each in state.items()}
        return {f"likelihood.{name}": each for name, each in self.likelihood.state_dict().items()} | adam

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        own = {key.split(".", 1)[1]: each for key, each in tensors.items() if key.startswith("likelihood.")}
        self.likelihood.load_state_dict(own)
        if self.optimizer:
            state: dict[int, dict[str, Tensor]] = {}
            for key, each in tensors.items():
                if key.startswith("adam."):
                    _, index, name = key.split(".", 2)
                    state.setdefault(int(index), {})[name] = each
            self.optimizer.load_state_dict(
                {"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]}
            )

    def report(self) -> dict[str, Any]:
        """What was learned, for reward.json under "likelihood"; nothing with default labels."""
        likelihood, labels = self.likelihood, self.likelihood.labels
        told: dict[str, Any] = {}
        if labels.ties != "drop":
            name = "threshold" if labels.ties == "rao-kupper" else "prevalence"
            told["ties"] = {"model": labels.ties, name: float(likelihood.log_tie.detach().exp())}
        if labels.position_bias:
            told["position_bias"] = float(likelihood.position.detach())
        if labels.annotator_model != "none":
            rows = zip(likelihood.people, likelihood.reliability().tolist(), self.choices.tolist(), strict=True)
            told["annotators"] = {
                name: {"reliability": round(eta, 4), "choices": round(total, 2)} for name, eta, total in rows
            }
        return told


def tie_share(groups: Sequence[EncodedGroup]) -> float:
    """Share of ties among all judgments, by weight."""
    tied = total = 0.0
    for judged in (group.judgments for group in groups):
        tied += float(judged.weight[judged.verdict == 0].sum())
        total += float(judged.weight.sum())
    return tied / max(1e-9, total)


def collect(groups: Sequence[EncodedGroup], people: Mapping[str, int]) -> Comparisons:
    """The strict judgments of all groups; the same completion of the same prompt is one item wherever it appears."""
    keys, total = bytearray(), 0
    winners, losers, persons, weights = array("q"), array("q"), array("q"), array("d")
    for group in groups:
        judged = group.judgments.without_ties()
        first, second = (total + each.astype(np.int64) for each in (judged.first, judged.second))
        wins = judged.verdict > 0
        winners.extend(np.where(wins, first, second))
        losers.extend(np.where(wins, second, first))
        persons.extend(people[judged.annotators[index]] for index in judged.person)
        weights.extend(free_choices(judged))
        for k in range(len(group.kept)):
            keys += blake2b(group.sequence(k).tobytes(), digest_size=KEY_BYTES).digest()
        total += len(group.kept)
    item, items = number(np.frombuffer(keys, np.uint64).reshape(total, -1))
    winner, loser = item[np.frombuffer(winners, np.int64)], item[np.frombuffer(losers, np.int64)]
    return Comparisons(winner, loser, np.frombuffer(persons, np.int64), np.frombuffer(weights), items, len(people))


def number(keys: NDArray[np.uint64]) -> tuple[Indices, int]:
    """(N,) number of each key (N, words) in the order in which keys first come, and how many different ones there are.

    By sorting, since a dictionary of all completions would take several times the memory.
    """
    _, first, place = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[place.reshape(-1)], len(first)
