"""Every error that this product raises on purpose, in one tree.

::

    ProductError                  something a user can understand and act on; shown without a traceback
    ├── UsageError                the command line or a configuration is wrong (exit code 2)
    ├── DataError                 input that is not what it should be: names file, line, field and the fix
    ├── StoreError                the database cannot do what was asked
    │   ├── NotFoundError         no such project, user, task
    │   ├── ConflictError         somebody (or an earlier click) was there first
    │   └── PermissionDeniedError  this user may not do this
    ├── ModelError                a base model or an artifact cannot be fetched, read or used
    └── TrainingError             training or sampling started and failed

Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations


class ProductError(Exception):
    """Base of all errors meant for users; ``str()`` is one complete sentence for them."""

    exit_code = 1


class UsageError(ProductError):
    """A command or configuration asks for something impossible; the message names the flag."""

    exit_code = 2


class DataError(ProductError):
    """Input that cannot be read as what it should be.

    Args:
        problem: what is wrong and how to mend it, as one sentence without the place.
        file: the file or source it was read from.
        line: its line, counted from 1 (for tables: the row).
        field: path of the offending field, e.g. ``completions[2].text``.
    """

    def __init__(
        self, problem: str, *, file: str | None = None, line: int | None = None, field: str | None = None
    ) -> None:
        self.problem, self.file, self.line, self.field = problem, file, line, field
        super().__init__(problem)

    def __str__(self) -> str:
        where = self.file or ""
        if self.line is not None:
            where += f":{self.line}" if where else f"line {self.line}"
        return ": ".join(part for part in (where, self.field, self.problem) if part)

    def at(self, *, file: str | None = None, line: int | None = None) -> DataError:
        """The same error with the place filled in where it was not known yet."""
        return DataError(self.problem, file=self.file or file, line=self.line or line, field=self.field)


class StoreError(ProductError):
    """The database is missing, of another version, or refused."""


class NotFoundError(StoreError):
    """No such project, user, task or judgment."""


class ConflictError(StoreError):
    """The slot is taken, the submission is known with other content, or it came too soon."""


class PermissionDeniedError(StoreError):
    """This user may not do this."""


class ModelError(ProductError):
    """A base model or reward model folder cannot be found, fetched, verified or read."""


class TrainingError(ProductError):
    """Training, sampling or scoring started and could not finish."""
