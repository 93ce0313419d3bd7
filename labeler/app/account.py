"""Name and sign-out on the pages beside the board, which also say their language."""

from __future__ import annotations

import streamlit as st

from labeler import languages
from labeler.entities import User
from labeler.languages import t

FORM = """
<form class="account" method="post" action="/logout" hidden>
  <span></span><button type="submit" data-testid="sign-out"></button>
</form>
"""
STYLE = """
.account { position: fixed; top: 0; right: 1.25rem; z-index: 999991; height: 3.75rem; display: flex; gap: 0.75rem; }
.account[hidden] { display: none; }
.account { align-items: center; padding-left: 0.5rem; font-size: 0.875rem; background: var(--st-background-color); }
.account span { max-width: 7rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; opacity: 0.75; }
.account button { font: inherit; color: inherit; background: none; border: 0; padding: 0.25rem; cursor: pointer; }
.account button:hover { text-decoration: underline; }
[data-testid="stHeader"] { padding-right: 11rem; } /* what finds no room there is behind "more" */
[data-testid="stTopNavLink"] { padding-inline: 0.25rem; }
.stMainBlockContainer { padding-top: 4.5rem; }
.stApp [role="radiogroup"] button[role="radio"][aria-checked="true"] { color: inherit; }
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p { color: inherit; opacity: 0.9; }
"""
SCRIPT = """
export default function ({ parentElement, data }) {
  parentElement.querySelector("span").textContent = data.name;
  parentElement.querySelector("button").textContent = data.out;
  document.documentElement.lang = data.language;
  parentElement.querySelector("form").hidden = false;
}
"""


def draw(user: User) -> None:
    """Who is signed in, and the way out."""
    account = st.components.v2.component("labeler_account", html=FORM, css=STYLE, js=SCRIPT, isolate_styles=False)
    account(key="account", data={"name": user.name, "out": t("sign out"), "language": languages.current()})
