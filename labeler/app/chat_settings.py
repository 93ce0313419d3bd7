"""The part of the settings page that is for dialogues: where suggestions come from, and whether they are ranked."""

from __future__ import annotations

import asyncio
from typing import Any

import streamlit as st

from labeler import suggest
from labeler.endpoint_settings import LONGEST_WAIT, MOST_REPLIES, MOST_TOKENS, Endpoint, endpoint_from
from labeler.errors import ProductError
from labeler.label_schema import LabelSchema
from labeler.languages import mark, t
from labeler.suggest import SuggestError

ABOUT = mark(
    "Suggestions come from a server with OpenAI's chat completions: vLLM, Ollama, a hosted one, or your own policy "
    "with `reward serve --policy`. Without an address, people write everything themselves. A key stands in the "
    "environment variable {keys} of this server (`https://api.example.com=KEY`), never here."
)
NO_ADDRESS = mark("Give an address and the name of the model first.")


def fields(schema: LabelSchema, key: str) -> dict[str, Any]:
    """Draw the widgets; returns what they say as settings, see `labeler.label_schema.schema_from`."""
    was = schema.suggest
    usual = was or Endpoint("http://127.0.0.1:8900/v1", "policy")
    st.markdown(t(ABOUT, keys=suggest.KEYS))
    left, right = st.columns(2)
    url = left.text_input(
        t("Address of the model's server"), was.url if was else "", key=f"url-{key}", placeholder=usual.url
    )
    model = right.text_input(t("Model, as the server calls it"), was.model if was else "", key=f"model-{key}")
    number = left.number_input(t("Suggestions at a time"), 1, MOST_REPLIES, usual.number, key=f"number-{key}")
    temperature = right.number_input(t("Temperature"), 0.0, 2.0, float(usual.temperature), key=f"temperature-{key}")
    longest = left.number_input(
        t("Longest suggestion, in tokens"), 1, MOST_TOKENS, usual.max_tokens, key=f"tokens-{key}"
    )
    timeout = right.number_input(
        t("Seconds to wait for them"), 1.0, LONGEST_WAIT, float(usual.timeout), key=f"timeout-{key}"
    )
    replies = left.number_input(
        t("Replies to rank at each turn"),
        0,
        MOST_REPLIES,
        schema.replies or 0,
        help=t("0: nothing is ranked"),
        key=f"k-{key}",
    )
    asked = {"url": url, "model": model, "number": int(number), "temperature": temperature}
    endpoint = {**asked, "max_tokens": int(longest), "timeout": timeout}
    given = url.strip() or model.strip()
    return {"suggest": endpoint if given else None, "replies": int(replies) or None}


def trial(settings: dict[str, Any]) -> None:
    """Ask the model once, and say what came of it."""
    if settings["suggest"] is None:
        st.error(t(NO_ADDRESS))
        return
    try:
        answer = asyncio.run(suggest.trial(endpoint_from(settings["suggest"])))
    except SuggestError as error:
        st.error(f"{error} ({error.detail})")
    except ProductError as error:
        st.error(str(error))
    else:
        st.success(t("The model answers:"))
        st.code(answer, language=None, wrap_lines=True)
