"""The routes beside Streamlit: sign-in, the labeling API and health, with the checks that every request passes."""

from __future__ import annotations

from labeler.routes.assets import asset_routes
from labeler.routes.board import board_routes
from labeler.routes.chat import chat_routes
from labeler.routes.doors import door_routes
from labeler.routes.guard import Guard
from labeler.routes.rest.routes import rest_routes
from labeler.routes.review import review_routes
from labeler.routes.services import Services
from labeler.routes.sign_on import sign_on_routes

__all__ = [
    "Guard",
    "Services",
    "asset_routes",
    "board_routes",
    "chat_routes",
    "door_routes",
    "rest_routes",
    "review_routes",
    "sign_on_routes",
]
