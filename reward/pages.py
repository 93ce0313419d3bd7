"""The pages that commands write, from reward/templates: all on one base, without any outside reference."""

from __future__ import annotations

from typing import Any

import jinja2

TEMPLATES = jinja2.Environment(loader=jinja2.PackageLoader("reward"), autoescape=True, undefined=jinja2.StrictUndefined)


def fill(name: str, **values: Any) -> str:
    """The page that the template ``name`` makes of the values; texts are shown exactly as they are."""
    return TEMPLATES.get_template(f"{name}.html").render(values)
