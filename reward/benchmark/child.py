"""Each measurement in a process of its own, so that memory, caches and warnings of one side are not the other's.

The parent calls `call("train-ours", …)`; the child gets the keywords as JSON on its standard input, keeps everything
that libraries say away from the terminal, and prints its result as the last line.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any

from labeler.errors import ProductError, TrainingError
from reward.process import tune_process

JOBS = {
    "train-ours": "reward.benchmark.ours:train",
    "train-trl": "reward.benchmark.trl_peer:train",
    "learn-ours": "reward.benchmark.learn:learn_seeds",
    "learn-trl": "reward.benchmark.trl_learn:learn_seeds",
    "search-trl": "reward.benchmark.trl_peer:search",
    "score-ours": "reward.benchmark.ours:score",
    "score-transformers": "reward.benchmark.transformers_peer:score",
    "search-transformers": "reward.benchmark.transformers_peer:search",
}
"""Job → module and function."""
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Nothing of a measurement waits for a network."""


@dataclass(frozen=True)
class Measured:
    """What one timed run found.

    Attributes:
        seconds: wall time of what is compared.
        sequences, tokens: what the model read; tokens with padding.
        flops: operations that this takes at least (`reward.benchmark.flops`).
        peak_bytes: most memory in use during the run.
        matmul_flops: operations per second of the fastest matrix product, measured right after the run.
        threads: of the processor.
        device: its name.
        steps: optimizer steps.
        details: what only one side has to tell.
    """

    seconds: float
    sequences: int
    tokens: int
    flops: float
    peak_bytes: int
    matmul_flops: float
    threads: int
    device: str
    steps: int
    details: dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One batch size of a peer: seconds for so many tokens of a sample, and the tokens that the whole data takes."""

    batch: int
    seconds: float
    tokens: int
    all_tokens: int

    @property
    def estimate(self) -> float:
        """Seconds that the whole data would take."""
        return self.seconds * self.all_tokens / self.tokens


def try_batches(sizes: list[int], measure: Callable[[int], Trial]) -> list[Trial]:
    """Measure batch sizes in rising order until two of them brought nothing or the memory of the GPU ends."""
    import torch  # noqa: PLC0415 (the parent does without)

    trials: list[Trial] = []
    for size in sizes:
        try:
            trials.append(measure(size))
        except torch.OutOfMemoryError:
            break
        best = min(range(len(trials)), key=lambda i: trials[i].estimate)
        if len(trials) - best > 2:
            break
    return trials


def call(job: str, **fields: Any) -> Any:
    """Run a job in a child process and return its result, as JSON has it.

    Raises:
        TrainingError: the child failed; says why.
    """
    command = [sys.executable, "-m", "reward.benchmark.child", job]
    environment = {"CUDA_VISIBLE_DEVICES": "0"} | dict(os.environ) | OFFLINE  # TRL refuses to see several GPUs
    done = subprocess.run(  # noqa: S603 (fixed arguments, no shell)
        command, input=json.dumps(fields), capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode < 0:
        raise TrainingError(
            f"{job} was killed by signal {-done.returncode}, most likely for memory; "
            "try smaller batches (--tokens-per-batch, --peer-batch) or fewer --groups"
        )
    if done.returncode:
        raise TrainingError(f"{job} failed: {(done.stderr.strip().splitlines() or ['it said nothing'])[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> int:
    """The child: one job, its keywords on standard input, its result on standard output."""
    tune_process()  # as the command line does; the peer gets the same
    module, _, name = JOBS[sys.argv[1]].partition(":")
    fields = json.load(sys.stdin)
    try:
        with redirect_stdout(sys.stderr):
            result = getattr(import_module(module), name)(**fields)
    except ProductError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    many = isinstance(result, list)
    plain = [asdict(each) for each in result] if many else asdict(result)
    sys.stdout.write(json.dumps(plain) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
