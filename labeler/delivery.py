"""Deliver what is in the outbox: in the background of a server, at least once, one after the other per endpoint.

A receiver has `Rules.timeout` seconds to answer in all, redirects are not followed, proxies of the environment are not
used, and a host with a private address is refused unless the rules allow it. The address that was looked at is the one
that is connected to, so that a name cannot change in between.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from socket import SOCK_STREAM, gaierror

import httpx

from labeler import outbox, signing
from labeler.errors import ProductError
from labeler.outbox import Outcome, Parcel, Patience
from labeler.store import Store

POLL_SECONDS = 1.0
TIDY_SECONDS = 3600.0
MARGIN_SECONDS = 5.0
"""A lease is longer than a try may take by this, for what the database needs."""
GRACE_SECONDS = 3.0
"""How long a stopping server waits for answers that are on their way."""
AT_ONCE = 16
"""Endpoints served at the same time by one process."""
ANSWER_BYTES = 500
NAT64 = IPv6Network("64:ff9b::/96")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rules:
    """How deliveries are made.

    Attributes:
        private: whether private, local and otherwise special addresses may be posted to.
        timeout: seconds for a whole try.
        patience: how often and when it is tried again.
    """

    private: bool = False
    timeout: float = 10.0
    patience: Patience = field(default_factory=Patience)

    @property
    def lease_seconds(self) -> float:
        """How long an endpoint is reserved for one try."""
        return self.timeout + MARGIN_SECONDS


class RefusedAddressError(Exception):
    """The host is none that deliveries may go to."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is of the internet at large, and so is the one that it may carry within."""
    inner: list[IPv4Address | None] = []
    if isinstance(address, IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in NAT64:
            inner.append(IPv4Address(address.packed[-4:]))
    return address.is_global and not address.is_multicast and all(map(is_public, filter(None, inner)))


async def address_of(host: str, port: int, *, private: bool) -> str:
    """The address to connect to for a host.

    Raises:
        RefusedAddressError: it has a private one and those are not allowed.
        OSError: it has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=SOCK_STREAM)
    addresses = [ip_address(entry[4][0]) for entry in found]
    refused = [] if private else [address for address in addresses if not is_public(address)]
    if refused:
        raise RefusedAddressError(f"{refused[0]} is a private address; labeler serve --private-webhooks allows those")
    return str(addresses[0])


class Deliverer:
    """Delivers for one process, in a thread of its own; several processes may do so on one database.

    Args:
        store: the database.
        rules: how.
        chores: what else is to be looked after at every poll.
    """

    def __init__(self, store: Store, rules: Rules | None = None, chores: tuple[Callable[[], None], ...] = ()) -> None:
        self.store = store
        self.rules = rules or Rules()
        self.chores = chores
        self._tls = ssl.create_default_context()
        self._tidied = float("-inf")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Deliver in the background for as long as the block lasts."""
        loop = asyncio.new_event_loop()
        stop = asyncio.Event()
        thread = threading.Thread(target=self._thread, args=(loop, stop), name="webhooks", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with suppress(RuntimeError):  # the thread has ended already
                loop.call_soon_threadsafe(stop.set)
            thread.join(GRACE_SECONDS + MARGIN_SECONDS)

    def _thread(self, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(self.run(stop))

    async def run(self, stop: asyncio.Event) -> None:
        """Look for what is due again and again; at the end the tries that are on their way have a moment to finish."""
        working: set[asyncio.Task[None]] = set()
        while not stop.is_set():
            try:
                while len(working) < AT_ONCE and (parcel := await asyncio.to_thread(self._claim)):
                    task = asyncio.create_task(self._serve(parcel, stop))
                    working.add(task)
                    task.add_done_callback(working.discard)
                for chore in (self._tidy, *self.chores):
                    await asyncio.to_thread(chore)
            except ProductError as error:
                _log.warning("webhooks wait for the database: %s", error)
            except Exception:  # a bug must not end deliveries for as long as the server lives
                _log.exception("webhooks met an error")
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), POLL_SECONDS)
        if working:
            _, unfinished = await asyncio.wait(working, timeout=GRACE_SECONDS)
            for task in unfinished:  # its lease runs out, and another process tries again
                task.cancel()

    def _claim(self) -> Parcel | None:
        now = self.store.clock()
        with self.store.database.read() as connection:
            if not outbox.is_due(connection, now):
                return None
        with self.store.database.write() as connection:
            return outbox.claim(connection, now, self.rules.lease_seconds)

    def _tidy(self) -> None:
        now = self.store.clock()
        if now - self._tidied < TIDY_SECONDS:
            return
        with self.store.database.write() as connection:
            outbox.tidy(connection, now)
        self._tidied = now

    async def _serve(self, parcel: Parcel | None, stop: asyncio.Event) -> None:
        """One endpoint: its deliveries in their order, until one fails or none is left."""
        try:
            async with httpx.AsyncClient(
                trust_env=False,
                verify=self._tls,
                timeout=None,  # noqa: S113  (`attempt` limits the whole)
                limits=httpx.Limits(max_keepalive_connections=0),  # a kept connection knows an address and no name
            ) as client:
                while parcel is not None:
                    outcome = await self.attempt(client, parcel)
                    parcel = await asyncio.to_thread(self._record, parcel, outcome)
                    if parcel is not None and stop.is_set():
                        await asyncio.to_thread(self._release, parcel)
                        return
        except ProductError as error:  # the lease runs out, and somebody tries again
            _log.warning("a webhook waits for the database: %s", error)
        except Exception:
            _log.exception("a webhook met an error")

    def _record(self, parcel: Parcel, outcome: Outcome) -> Parcel | None:
        with self.store.database.write() as connection:
            return outbox.record(
                connection,
                parcel,
                outcome,
                now=self.store.clock(),
                lease_seconds=self.rules.lease_seconds,
                patience=self.rules.patience,
            )

    def _release(self, parcel: Parcel) -> None:
        with self.store.database.write() as connection:
            outbox.release(connection, parcel)

    async def attempt(self, client: httpx.AsyncClient, parcel: Parcel) -> Outcome:
        """Post a delivery once."""
        try:
            async with asyncio.timeout(self.rules.timeout):
                return await self._post(client, parcel)
        except TimeoutError:
            return Outcome(None, f"no answer within {self.rules.timeout:g} seconds")
        except RefusedAddressError as error:
            return Outcome(None, str(error))
        except gaierror:
            return Outcome(None, "the host is not known")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return Outcome(None, _clean(str(error) or type(error).__name__))

    async def _post(self, client: httpx.AsyncClient, parcel: Parcel) -> Outcome:
        url, body = httpx.URL(parcel.url), parcel.body.encode("utf-8", "surrogatepass")
        port = url.port or (443 if url.scheme == "https" else 80)
        address = await address_of(url.host, port, private=self.rules.private)
        signed = signing.headers(parcel.secret, parcel.message_id, int(self.store.clock()), body)
        request = client.build_request(
            "POST",
            url.copy_with(host=address),
            content=body,
            headers={**signed, "host": url.netloc.decode(), "content-type": "application/json"},
            extensions={"sni_hostname": url.host},  # the certificate must be of the name, not of the address
        )
        answer = await client.send(request, stream=True, follow_redirects=False)
        try:
            return Outcome(answer.status_code, await _beginning(answer))
        finally:
            await answer.aclose()


async def _beginning(answer: httpx.Response) -> str:
    """The first bytes of an answer as text."""
    received = b""
    async for chunk in answer.aiter_raw():
        received += chunk
        if len(received) >= ANSWER_BYTES:
            break
    return _clean(received[:ANSWER_BYTES].decode("utf-8", "replace"))


def _clean(text: str) -> str:
    return text.replace("\0", "�")[:ANSWER_BYTES]
