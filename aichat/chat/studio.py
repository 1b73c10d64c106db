"""The chat of one process: everything its routes need, made once per event loop."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any, Literal
from uuid import UUID, uuid4

from django.conf import settings
from msgspec import UnsetType

from aichat.chat import selectors, services
from aichat.chat.afterwards import Afterwards
from aichat.chat.answering import AnswerRun
from aichat.chat.approvals import AnswerApprovals, ApprovalBoard, approval_decide
from aichat.chat.auth import Authenticator, ChatUser
from aichat.chat.bodies import ApprovalBody, ChatBody, RegenerateBody
from aichat.chat.calling import UserCalls
from aichat.chat.completion import Question, complete
from aichat.chat.errors import ChatError
from aichat.chat.exportdata import export_data
from aichat.chat.exporting import ExportedFile, conversation_export
from aichat.chat.live import PING, LiveAnswer, encode_event
from aichat.chat.models import Message
from aichat.chat.pace import Pace
from aichat.chat.pipeline import Pipeline
from aichat.chat.plan import ChatRequest, Plan, Plugins, Tool
from aichat.chat.planning import Catalog, make_plan
from aichat.chat.recent import RecentRegistry
from aichat.chat.relay import Relay
from aichat.chat.threads import DatabaseThreads
from aichat.chat.titling import title_after_answer, title_anew
from plugins_app import runtime
from plugins_app.sdk import PluginType
from plugins_app.selectors.registry import Registry, RegistryReader
from plugins_app.services.hostcalls import HostCalls

__all__ = ["ChatStudio", "call_plugins"]

Begin = Callable[..., services.AnswerStart]
Tools = Literal["auto"] | list[str]
MakeCalls = Callable[[Registry, dict[str, Any] | None], Plugins]

#: How many ended answers are kept for readers who come back at once; later ones find the stored message.
_KEPT_ENDED = 64
_LOOK_AGAIN_S = 5.0
#: How old what is known of the plugins may be where no query is made for each request.
_REGISTRY_AGE_S = 0.25


class ChatStudio:
    """Answers chats, and lets everyone who may follow and cancel them."""

    def __init__(self, make_calls: MakeCalls | None = None) -> None:
        """`make_calls` is how plugins are called on behalf of a user: over their sockets, unless a test says else."""
        self._calls = make_calls or call_plugins
        self.threads = DatabaseThreads()
        self.pace = Pace()
        self.authenticator = Authenticator(self.threads)
        self.registry = RegistryReader(max_age=_REGISTRY_AGE_S)
        self._relay = Relay(settings.REDIS_URL)
        self._catalog = Catalog()
        self.afterwards = Afterwards()
        self.recent = RecentRegistry(self.registry, self.threads)
        self._planned: tuple[Registry, Plan] | None = None
        self._approvals = ApprovalBoard()
        self._runs: dict[str, AnswerRun] = {}
        self._ended: OrderedDict[str, LiveAnswer] = OrderedDict()
        self._titles: set[asyncio.Task[str | None]] = set()
        self._closed = False

    async def models(self, user: ChatUser) -> list[dict[str, Any]]:
        """The models of all providers that serve now."""
        registry = await self.recent.get(fresh=True)
        return await self._catalog.models(registry.of_type(PluginType.PROVIDER), self._calls(registry, user.to_dict()))

    async def plan_for(self, model: str, user: dict[str, Any]) -> tuple[Plan, Plugins]:
        """Who takes part when `model` is asked without tools of the studio's, and how they are called.

        Raises:
            ChatError: there is no such model, or its provider does not serve.
        """
        registry = await self.recent.get()
        calls = self._calls(registry, user)
        try:
            await self._catalog.check_model(model, registry, calls)
        except ChatError:  # its provider may have been loaded a moment ago
            registry = await self.recent.get(fresh=True)
            calls = self._calls(registry, user)
            await self._catalog.check_model(model, registry, calls)
        if self._planned is None or self._planned[0] is not registry:
            self._planned = registry, make_plan(registry, {}, pricing=self._catalog.pricing)
        return self._planned[1], calls

    async def tools_for(self, user: ChatUser) -> tuple[dict[str, Tool], Plugins]:
        """What all tool plugins that serve now offer, and how they are called as `user`."""
        registry = await self.recent.get(fresh=True)
        calls = self._calls(registry, user.to_dict())
        return await self._tools("auto", registry, calls), calls

    async def answer(self, user: ChatUser, body: ChatBody, conversation_id: UUID | None) -> LiveAnswer:
        """Store what was said and begin to answer it.

        Raises:
            ChatError: no such model or conversation, a plugin that does not serve, an answer under way.
        """
        begin = partial(
            services.answer_begin,
            messages=body.said(),
            parent_id=services.HERE if isinstance(body.parent_id, UnsetType) else body.parent_id,
            attachments=body.attachments,
            system_prompt=body.system_prompt,
            params=body.given_params(),
        )
        return await self._answer(user, conversation_id, body.model, body.tools, begin)

    async def regenerate(self, user: ChatUser, body: RegenerateBody, conversation_id: UUID) -> LiveAnswer:
        """Begin another answer, beside the one in `body` or the last.

        Raises:
            ChatError: as for `answer`, and when there is nothing to answer again.
        """
        asked = await self.threads.run(
            selectors.regeneration, user_id=user.id, conversation_id=conversation_id, message_id=body.message_id
        )
        begin = partial(services.answer_begin, messages=[], parent_id=asked.parent_id)
        return await self._answer(user, conversation_id, body.model or asked.model, body.tools, begin)

    async def _answer(
        self, user: ChatUser, conversation_id: UUID | None, model: str, wanted: Tools, begin: Begin
    ) -> LiveAnswer:
        registry = await self.threads.run(self._look, user, conversation_id)
        calls = self._calls(registry, user.to_dict())
        provider = await self._catalog.check_model(model, registry, calls)
        tools = await self._tools(wanted, registry, calls)
        start = await self.threads.run(
            begin, user_id=user.id, conversation_id=conversation_id, model=model, answer_id=uuid4()
        )
        live = LiveAnswer(start.message_id, start.conversation_id)
        live.emit("message.start", _start_data(start, model, provider.generation))
        pipeline = Pipeline(
            make_plan(registry, tools, pricing=self._catalog.pricing),
            calls,
            live.emit,
            answer_id=live.message_id,
            afterwards=self.afterwards,
            approve=AnswerApprovals(live.message_id, live.emit, self.threads, self._approvals),
        )
        params = start.params | ({"tools": [tool.to_openai() for tool in tools.values()]} if tools else {})
        request = ChatRequest(model, start.messages, params, user.to_dict(), start.conversation_id)
        run = self._run(live, pipeline, request)
        if start.needs_title and settings.STUDIO_TITLES == "model":
            run.task.add_done_callback(lambda _: self._title(run, user))
        return live

    def _look(self, user: ChatUser, conversation_id: UUID | None) -> Registry:
        """The registry of this very moment: a middleware that was just loaded sees this request already."""
        if conversation_id is not None:
            selectors.conversation_get(user_id=user.id, conversation_id=conversation_id)
        return self.registry.read()

    async def _tools(self, wanted: Tools, registry: Registry, calls: Plugins) -> dict[str, Tool]:
        serving = {plugin.id: plugin for plugin in registry.of_type(PluginType.TOOL)}
        if wanted == "auto":
            return await self._catalog.tools(serving.values(), calls)
        for index, plugin_id in enumerate(wanted):
            if plugin_id not in serving:
                message = f"{plugin_id!r} is not a loaded tool plugin."
                raise ChatError("invalid", message, errors=[{"pointer": f"/tools/{index}", "message": message}])
        return await self._catalog.tools([serving[plugin_id] for plugin_id in dict.fromkeys(wanted)], calls)

    def _run(self, live: LiveAnswer, pipeline: Pipeline, request: ChatRequest) -> AnswerRun:
        self._relay.listen(self._cancel_here, self._approvals.notify)
        run = self._runs[live.message_id] = AnswerRun(live, pipeline, request, self.threads, self._relay)
        run.task.add_done_callback(lambda _: self._forget(live))
        return run

    def _title(self, run: AnswerRun, user: ChatUser) -> None:
        """Have a title made in the background, for nobody waits for it."""
        if not run.is_answered or self._closed:
            return
        making = title_after_answer(self.complete, self.threads, user.to_dict(), run.live.conversation_id)
        task = asyncio.create_task(making, name=f"title of {run.live.conversation_id}")
        self._titles.add(task)
        task.add_done_callback(self._titles.discard)

    async def retitle(self, user: ChatUser, conversation_id: UUID) -> str:
        """Make a title anew, whatever there was before; return it.

        Raises:
            ChatError: the conversation is not the user's, nothing was said in it, or the model cannot be asked.
        """
        return await title_anew(self.complete, self.threads, user.to_dict(), conversation_id)

    def _forget(self, live: LiveAnswer) -> None:
        del self._runs[live.message_id]
        self._approvals.notify(live.message_id)
        self._ended[live.message_id] = live
        while len(self._ended) > _KEPT_ENDED:
            self._ended.popitem(last=False)

    async def export(self, user: ChatUser, conversation_id: UUID, plugin_id: str) -> ExportedFile:
        """The conversation as a file of the format `plugin_id`.

        Raises:
            StudioError: the conversation is not the user's, there is no such format, or its plugin failed.
        """
        data = await self.threads.run(_export_data, user, conversation_id)
        if not plugin_id:
            message = "Name an export plugin, such as ?format=markdown-export."
            raise ChatError("invalid", message, errors=[{"pointer": "/format", "message": message}])
        registry = await self.threads.run(self.registry.read)
        calls = self._calls(registry, user.to_dict())
        return await conversation_export(data, plugin_id, registry=registry, calls=calls)

    async def complete(self, question: Question) -> dict[str, Any]:
        """Answer a plugin's own question to a model; nothing of it is stored."""
        registry = await self.recent.get()
        calls = self._calls(registry, question.user)
        return await complete(question, registry, calls, pricing=self._catalog.pricing, afterwards=self.afterwards)

    async def decide(self, user: ChatUser, conversation_id: UUID, call_id: str, body: ApprovalBody) -> None:
        """Allow a destructive tool, or not; whichever process waits for it goes on.

        Raises:
            ChatError: nothing waits for this decision.
        """
        message_id = await self.threads.run(
            approval_decide,
            user_id=user.id,
            conversation_id=conversation_id,
            call_id=call_id,
            approve=body.approve,
            remember=body.remember,
        )
        self._approvals.notify(message_id)
        if message_id not in self._runs:
            await self._relay.decided(message_id)

    async def cancel(self, user: ChatUser, conversation_id: UUID) -> str:
        """End the answer under way, whichever process writes it; return its message id."""
        message_id = await self.threads.run(services.answer_cancel, user_id=user.id, conversation_id=conversation_id)
        if not self._cancel_here(message_id):
            await self._relay.cancel(message_id)
        return message_id

    def _cancel_here(self, message_id: str) -> bool:
        run = self._runs.get(message_id)
        if run is not None:
            run.cancel()
        return run is not None

    async def resume(
        self, user: ChatUser, conversation_id: UUID, message_id: str | None, after: int
    ) -> AsyncGenerator[bytes, None] | None:
        """The events of an answer after number `after`; of the one under way when no `message_id` is given.

        None when there are none, nor will be.
        """
        answer = await self.threads.run(_find_answer, user, conversation_id, message_id)
        if answer is None:
            return None
        key = str(answer.pk)
        live = self._runs[key].live if key in self._runs else self._ended.get(key)
        if live is not None:
            return None if live.is_over_after(after) else live.follow(after)
        if after and await self._relay.is_over_after(key, after):
            return None
        return self._follow_elsewhere(user, answer, after)

    async def _follow_elsewhere(self, user: ChatUser, answer: Message, after: int) -> AsyncGenerator[bytes, None]:
        """Follow an answer that another process writes or wrote; in the end there is always the stored message."""
        key = str(answer.pk)
        found: Message | None = answer
        while found is not None and (found.is_running() or await self._relay.knows(key)):
            events = await self._relay.read(key, after, _LOOK_AGAIN_S if found.is_running() else 0.1)
            for event in events:
                yield event.sse
                after = event.number
            if events and events[-1].last:
                return
            if not events:
                was_running = found.is_running()
                found = await self.threads.run(_find_answer, user, answer.conversation_id, key)
                if not was_running:
                    break
                yield PING
        yield _stored_end(found or answer, after + 1)

    async def close(self) -> None:
        """End every answer, stored as interrupted, and give everything back."""
        self._closed = True
        for run in list(self._runs.values()):
            run.interrupt()
        for task in self._titles:
            task.cancel()
        tasks = [*(run.task for run in self._runs.values()), *self._titles]
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.afterwards.close()
        await self.recent.close()
        await self._relay.close()
        await asyncio.get_running_loop().run_in_executor(None, self.threads.close)


def call_plugins(registry: Registry, user: dict[str, Any] | None) -> Plugins:
    """Calling plugins over their sockets, as `user`; what they ask of the studio is answered as the same user."""
    return UserCalls(runtime.async_client(), registry, user=user, host=HostCalls().answer_async)


def _start_data(start: services.AnswerStart, model: str, generation: int | None) -> dict[str, Any]:
    return {
        "conversation_id": start.conversation_id,
        "message_id": start.message_id,
        "user_message_id": start.user_message_id,
        "model": model,
        "generation": generation,
    }


def _export_data(user: ChatUser, conversation_id: UUID) -> dict[str, Any]:
    return export_data(conversation=selectors.conversation_get(user_id=user.id, conversation_id=conversation_id))


def _find_answer(user: ChatUser, conversation_id: UUID, message_id: str | None) -> Message | None:
    conversation = selectors.conversation_get(user_id=user.id, conversation_id=conversation_id)
    return selectors.streaming_message(conversation=conversation, message_id=message_id)


def _stored_end(answer: Message, number: int) -> bytes:
    """The last event of an answer whose events are gone, from the stored message."""
    key = str(answer.pk)
    error = selectors.message_error(answer)
    if error is not None:
        return encode_event(key, number, "error", error)
    data = {
        "message_id": key,
        "finish_reason": answer.finish_reason,
        "usage": answer.usage,
        "cost": answer.cost,
        "duration_ms": answer.duration_ms,
        "first_token_ms": answer.first_token_ms,
        "generation": answer.generation,
        "content": answer.content,
    }
    return encode_event(key, number, "message.end", data)
