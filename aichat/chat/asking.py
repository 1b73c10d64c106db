"""How the plugin system reaches the chat's models without knowing the chat: `plugins_app.runtime.set_model_caller`."""

from __future__ import annotations

import asyncio
from typing import Any

from plugins_app import runtime

__all__ = ["ChatModelCaller"]


class ChatModelCaller:
    """Answers what plugins ask through `context.chat`; see `plugins_app.runtime.ModelCaller`.

    What it needs is imported when something is asked: it is made while the apps are being set up.
    """

    async def ask(
        self,
        model: str,
        messages: list[dict[str, Any]],
        params: dict[str, Any],
        *,
        user: dict[str, Any] | None,
        chain: tuple[str, ...],
        timeout: float | None,
    ) -> dict[str, Any]:
        """Ask on the running event loop."""
        from aichat.chat.completion import Question
        from aichat.chat.routes import current_studio

        return await current_studio().complete(Question(model, messages, params, user, chain, timeout))

    def ask_blocking(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Ask from a thread, on an event loop that ends with the answer."""
        return asyncio.run(self._ask_and_close(*args, **kwargs))

    async def _ask_and_close(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        from aichat.chat.routes import close_chat

        try:
            return await self.ask(*args, **kwargs)
        finally:
            await close_chat()
            await runtime.close_async()
