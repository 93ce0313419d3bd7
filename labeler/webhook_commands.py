"""``labeler webhooks``: endpoints of programs elsewhere, and what became of their deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from tyro.conf import Positional, subcommand

from labeler.commands import Command
from labeler.entities import EVENT_TYPES, EventType


@dataclass(frozen=True, kw_only=True)
class AddWebhook(Command):
    """Add an endpoint that a server posts events to; prints the secret that they are signed with, only now.

    Attributes:
        url: where deliveries are posted to.
        project: the project to hear of (every project where none is named).
        events: what to hear of.
        texts: send prompts and outputs too.
    """

    url: Positional[str]
    project: str | None = None
    events: tuple[EventType, ...] = EVENT_TYPES
    texts: bool = False

    def run(self) -> None:
        """Add it."""
        from labeler import webhooks

        with self.store() as store:
            added, secret = webhooks.Webhooks(store).add(
                self.url, project=self.project, events=self.events, texts=self.texts
            )
        print(f"added webhook {added.id} ({', '.join(added.events)}); its secret, shown only now: {secret}")


@dataclass(frozen=True, kw_only=True)
class ListWebhooks(Command):
    """List every endpoint."""

    def run(self) -> None:
        """Print one line per endpoint."""
        from labeler import webhooks

        with self.store() as store:
            for found in webhooks.Webhooks(store).all():
                state = f"{found.pending} pending" if found.active else "gone"
                print("\t".join([str(found.id), found.url, found.project or "every project", state]))


@dataclass(frozen=True, kw_only=True)
class RemoveWebhook(Command):
    """Remove an endpoint; what it has not accepted yet is not sent any more.

    Attributes:
        webhook: its number, as `labeler webhooks list` shows it.
    """

    webhook: Positional[int]

    def run(self) -> None:
        """Remove it."""
        from labeler import webhooks

        with self.store() as store:
            webhooks.Webhooks(store).remove(self.webhook)
        print(f"removed webhook {self.webhook}")


@dataclass(frozen=True, kw_only=True)
class ListDeliveries(Command):
    """List what an endpoint was sent and what it answered, latest first.

    Attributes:
        webhook: its number.
        limit: at most so many.
    """

    webhook: Positional[int]
    limit: int = 50

    def run(self) -> None:
        """Print one line per delivery."""
        from labeler import webhooks

        with self.store() as store:
            for found in webhooks.Webhooks(store).deliveries(self.webhook, self.limit):
                at = datetime.fromtimestamp(found.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
                answer = " ".join(f"{found.status or ''} {found.answer or ''}".split())
                print("\t".join([str(found.id), at, found.type, found.state, f"{found.tries} tries", answer]))


@dataclass(frozen=True, kw_only=True)
class Redeliver(Command):
    """Send a delivery again.

    Attributes:
        webhook: the number of its endpoint.
        delivery: its number, as `labeler webhooks deliveries` shows it.
    """

    webhook: Positional[int]
    delivery: Positional[int]

    def run(self) -> None:
        """Put it back into the queue, which a running server works off."""
        from labeler import webhooks

        with self.store() as store:
            webhooks.Webhooks(store).redeliver(self.webhook, self.delivery)
        print(f"delivery {self.delivery} is sent again by the next server that runs")


@dataclass(frozen=True)
class Webhooks:
    """Tell programs elsewhere what happens here: endpoints, and what became of their deliveries."""

    action: (
        Annotated[AddWebhook, subcommand("add")]
        | Annotated[ListWebhooks, subcommand("list")]
        | Annotated[RemoveWebhook, subcommand("remove")]
        | Annotated[ListDeliveries, subcommand("deliveries")]
        | Annotated[Redeliver, subcommand("redeliver")]
    )

    def run(self) -> None:
        """Do the action."""
        self.action.run()
