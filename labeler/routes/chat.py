"""Suggestions for dialogues: this server asks the model, the browser never does."""

from __future__ import annotations

import logging

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from labeler import suggest
from labeler.api import typed
from labeler.chat import Offer, Turn
from labeler.errors import ProductError
from labeler.routes import gold_wire
from labeler.routes.board import TooLargeError, checked_body, other_user
from labeler.routes.services import Services, answer_for, refusal
from labeler.routes.wire import field, offer_out
from labeler.store import Store
from labeler.suggest import SuggestError

log = logging.getLogger("labeler")


def chat_routes(services: Services) -> list[BaseRoute]:
    """``POST /api/suggest`` with a task and the turns so far."""

    async def suggestions(request: Request) -> Response:
        refused = other_user(request)
        if refused:
            return refused
        try:
            body = await run_in_threadpool(gold_wire.opened, services.store, await checked_body(request))
            turns = typed.from_json(tuple[Turn, ...], body.get("turns"), where="turns")
            offer = await offer_for(services.store, request.state.user.id, field(body, "task", int), turns)
            return JSONResponse({"offer": offer_out(offer)})
        except TooLargeError as error:
            return refusal(413, str(error))
        except ProductError as error:
            return answer_for(error)
        except ClientDisconnect:
            return refusal(400, "The request broke off.")

    return [Route("/api/suggest", suggestions, methods=["POST"])]


async def offer_for(store: Store, user_id: int, task_id: int, turns: tuple[Turn, ...]) -> Offer:
    """Ask the model of a task's project to go on from a dialogue, and keep what it answers.

    Raises:
        SuggestError: it gave no replies.
        TooManyError: this person asked often enough for now.
    """
    asked = await run_in_threadpool(store.begin_offer, user_id, task_id, turns)
    offer = None
    try:
        found = await suggest.replies(asked.endpoint, asked.messages, asked.count)
        how = suggest.parameters(asked.endpoint, asked.count, found.served)
        offer = Offer(asked.offer_id, asked.messages, found.texts, asked.endpoint.model, how)
    except SuggestError as error:
        log.warning("suggestions from %s: %s", asked.endpoint.url, error.detail)
        raise
    finally:
        await run_in_threadpool(store.end_offer, asked.offer_id, offer)
    return offer
