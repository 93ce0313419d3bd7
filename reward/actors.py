"""The four models of PPO — policy, reference, value function, reward model — and which weights they hold in common.

=============  ==============================  =========================================================
               policy and reference            value function and reward model
=============  ==============================  =========================================================
whole models   a copy each                     a copy each
--train-layers lower layers held once          lower layers held once; once for all four where equal
--lora         one backbone                    one backbone; the policy's where adapters lie between them
both           as --train-layers, and the upper layers learn by low-rank changes of their weights
=============  ==============================  =========================================================

The value function starts as the reward model in normalised units, read at every token. That needs the policy's tokens:
where the reward model has others, it starts from the policy with a head of zeros, and a note says so.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from labeler.records import Group
from reward.artifact import Scorer, save_tokenizer
from reward.base import load_causal, quiet, resolve
from reward.config.common import Precision, Sampling
from reward.config.ppo import PpoConfig
from reward.frozen import Cut
from reward.low_rank import LowRank
from reward.model import choose_mode, head, keep_float32, load_classifier
from reward.packing import PackedRow
from reward.policy import Policy
from reward.roles import Shared, difference
from reward.tokens import Places, Reader, log_probs_and_entropy, token_log_probs

POLICY, VALUE, REWARD = "policy", "value", "reward"


@dataclass(frozen=True)
class Role:
    """One use of a backbone: how it is read, what is made of its states, and which adapters are on meanwhile."""

    reader: Reader
    head: nn.Module
    shared: Shared | None = None
    adapters: tuple[str, ...] = ()

    def acting(self) -> AbstractContextManager[None]:
        """Within it the backbone plays this role."""
        return self.shared.acting(self.adapters) if self.shared else nullcontext()

    def states(self, row: PackedRow, read_at: Tensor) -> Tensor:
        """(P, d) states of a row at P places."""
        with self.acting():
            return self.reader.states(row, read_at)


@dataclass(frozen=True)
class Actors:
    """The models of a run.

    Attributes:
        policy: tokenizer and model of the policy.
        scorer: the reward model.
        actor, reference, critic: roles that are read token by token.
        sampler: what completions are drawn from; a copy in half precision where that is quicker.
        learned: parameters of the policy that learn, by name. learned_values: those of the value function.
        weights: the weights of the policy that differ from the reference's as they learn: ``learned``, or what
            low-rank changes make of the weights.
        changes: low-rank changes of weights that learn in the weights' place.
        scoring: context in which the scorer's backbone is the reward model.
        same_states: whether policy and value function have the same frozen layers, so that these are read once.
        notes: what is shared, in words.
    """

    policy: Policy
    scorer: Scorer
    actor: Role
    reference: Role
    critic: Role
    sampler: PreTrainedModel
    learned: dict[str, nn.Parameter]
    learned_values: dict[str, nn.Parameter]
    weights: dict[str, nn.Parameter]
    changes: tuple[LowRank, ...]
    scoring: Role | None
    same_states: bool
    notes: tuple[str, ...]

    def log_probs(self, role: Role, row: PackedRow, at: Places, ends: Tensor, temperature: float) -> Tensor:
        """Log-probability (P,) of a row's tokens for the policy or the reference."""
        return token_log_probs(role.head, role.states(row, at.read_at), at.ids, ends, temperature)

    def compared(self, row: PackedRow, at: Places, ends: Tensor, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probability (P,) of a row's tokens for policy and reference, and the policy's entropy; no gradient."""
        actor = self.actor
        own, entropy = log_probs_and_entropy(actor.head, actor.states(row, at.read_at), at.ids, ends, temperature)
        return own, self.log_probs(self.reference, row, at, ends, temperature), entropy

    def values(self, row: PackedRow, at: Places) -> Tensor:
        """(P,) value of the state before each token."""
        found: Tensor = self.critic.head(self.critic.states(row, at.read_at))[:, 0]
        return found

    @torch.no_grad()
    def rescale_values(self, slope: float, intercept: float) -> None:
        """From now on the value function gives slope × value + intercept."""
        self.critic.head.get_parameter("weight").mul_(slope)
        self.critic.head.get_parameter("bias").mul_(slope).add_(intercept)

    def gather(self) -> None:
        """Make the gradients of what learns complete after a backward pass."""
        for change in self.changes:
            change.gather()

    def spread(self) -> None:
        """Make the models follow what learns after it changed."""
        for change in self.changes:
            change.spread()

    @contextmanager
    def sampling(self) -> Iterator[PreTrainedModel]:
        """The model to draw from, with the policy's present weights."""
        if self.sampler is not self.policy.model:
            target = dict(self.sampler.named_parameters())
            with torch.no_grad():
                for name, parameter in self.weights.items():
                    target[name].copy_(parameter)
        with self.actor.acting():
            yield self.sampler

    def scores(self, groups: Sequence[Group]) -> list[list[float]]:
        """Normalised scores of every completion of the groups."""
        with self.scoring.acting() if self.scoring else nullcontext():
            return self.scorer.score_groups(groups)

    def save(self, folder: Path, source: str) -> None:
        """Write the policy as a plain model; adapters are added to the weights of ``source``, which they belong to."""
        if self.actor.shared is None:
            self.actor.reader.use("padded")
            model = self.policy.model
        else:
            model, _ = load_causal(resolve(source), dtype=torch.float32)
            backbone = getattr(model, model.base_model_prefix)
            with torch.no_grad():
                for name, added in self.actor.shared.merged(POLICY).items():
                    backbone.get_submodule(name).weight += added.to(model.device)
        with quiet():
            model.save_pretrained(folder)
        save_tokenizer(self.policy.tokenizer, folder)


def load_actors(config: PpoConfig, precision: Precision) -> Actors:
    """Load and arrange the models as the configuration says.

    Raises:
        ModelError: a model cannot be found or read, or is not of a kind that this can train.
    """
    sampling = Sampling(max_new_tokens=config.max_new_tokens, precision="float32", device=config.device)
    policy = Policy.load(config.policy, sampling)
    scorer = Scorer.from_pretrained(config.reward, policy.model.device)
    twins = scorer.model.shares_prefix and scorer.tokenizer.get_vocab() == policy.tokenizer.get_vocab()
    arrange = _with_adapters if config.lora and not config.train_layers else _with_copies
    return arrange(config, precision, policy, scorer, twins)


def _with_copies(config: PpoConfig, precision: Precision, policy: Policy, scorer: Scorer, twins: bool) -> Actors:
    """Reference and value function as models of their own, which share what is frozen and equal."""
    model = policy.model
    sampler = copy.deepcopy(model).to(torch.bfloat16) if precision == "bfloat16" else model
    reference = copy.deepcopy(model).requires_grad_(False)
    critic = load_classifier(config.reward, trained=True).to(model.device) if twins else copy.deepcopy(model)
    cuts: list[Cut | None] = [None, None, None]
    if config.train_layers:
        cuts = [Cut(each, config.train_layers) for each in (model, reference, critic)]
    changes: list[LowRank] = []
    generator = torch.Generator().manual_seed(config.seed)
    for each, cut in ((model, cuts[0]), (critic, cuts[2])):
        if config.lora and cut:
            each.requires_grad_(False)
            changes.append(LowRank(cut.upper, config.lora, generator))
    total = sum(_size(each) for each in (model, reference, critic, scorer.model.classifier))
    _share(reference, model)
    scorer.model.classifier.requires_grad_(False)
    if twins:
        _share(_backbone(critic), _backbone(model))
        _share(_backbone(scorer.model.classifier), _backbone(model))
        _share(_backbone(scorer.model.classifier), _backbone(critic))
    values = _value_head(critic, scorer if twins else None)
    readers = [Reader(each, policy.context, cut) for each, cut in zip((model, reference, critic), cuts, strict=True)]
    held = _held(model, reference, critic, scorer.model.classifier)
    note = (
        f"Policy, reference, value function and reward model take {held / 1e6:.0f} MB; held each for itself they would "
        f"take {total / 1e6:.0f} MB."
    )
    lower = [_frozen_addresses(each) for each in (model, critic)]
    return Actors(
        policy,
        scorer,
        actor=Role(readers[0], model.get_output_embeddings()),
        reference=Role(readers[1], reference.get_output_embeddings()),
        critic=Role(readers[2], values),
        sampler=sampler,
        learned=changes[0].factors if changes else _learning(model),
        learned_values=(changes[1].factors if changes else _learning(_backbone(critic))) | _learning(values, "head."),
        weights=_learning(model),
        changes=tuple(changes),
        scoring=None,
        same_states=bool(config.train_layers) and lower[0] == lower[1],
        notes=(note, *_about_values(twins)),
    )


def _with_adapters(config: PpoConfig, precision: Precision, policy: Policy, scorer: Scorer, twins: bool) -> Actors:
    """Roles as adapters on one backbone, or on one for the policy and one for the reward model."""
    model, classifier = policy.model, scorer.model.classifier
    scorer.model.use("padded")  # lets go of the layers before they change
    values = _value_head(classifier if twins else model, scorer if twins else None)
    factors = difference(_backbone(model), _backbone(classifier)) if twins else None
    if precision == "bfloat16":
        model.to(torch.bfloat16)
    generator = torch.Generator().manual_seed(config.seed)
    base = Shared(model)
    learned = base.add(POLICY, config.lora or 1, generator)
    reader = Reader(model, policy.context)
    scoring = None
    if factors is not None:
        base.add_fixed(REWARD, factors)
        setattr(classifier, classifier.base_model_prefix, _backbone(model))
        learned_values = base.add(VALUE, config.lora or 1, generator)
        critic = Role(reader, values, base, (REWARD, VALUE))
        scoring = Role(reader, head(classifier), base, (REWARD,))
        note = "One backbone plays all four roles."
    elif twins:
        other = Shared(classifier)
        learned_values = other.add(VALUE, config.lora or 1, generator)
        critic = Role(Reader(classifier, policy.context), values, other, (VALUE,))
        note = (
            "Policy and reference share a backbone, value function and reward model another one: the reward model's "
            "weights differ from the policy's by more than adapters."
        )
    else:
        learned_values = base.add(VALUE, config.lora or 1, generator)
        critic = Role(reader, values, base, (VALUE,))
        note = "Policy, reference and value function share a backbone; the reward model has its own."
    with scoring.acting() if scoring else nullcontext():
        choose_mode(scorer.model)
    name = {id(parameter): key for key, parameter in base.model.named_parameters()}
    adapters = {name[id(p)]: p for p in learned}
    return Actors(
        policy,
        scorer,
        actor=Role(reader, model.get_output_embeddings(), base, (POLICY,)),
        reference=Role(reader, model.get_output_embeddings(), base),
        critic=critic,
        sampler=model,
        learned=adapters,
        learned_values={f"{k}": p for k, p in enumerate(learned_values)} | _learning(values, "head."),
        weights=adapters,
        changes=(),
        scoring=scoring,
        same_states=False,
        notes=(note, *_about_values(twins)),
    )


def _about_values(twins: bool) -> tuple[str, ...]:
    if twins:
        return ()
    return ("The reward model does not read the policy's tokens: the value function starts from the policy instead.",)


def _backbone(model: PreTrainedModel) -> Any:
    return getattr(model, model.base_model_prefix)


def _value_head(model: PreTrainedModel, scorer: Scorer | None) -> nn.Linear:
    """A head (d → 1) that gives the scorer's normalised scores, or zeros without one; computed in float32."""
    width = model.config.get_text_config().hidden_size
    values = nn.Linear(width, 1, device=model.device)
    with torch.no_grad():
        values.weight.zero_()
        values.bias.zero_()
        if scorer is not None:
            scoring = head(scorer.model.classifier)
            bias = 0.0 if scoring.bias is None else float(scoring.bias)
            values.weight.copy_(scoring.weight / scorer.std)
            values.bias.fill_((bias - scorer.mean) / scorer.std)
    keep_float32(values)
    return values


def _learning(module: nn.Module, prefix: str = "") -> dict[str, nn.Parameter]:
    return {f"{prefix}{name}": p for name, p in module.named_parameters() if p.requires_grad}


def _share(target: nn.Module, source: nn.Module) -> None:
    """Let frozen parameters of the target that equal the source's frozen ones use their memory."""
    theirs = dict(source.named_parameters())
    for name, parameter in target.named_parameters():
        other = theirs.get(name)
        if other is None or parameter.requires_grad or other.requires_grad or parameter.shape != other.shape:
            continue
        if torch.equal(parameter, other):
            parameter.data = other.data


def _size(model: nn.Module) -> int:
    return sum(p.numel() * p.element_size() for p in model.parameters())


def _held(*models: nn.Module) -> int:
    """Bytes of all parameters, shared memory counted once."""
    found = {p.data_ptr(): p.numel() * p.element_size() for model in models for p in model.parameters()}
    return sum(found.values())


def _frozen_addresses(model: PreTrainedModel) -> list[int]:
    return [p.data_ptr() for p in _backbone(model).parameters() if not p.requires_grad]
