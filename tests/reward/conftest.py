"""Fixtures of the reward tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from accelerate.state import AcceleratorState
from tiny_models import CHATML, build, byte_tokenizer


@pytest.fixture(autouse=True)
def no_number_format_of_trainers_before() -> Iterator[None]:
    """Trainers of transformers and TRL leave theirs behind in the process; a test that takes another would fail."""
    yield
    AcceleratorState._reset_state()


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Family → folder of a tiny base model, as somebody would have it on disk."""
    root = tmp_path_factory.mktemp("bases")

    def make(family: str) -> Path:
        folder = root / family
        if not folder.exists():
            build(family).save_pretrained(folder)
            template = CHATML if family in ("llama", "qwen2") else None
            byte_tokenizer(template, encoder=family == "bert").save_pretrained(folder)
        return folder

    return make
