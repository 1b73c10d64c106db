"""The states, and the page of the documentation that is generated from them."""

from pathlib import Path

import pytest

from plugins_app import states
from plugins_app.states import MEANINGS, TRANSITIONS, PluginState, is_legal

PAGE = Path(__file__).resolve().parents[2] / "docs" / "lifecycle.md"


def test_the_documentation_has_the_table() -> None:
    begin, end = "<!-- states: begin -->\n", "<!-- states: end -->"
    written = PAGE.read_text().partition(begin)[2].partition(end)[0]
    assert written == states.markdown(), "put the output of `python -m plugins_app.states` between the two marks"


def test_every_state_is_explained_and_can_be_reached_and_left() -> None:
    assert set(MEANINGS) == set(PluginState)
    assert {after for _, after in TRANSITIONS} == set(PluginState) - {PluginState.AVAILABLE}
    assert {before for before, _ in TRANSITIONS} == set(PluginState)


def test_no_transition_leads_nowhere() -> None:
    assert all(before != after and why for (before, after), why in TRANSITIONS.items())


@pytest.mark.parametrize("state", PluginState)
def test_staying_is_legal(state: PluginState) -> None:
    assert is_legal(state, state)


@pytest.mark.parametrize(("before", "after"), [("available", "active"), ("inactive", "draining"), ("error", "active")])
def test_what_is_not_in_the_table_is_not_legal(before: str, after: str) -> None:
    assert not is_legal(before, after)
