"""The part of the client about prompts; see `labeler.client.Client.prompts`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from labeler.api import typed
from labeler.api.common import Page
from labeler.api.prompts import ClusterQuery, MakeVectors, NamePrompts, PromptPage, PromptQuery, VectorsInfo
from labeler.prompt_desk import CategoryInfo, ClusterInfo, DuplicateSet, PromptInfo


class Prompts:
    """What managers find among the prompts of a project, and do with it.

    `labeler.client.Client.set_priorities` sets the priority of what was found.

    Args:
        ask: sends a request (kind of the answer, method, path, body) and returns its answer.
        send: sends a request (method, path, options).
        pages: reads every item of a list (kind of its pages, path, query).
    """

    def __init__(self, ask: Callable[..., Any], send: Callable[..., Any], pages: Callable[..., Iterator[Any]]) -> None:
        self._ask = ask
        self._send = send
        self._pages = pages

    def find(self, project_id: int, **which: Any) -> Iterator[PromptInfo]:
        """Prompts in the order of import, or as they fit what is searched; stop where the nearest are enough.

        Args:
            project_id: of which project.
            which: the fields of `labeler.api.prompts.PromptQuery`, as ``meaning="slow trains"`` or
                ``state=("waiting",)``.
        """
        return self._pages(Page[PromptInfo], f"/projects/{project_id}/prompts", **_paged(PromptQuery(**which)))

    def duplicates(self, project_id: int, **which: Any) -> Iterator[DuplicateSet]:
        """Sets of prompts that say nearly the same; ``which``: fields of `labeler.api.prompts.PromptPage`."""
        path = f"/projects/{project_id}/prompts/duplicates"
        return self._pages(Page[DuplicateSet], path, **_paged(PromptPage(**which)))

    def clusters(self, project_id: int, **which: Any) -> tuple[ClusterInfo, ...]:
        """What the prompts are about; ``which``: fields of `labeler.api.prompts.ClusterQuery`."""
        query = typed.to_query(ClusterQuery(**which))
        found = self._send("GET", f"/projects/{project_id}/prompts/clusters", params=query).json()
        return typed.from_json(tuple[ClusterInfo, ...], found, strict=False)

    def categories(self, project_id: int) -> tuple[CategoryInfo, ...]:
        """Categories that prompts were named by, and what was learned of them."""
        found: tuple[CategoryInfo, ...] = self._ask(
            tuple[CategoryInfo, ...], "GET", f"/projects/{project_id}/prompts/categories"
        )
        return found

    def name(self, project_id: int, category: str, groups: Sequence[str]) -> None:
        """Name the category of some prompts, by group id; an empty one takes back what was said of them."""
        body = typed.to_json(NamePrompts(category, tuple(groups)))
        self._send("PUT", f"/projects/{project_id}/prompts/categories", json=body)

    def vectors(self, project_id: int) -> VectorsInfo:
        """How the vectors stand, and how far their making is."""
        return self._about_vectors("GET", project_id)

    def make_vectors(self, project_id: int, *, clusters: int | None = None, base: str | None = None) -> VectorsInfo:
        """Make vectors, near-duplicates and clusters, and learn categories where enough prompts are named.

        Args:
            project_id: of which project.
            clusters: how many; as many as before, else as usual, where None.
            base: what makes the vectors; the same as before where None.
        """
        return self._about_vectors("POST", project_id, body=MakeVectors(clusters, base))

    def cancel_vectors(self, project_id: int) -> VectorsInfo:
        """End the making of vectors."""
        return self._about_vectors("POST", project_id, "/cancel")

    def _about_vectors(self, method: str, project_id: int, more: str = "", body: Any = None) -> VectorsInfo:
        path = f"/projects/{project_id}/prompts/vectors{more}"
        found: VectorsInfo = self._ask(VectorsInfo, method, path, body)
        return found


def _paged(query: PromptPage) -> dict[str, str | list[str]]:
    """The filters of a list that is read to its end."""
    return {name: value for name, value in typed.to_query(query).items() if name not in ("cursor", "limit")}
