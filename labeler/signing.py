"""Signatures of webhooks as the Standard Webhooks specification has them (version 1, symmetric). Pure."""

from __future__ import annotations

import base64
import hmac
from hashlib import sha256

PREFIX = "whsec_"


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``: HMAC-SHA256 of ``ID.TIMESTAMP.BODY``, in base64 behind its version.

    Args:
        secret: ``whsec_`` and the key in base64.
        message_id: the value of ``webhook-id``.
        timestamp: the value of ``webhook-timestamp``, seconds since 1970.
        body: the bytes that are sent.
    """
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.new(key, signed, sha256).digest()).decode()}"


def headers(secret: str, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of a delivery."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, message_id, timestamp, body),
    }
