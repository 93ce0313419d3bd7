"""An OpenID provider as a process of its own: oidc-provider-mock, made to insist on PKCE by Authlib's own check.

``python openid_provider.py CLAIMS…`` prints its port; tokens are good for an hour.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from datetime import timedelta

from authlib.oauth2.rfc7636 import CodeChallenge
from oidc_provider_mock import _app
from oidc_provider_mock._storage import User
from werkzeug.serving import make_server

challenges: dict[str, tuple[str, str]] = {}


class Pkce(CodeChallenge):
    def get_authorization_code_challenge(self, authorization_code):
        return challenges[authorization_code.code][0]

    def get_authorization_code_challenge_method(self, authorization_code):
        return challenges[authorization_code.code][1]


class Grant(_app.AuthorizationCodeGrant):
    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        Pkce(required=True)(self)

    def save_authorization_code(self, code, request):
        data = request.payload.data
        challenges[code] = (data["code_challenge"], data["code_challenge_method"])
        super().save_authorization_code(code, request)


if __name__ == "__main__":
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    _app.AuthorizationCodeGrant = Grant  # type: ignore[misc]
    people = [json.loads(text) for text in sys.argv[1:]]
    users = [User(sub=claims.pop("sub"), claims=claims) for claims in people]
    app = _app.app(require_nonce=True, access_token_max_age=timedelta(hours=1), user_claims=users)
    listening = socket.create_server(("127.0.0.1", 0))
    server = make_server("127.0.0.1", 0, app.wsgi_app, threaded=True, fd=listening.fileno())
    print(listening.getsockname()[1], flush=True)  # noqa: T201
    server.serve_forever()
