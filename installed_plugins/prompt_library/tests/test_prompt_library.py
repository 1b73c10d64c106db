"""The Python half of the prompt library: whose prompts they are, and what can be kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plugins_app.sdk import PluginError
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]
ADA, GRACE = {"id": 1, "username": "ada"}, {"id": 2, "username": "grace"}
HELLO = {"title": "Hello", "text": "Say hello to {{name}}"}


async def test_a_prompt_is_kept_for_the_one_who_saved_it() -> None:
    stored: dict[str, Any] = {}
    async with PluginHarness(FOLDER, user=ADA, storage=stored) as library:
        saved = await library.call("save_prompts", prompts=[HELLO])
        assert saved["added"] == 1
        assert await library.call("list_prompts") == saved["prompts"]
        kept = dict(library.storage)
    async with PluginHarness(FOLDER, user=GRACE, storage=kept) as library:
        assert await library.call("list_prompts") == []
    async with PluginHarness(FOLDER, user=ADA, storage=kept) as library:
        assert [prompt["title"] for prompt in await library.call("list_prompts")] == ["Hello"]


async def test_a_prompt_with_a_known_id_is_changed() -> None:
    async with PluginHarness(FOLDER, user=ADA) as library:
        [prompt] = (await library.call("save_prompts", prompts=[HELLO]))["prompts"]
        changed = await library.call("save_prompts", prompts=[{**prompt, "title": "Greet"}])
        assert changed == {"prompts": [{**prompt, "title": "Greet"}], "added": 0}


async def test_importing_the_same_file_again_adds_nothing() -> None:
    async with PluginHarness(FOLDER, user=ADA) as library:
        first = await library.call("save_prompts", prompts=[HELLO, {"title": "Bye", "text": "Say goodbye"}])
        again = await library.call("save_prompts", prompts=[HELLO, {"title": "Bye", "text": "Say goodbye"}])
        assert (first["added"], again["added"]) == (2, 0)
        assert [prompt["title"] for prompt in again["prompts"]] == ["Bye", "Hello"]


async def test_a_deleted_prompt_is_gone_and_can_be_saved_again_as_it_was() -> None:
    async with PluginHarness(FOLDER, user=ADA) as library:
        [prompt] = (await library.call("save_prompts", prompts=[HELLO]))["prompts"]
        assert await library.call("delete_prompt", prompt_id=prompt["id"]) == []
        assert (await library.call("save_prompts", prompts=[prompt]))["prompts"] == [prompt]


@pytest.mark.parametrize(
    ("prompt", "why"),
    [
        ({"title": " ", "text": "x"}, "prompt 1 has no title"),
        ({"title": "x"}, "prompt 1 has no text"),
        ({"title": "x" * 121, "text": "x"}, "121 characters; 120 are the most"),
        ({"title": "x", "text": "x", "id": "i" * 65}, "its id is no text"),
    ],
)
async def test_what_is_no_prompt_is_refused_with_a_reason(prompt: dict[str, Any], why: str) -> None:
    async with PluginHarness(FOLDER, user=ADA) as library:
        with pytest.raises(PluginError, match=why):
            await library.call("save_prompts", prompts=[prompt])
        assert library.storage == {}


@pytest.mark.parametrize(
    ("config", "why"), [({"max_prompts": 1}, "you can keep 1"), ({"max_characters": 1000}, "may be 1,000")]
)
async def test_the_limits_hold_for_all_of_a_person_together(config: dict[str, Any], why: str) -> None:
    async with PluginHarness(FOLDER, user=ADA, config=config) as library:
        await library.call("save_prompts", prompts=[HELLO])
        with pytest.raises(PluginError, match=why):
            await library.call("save_prompts", prompts=[{"title": "Long", "text": "x" * 990}])
        assert len(await library.call("list_prompts")) == 1


async def test_a_call_by_nobody_is_refused() -> None:
    async with PluginHarness(FOLDER, user=None) as library:
        with pytest.raises(PluginError, match="made by nobody"):
            await library.call("list_prompts")
