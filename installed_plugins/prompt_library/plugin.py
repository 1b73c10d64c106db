"""Keeps each person's prompts, so that they are there on every device."""

from __future__ import annotations

import asyncio
from typing import Any

from plugins_app.sdk import BasePlugin, PluginError, method

from .prompts import Prompt, checked, merged

__all__ = ["PromptLibrary"]


class PromptLibrary(BasePlugin):
    """One stored list per person; the page reads and changes it through these methods."""

    async def initialize(self) -> bool:
        # Reading and writing a list are two calls of the storage; two tabs at once must not lose a prompt.
        self._turn = asyncio.Lock()
        return True

    @method(idempotent=True)
    async def list_prompts(self) -> list[Prompt]:
        """The caller's own prompts, by title."""
        return await self._read()

    @method(idempotent=True)
    async def save_prompts(self, prompts: list[dict[str, Any]]) -> dict[str, Any]:
        """Add prompts, or change those whose ids are given. The same again changes nothing."""
        new = checked(prompts)
        async with self._turn:
            before = await self._read()
            after = merged(before, new)
            self._check_size(after)
            if after != before:
                await self.context.storage.set(self._key(), after)
        return {"prompts": after, "added": len(after) - len(before)}

    @method(idempotent=True)
    async def delete_prompt(self, prompt_id: str) -> list[Prompt]:
        """Take one away; what is left."""
        async with self._turn:
            left = [prompt for prompt in await self._read() if prompt["id"] != prompt_id]
            await self.context.storage.set(self._key(), left)
        return left

    async def _read(self) -> list[Prompt]:
        return list(await self.context.storage.get(self._key(), []))

    def _key(self) -> str:
        user = self.context.user
        if user is None:
            raise PluginError("prompts belong to somebody: this call was made by nobody")
        return f"prompts:{user['id']}"

    def _check_size(self, prompts: list[Prompt]) -> None:
        most, characters = self.get_config("max_prompts"), self.get_config("max_characters")
        if len(prompts) > most:
            raise PluginError(f"that would be {len(prompts)} prompts, and you can keep {most}: delete some first")
        used = sum(len(prompt["title"]) + len(prompt["text"]) for prompt in prompts)
        if used > characters:
            raise PluginError(
                f"your prompts would be {used:,} characters long together, and may be {characters:,}: delete some first"
            )
