"""The tree of a conversation's messages, whatever it looks like."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from aichat.chat.branches import Node, Tree

ROLES = st.sampled_from(["system", "user", "assistant", "tool"])


@st.composite
def nodes(draw: st.DrawFn) -> list[Node]:
    """A tree: each message follows an earlier one, none, or one that is gone."""
    found: list[Node] = []
    for number in range(draw(st.integers(1, 12))):
        parent = draw(st.sampled_from([None, UUID(int=999), *(node.id for node in found)]))
        found.append(Node(UUID(int=number + 1), parent, draw(st.integers(0, 20)), draw(ROLES)))
    return found


@given(nodes())
def test_every_message_is_on_a_branch_and_beside_itself(found: list[Node]) -> None:
    tree = Tree(found)
    parents = {node.id: node.parent_id if node.parent_id in tree else None for node in found}
    assert sorted(tree) == sorted(parents) and len(tree) == len(found)
    order = list(tree)
    for node in found:
        path = tree.path(node.id)
        assert path[-1] == node.id and parents[path[0]] is None
        assert all(parents[child] == parent for parent, child in pairwise(path))
        assert order.index(path[0]) <= order.index(node.id)
        assert all(one in beside for one, beside in zip(path, tree.siblings(path), strict=True))
        leaf = tree.newest_leaf(node.id)
        assert node.id in tree.path(leaf) and not tree.has_children(leaf)


def test_nothing_has_no_branch() -> None:
    tree = Tree([])
    assert (tree.end(None), tree.path(None), tree.siblings([]), list(tree)) == (None, [], [], [])
