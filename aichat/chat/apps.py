"""The chat as a Django app."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["ChatConfig"]


class ChatConfig(AppConfig):
    """Conversations and the chat pipeline."""

    name = "aichat.chat"
    label = "chat"
    verbose_name = "Chat"

    def ready(self) -> None:
        """Tie what must know of each other: shared tasks and their broker, plugins and the models they ask."""
        import aichat.celery  # noqa: F401 - `shared_task`s find the broker of the app made last
        from aichat.chat.asking import ChatModelCaller
        from aichat.chat.reading import UserConversations
        from plugins_app import runtime

        runtime.set_model_caller(ChatModelCaller())
        runtime.set_conversation_reader(UserConversations())
