"""The tree of a conversation's messages, without what they say: which branch leads where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

__all__ = ["Node", "Tree"]

_ANSWERING = frozenset({"assistant", "tool"})


@dataclass(frozen=True, slots=True)
class Node:
    """A message's place. A later one has a higher position, in whatever branch."""

    id: UUID
    parent_id: UUID | None
    position: int
    role: str


class Tree:
    """All messages of a conversation. One that names a parent that is not there counts as a first one."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        ordered = sorted(nodes, key=lambda node: (node.position, node.id))
        self._nodes = {node.id: node for node in ordered}
        self._children: dict[UUID | None, list[Node]] = {}
        for node in ordered:
            self._children.setdefault(self._parent_of(node), []).append(node)

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, node_id: object) -> bool:
        return node_id in self._nodes

    def __iter__(self) -> Iterator[UUID]:
        """Each message after the one it follows, the oldest branch first."""
        waiting = list(reversed(self._children.get(None, ())))
        while waiting:
            node = waiting.pop()
            yield node.id
            waiting += reversed(self._children.get(node.id, ()))

    def has_children(self, node_id: UUID) -> bool:
        """Whether something was said after this message."""
        return node_id in self._children

    def _parent_of(self, node: Node) -> UUID | None:
        return node.parent_id if node.parent_id in self._nodes else None

    def path(self, leaf_id: UUID | None) -> list[UUID]:
        """The branch that ends with this message, the first message first; empty for none."""
        found: list[UUID] = []
        while leaf_id is not None and leaf_id in self._nodes and len(found) <= len(self._nodes):
            found.append(leaf_id)
            leaf_id = self._nodes[leaf_id].parent_id
        return found[::-1]

    def end(self, leaf_id: UUID | None) -> UUID | None:
        """The end of the current branch: `leaf_id`, or the newest message when that is unknown."""
        if leaf_id in self._nodes:
            return leaf_id
        return next(reversed(self._nodes), None)

    def newest_leaf(self, node_id: UUID) -> UUID:
        """Where the newest branch through this message ends."""
        below = [node_id, *self._descendants(node_id)]
        leaves = [one for one in below if one not in self._children]
        return max(leaves, key=lambda one: self._nodes[one].position)

    def _descendants(self, node_id: UUID) -> Iterator[UUID]:
        waiting = [node_id]
        while waiting:
            for child in self._children.get(waiting.pop(), ()):
                yield child.id
                waiting.append(child.id)

    def question_of(self, node_id: UUID) -> UUID | None:
        """What the answer with this message answers, its tool calls included; what the user said is itself it."""
        node = self._nodes[node_id]
        return self._parent_of(self._head(node)) if node.role in _ANSWERING else node_id

    def last_question(self, path: Sequence[UUID]) -> UUID | None:
        """What the user said last on this branch."""
        return next((one for one in reversed(path) if self._nodes[one].role == "user"), None)

    def _head(self, node: Node) -> Node:
        """Where the answer begins that this message is a part of: tools are called before its last words."""
        while node.role in _ANSWERING:
            parent = self._nodes.get(node.parent_id) if node.parent_id else None
            if parent is None or parent.role not in _ANSWERING:
                break
            node = parent
        return node

    def siblings(self, path: list[UUID]) -> list[list[UUID]]:
        """For each message of a branch those that stand beside it, itself among them, the oldest first.

        An answer that called tools is several messages; what stands beside it stands beside the last of them.
        """
        afters = [*path[1:], None] if path else []
        return [self._beside(self._nodes[one], after) for one, after in zip(path, afters, strict=True)]

    def _beside(self, node: Node, after: UUID | None) -> list[UUID]:
        if node.role not in _ANSWERING:
            return [one.id for one in self._children[self._parent_of(node)]]
        if after is not None and self._nodes[after].role in _ANSWERING:
            return [node.id]
        head = self._head(node)
        return [node.id if one is head else one.id for one in self._children[self._parent_of(head)]]
