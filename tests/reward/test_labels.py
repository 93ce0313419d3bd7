"""Flags about labels: ranges, combinations without a meaning, help."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from labeler.errors import UsageError
from reward import cli
from reward.config.train import TrainConfig
from reward.labels import Labels

GIVEN: dict[str, dict[str, Any]] = {
    "--loss plackett-luce": {"loss": "plackett-luce"},
    "--targets majority": {"targets": "majority"},
    "--ties davidson": {"ties": "davidson"},
    "--strength margin": {"strength": "margin"},
    "--strength weight": {"strength": "weight"},
    "--label-smoothing 0.1": {"label_smoothing": 0.1},
    "--annotator-model crowd-bt": {"annotator_model": "crowd-bt"},
    "--position-bias": {"position_bias": True},
    "--centre 0.01": {"centre": 0.01},
}
MEANT = {
    ("--targets majority", "--label-smoothing 0.1"),
    ("--ties davidson", "--strength weight"),
    ("--ties davidson", "--label-smoothing 0.1"),
    ("--ties davidson", "--annotator-model crowd-bt"),
    ("--ties davidson", "--position-bias"),
    ("--strength margin", "--position-bias"),
    ("--strength weight", "--label-smoothing 0.1"),
    ("--strength weight", "--annotator-model crowd-bt"),
    ("--strength weight", "--position-bias"),
    ("--label-smoothing 0.1", "--position-bias"),
    ("--annotator-model crowd-bt", "--position-bias"),
    *((flag, "--centre 0.01") for flag in GIVEN),
}


@pytest.mark.parametrize("pair", [p for p in combinations(GIVEN, 2) if p[0][:10] != p[1][:10]], ids=" ".join)
def test_combinations_have_a_meaning_or_are_refused_by_their_flags(pair: tuple[str, str]) -> None:
    one, other = pair
    settings = {"data": ("x",), "out": Path("y")} | GIVEN[one] | GIVEN[other]
    if pair in MEANT:
        TrainConfig(**settings)
        return
    with pytest.raises(UsageError) as caught:
        TrainConfig(**settings)
    assert one in str(caught.value)
    assert other in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("label_smoothing", 0.5),
        ("label_smoothing", -0.1),
        ("centre", -1.0),
        ("centre", float("nan")),
        ("auxiliary_lr", 0.0),
    ],
)
def test_values_out_of_range_name_their_flag(field: str, value: float) -> None:
    with pytest.raises(UsageError, match=f"--{field.replace('_', '-')} must be"):
        Labels(**{field: value})


def test_every_flag_is_on_the_command_line_with_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for flag in (
        "--loss {pairwise,plackett-luce}",
        "--targets {share,majority}",
        "--ties {drop,rao-kupper,davidson}",
        "--strength {ignore,margin,margin-large,weight}",
        "--label-smoothing FLOAT",
        "--centre FLOAT",
        "--annotator-model {none,crowd-bt}",
        "--position-bias",
        "--auxiliary-lr FLOAT",
    ):
        assert flag in shown
    for words in ("whose parameter is learned", "how reliable each annotator is", "take it out"):
        assert words in shown


def test_the_command_line_refuses_with_the_exit_code_of_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "--data", "x", "--out", "y", "--loss", "plackett-luce", "--ties", "davidson"]
    assert cli.main(command) == 2
    assert "--loss plackett-luce does not go with --ties davidson" in capsys.readouterr().err
