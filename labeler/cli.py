"""The command line ``labeler``: parses, runs one command, and turns errors into one line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any, Union

import tyro
from tyro.conf import FlagCreatePairsOff, OmitArgPrefixes, OmitSubcommandPrefixes, subcommand

from labeler import commands, project_commands, serving, user_commands, webhook_commands
from labeler.errors import ProductError
from labeler.export_command import Export
from labeler.prioritize import Prioritize

COMMANDS: dict[str, type[Any]] = {
    "init": commands.Init,
    "users": user_commands.Users,
    "import": commands.Import,
    "project": project_commands.Project,
    "prioritize": Prioritize,
    "webhooks": webhook_commands.Webhooks,
    "serve": serving.Serve,
    "snapshot": commands.Snapshot,
    "export": Export,
    "stats": commands.Stats,
    "demo": serving.Demo,
}
"""Every subcommand: a class with the flags as fields and a ``run`` method."""

ABOUT = "Collect human rankings of model outputs. `labeler COMMAND --help` explains each command."
INTERRUPTED = 130  # what shells report after Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns 0 when done, 1 when the work failed, 2 for wrong usage, 130 when interrupted."""
    debug = "--debug" in (sys.argv[1:] if argv is None else argv)
    try:
        parse(argv).run()
        sys.stdout.flush()
    except SystemExit as stop:  # tyro printed help, or what is wrong with the flags
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        return _failed("interrupted", INTERRUPTED, debug=debug)
    except ProductError as error:
        return _failed(str(error), error.exit_code, debug=debug)
    except BrokenPipeError:  # whoever read our output, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _failed(f"{place}{error.strerror or error}", 1, debug=debug)
    return 0


def parse(argv: Sequence[str] | None) -> Any:
    """The command that a command line describes; `SystemExit` where help was asked for or a flag is wrong."""
    kinds: Any = Union[tuple(Annotated[kind, subcommand(name)] for name, kind in COMMANDS.items())]  # noqa: UP007
    config = (OmitSubcommandPrefixes, OmitArgPrefixes, FlagCreatePairsOff)
    return tyro.cli(kinds, prog="labeler", description=ABOUT, args=argv, config=config)


def _failed(message: str, code: int, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    print(f"labeler: {' '.join(message.split())}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
