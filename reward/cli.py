"""The command line ``reward``: one subcommand per configuration of `reward.config`, made from its fields by tyro.

The recipes, and torch with them, are imported only when their command runs, so that ``reward --help`` is fast.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, Union

import tyro
from tyro.conf import FlagCreatePairsOff, subcommand

from labeler.errors import ProductError
from reward.config.bench import BenchConfig
from reward.config.common import Common
from reward.config.embed import EmbedConfig, EmbedQueriesConfig
from reward.config.evaluate import EvaluateConfig
from reward.config.generate import GenerateConfig, RerankConfig
from reward.config.policies import EvaluatePoliciesConfig
from reward.config.ppo import OveroptConfig, PpoConfig
from reward.config.quickstart import QuickstartConfig
from reward.config.rounds import RoundsConfig
from reward.config.select import SelectConfig
from reward.config.serve import ServeConfig
from reward.config.sft import SftConfig
from reward.config.train import TrainConfig
from reward.process import tune_process

COMMANDS: dict[str, tuple[type[Common | BenchConfig], str]] = {
    "train": (TrainConfig, "reward.train"),
    "evaluate": (EvaluateConfig, "reward.assess"),
    "evaluate-policies": (EvaluatePoliciesConfig, "reward.policies.evaluate"),
    "rerank": (RerankConfig, "reward.rerank"),
    "serve": (ServeConfig, "reward.serve"),
    "generate": (GenerateConfig, "reward.generate"),
    "sft": (SftConfig, "reward.sft"),
    "select": (SelectConfig, "reward.select"),
    "embed": (EmbedConfig, "reward.embed"),
    "embed-queries": (EmbedQueriesConfig, "reward.embed_queries"),
    "ppo": (PpoConfig, "reward.ppo"),
    "overopt": (OveroptConfig, "reward.overopt"),
    "rounds": (RoundsConfig, "reward.rounds.cycle"),
    "bench": (BenchConfig, "reward.bench"),
    "quickstart": (QuickstartConfig, "reward.quickstart"),
}
"""Command → its configuration and the module whose ``run`` takes it."""

ABOUT = "Reward models from human rankings: train, evaluate, sample, rerank. `reward COMMAND --help` explains each."
INTERRUPTED = 130  # what shells report for a program stopped by Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code: 0 done, 1 the work failed, 2 wrong usage, 130 interrupted."""
    tune_process()
    debug = "--debug" in (sys.argv if argv is None else argv)
    try:
        chosen = parse(argv)
        recipe = next(module for kind, module in COMMANDS.values() if isinstance(chosen, kind))
        import_module(recipe).run(chosen)
    except SystemExit as stop:  # from tyro: help was asked for, or the usage is wrong
        return stop.code if isinstance(stop.code, int) else 2
    except ProductError as error:
        return _fail(str(error), error.exit_code, debug=debug)
    except KeyboardInterrupt:
        return _fail("stopped", INTERRUPTED, debug=debug)
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # a bug, or something about this machine that nobody foresaw
        return _fail(f"{type(error).__name__}: {error} (run again with --debug for the traceback)", 1, debug=debug)
    return 0


def parse(argv: Sequence[str] | None) -> Common | BenchConfig:
    """The configuration that a command line describes.

    Raises:
        UsageError: a value is out of its range. SystemExit: help was asked for, or an option is missing or unknown.
    """
    kinds: Any = Union[tuple(Annotated[kind, subcommand(name)] for name, (kind, _) in COMMANDS.items())]  # noqa: UP007
    found: Common | BenchConfig = tyro.cli(
        kinds, prog="reward", description=ABOUT, args=argv, config=(FlagCreatePairsOff,)
    )
    return found


def _fail(message: str, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"reward: {' '.join(message.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
