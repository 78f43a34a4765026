"""Copies of chat models that look for their answers in a cache, and ask together."""

import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial, wraps
from typing import Any, Final, TypeAlias, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, Generation

from cogwork.core.caching import BoundedCache, Key
from cogwork.core.fingerprint import fingerprint
from cogwork.core.generations import as_chunk, as_free, read_answers, write_generations
from cogwork.core.guarding import with_methods
from cogwork.core.single_flight import SingleFlight

__all__ = ["Answers", "cached_model", "key_of", "tells_itself"]

Model = TypeVar("Model", bound=BaseChatModel)
Fresh: TypeAlias = Callable[[], Sequence[ChatGeneration]]
"""Makes copies of an answer, for each who asks."""
_OF_AN_ANSWER: Final = {"id", "usage_metadata"}
"""What a model's message holds and no model is told."""
_NOT_SAID: Final = {"id", "artifact", "response_metadata"}
"""The same of other messages; our tools' metadata holds the seconds that they took."""


class Answers:
    """Answers of models, in a cache, and the calls under way.

    Args:
        kept: Where they are.
    """

    def __init__(self, kept: BoundedCache) -> None:
        self.kept = kept
        self.flights: SingleFlight[Fresh] = SingleFlight(kept.note_coalesced)

    def answer(self, key: Key, ask: Callable[[], ChatResult]) -> ChatResult | Fresh:
        """Return what the model is asked for, if this call is to ask it, else copies of it."""
        asked: list[ChatResult] = []

        def make() -> Fresh:
            if (found := self.kept.get(key, read_answers)) is not None:
                return partial(_copies, found)
            asked.append(ask())
            return self.keep(key, asked[0])

        found = self.kept.get(key, read_answers, count_miss=False)
        fresh = self.flights.run(key, make) if found is None else lambda: found
        return asked[0] if asked else fresh

    async def aanswer(
        self, key: Key, ask: Callable[[], Awaitable[ChatResult]]
    ) -> ChatResult | Fresh:
        """Do what `answer` does, for an async call."""
        asked: list[ChatResult] = []

        async def make() -> Fresh:
            if (found := await self.kept.aget(key, read_answers)) is not None:
                return partial(_copies, found)
            asked.append(await ask())
            return await self.akeep(key, asked[0])

        found = await self.kept.aget(key, read_answers, count_miss=False)
        fresh = await self.flights.arun(key, make) if found is None else lambda: found
        return asked[0] if asked else fresh

    def keep(self, key: Key, answer: ChatResult) -> Fresh:
        """Keep an answer, and return what makes copies of it."""
        data = self.written(answer.generations)
        if data is None:
            return partial(_copies, answer.generations)
        self.kept.put(key, data)
        return partial(read_answers, data)

    async def akeep(self, key: Key, answer: ChatResult) -> Fresh:
        """Do what `keep` does, without holding up the loop."""
        data = self.written(answer.generations)
        if data is None:
            return partial(_copies, answer.generations)
        await self.kept.aput(key, data)
        return partial(read_answers, data)

    def written(self, answer: Sequence[Generation]) -> bytes | None:
        """Return an answer as it is kept; None, and a failure counted, if it cannot be."""
        try:
            return write_generations(answer)
        except Exception as error:  # noqa: BLE001 - counted; messages hold anything
            self.kept.note_failed(f"{type(error).__name__}: {error}")
            return None

    def question(
        self, model: Any, name: str, messages: Sequence[BaseMessage], params: Mapping[str, Any]
    ) -> Key | None:
        """Return what names a call; None when it cannot be told apart from others."""
        try:
            said = [
                each.model_dump_json(
                    exclude=_OF_AN_ANSWER if isinstance(each, AIMessage) else _NOT_SAID
                )
                for each in messages
            ]
        except (ValueError, RecursionError) as error:
            self.kept.note_failed(f"messages that cannot be told apart: {error}")
            return None
        try:
            told = json.dumps(params, sort_keys=True)
        except (TypeError, ValueError, RecursionError):
            if (digest := fingerprint(params)) is None:
                self.kept.note_failed(f"arguments that cannot be told apart: {', '.join(params)}")
                return None
            told = digest.hex()
        kind = type(model)
        own = model._get_llm_string()  # noqa: SLF001 - what LangChain's caches tell models apart by
        return key_of(*said, told, own, kind.__module__, kind.__qualname__, name)


def cached_model(model: Model, answers: Answers, name: str) -> Model:
    """Return a copy of a chat model that looks here for its answers first."""
    kind = type(model)
    # Above LangChain's own cache, rate limiter and streaming, which a hit does not need.
    methods = {
        "_generate_with_cache": _asking(kind, answers, name),
        "_agenerate_with_cache": _aasking(kind, answers, name),
    }
    for method, making in (("_stream", _streaming), ("_astream", _astreaming)):
        # What is not its own, LangChain has to see that it has not.
        if getattr(kind, method) is not getattr(BaseChatModel, method):
            methods[method] = making(kind, answers, name)
    made = with_methods(
        model, {method: wraps(getattr(kind, method))(each) for method, each in methods.items()}
    )
    made.cache = False
    made.__dict__.pop("_serialized", None)  # LangChain's memory of what the model was
    return made


def _asking(kind: Any, answers: Answers, name: str) -> Callable[..., ChatResult]:
    inner = kind._generate_with_cache  # noqa: SLF001 - the one place that all calls come through

    def ask(
        self: Any, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kw: Any
    ) -> ChatResult:
        make = partial(inner, self, messages, stop, run_manager, **kw)
        key = answers.question(self, name, messages, {**kw, "stop": stop})
        found = make() if key is None else answers.answer(key, make)
        if isinstance(found, ChatResult):
            return found
        given = [as_free(each) for each in found()]
        self._replay_v2_events_for_cache_hit(given, run_manager=run_manager, **kw)
        return ChatResult(generations=given)

    return ask


def _aasking(kind: Any, answers: Answers, name: str) -> Callable[..., Awaitable[ChatResult]]:
    inner = kind._agenerate_with_cache  # noqa: SLF001 - as above

    async def ask(
        self: Any, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kw: Any
    ) -> ChatResult:
        make = partial(inner, self, messages, stop, run_manager, **kw)
        key = answers.question(self, name, messages, {**kw, "stop": stop})
        found = await (make() if key is None else answers.aanswer(key, make))
        if isinstance(found, ChatResult):
            return found
        given = [as_free(each) for each in found()]
        await self._areplay_v2_events_for_cache_hit(given, run_manager=run_manager, **kw)
        return ChatResult(generations=given)

    return ask


def _streaming(kind: Any, answers: Answers, name: str) -> Callable[..., Any]:
    inner = kind._stream  # noqa: SLF001 - as above

    def stream(
        self: Any, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kw: Any
    ) -> Iterator[ChatGenerationChunk]:
        key = answers.question(self, name, messages, {**kw, "stop": stop})
        chunks = inner(self, messages, stop, run_manager, **kw)
        if key is None or answers.flights.is_making(key):
            yield from chunks
        elif (found := answers.kept.get(key, read_answers)) is not None:
            yield as_chunk(found[0])
        else:
            seen = []
            for chunk in chunks:
                seen.append(chunk)
                yield chunk
            if seen:
                answers.keep(key, generate_from_stream(iter(seen)))

    return stream


def _astreaming(kind: Any, answers: Answers, name: str) -> Callable[..., Any]:
    inner = kind._astream  # noqa: SLF001 - as above

    async def stream(
        self: Any, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kw: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        key = answers.question(self, name, messages, {**kw, "stop": stop})
        chunks = inner(self, messages, stop, run_manager, **kw)
        if key is None or answers.flights.is_making(key):
            async for chunk in chunks:
                yield chunk
        elif (found := await answers.kept.aget(key, read_answers)) is not None:
            yield as_chunk(found[0])
        else:
            seen = []
            async for chunk in chunks:
                seen.append(chunk)
                yield chunk
            if seen:
                await answers.akeep(key, generate_from_stream(iter(seen)))

    return stream


def key_of(*parts: str) -> Key:
    """Return the key that these texts have, in this order, and no others."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(f"{len(data)}:".encode())
        digest.update(data)
    return "", digest.hexdigest()


def tells_itself(model: BaseChatModel) -> bool:
    """Whether a model says what tells it apart from others of its class."""
    return model.is_lc_serializable() or bool(model._identifying_params)  # noqa: SLF001 - LangChain's name for it


def _copies(generations: Sequence[ChatGeneration]) -> Sequence[ChatGeneration]:
    """Copies that may be given out: with messages of their own, which have no id."""
    return [
        each.model_copy(update={"message": each.message.model_copy(update={"id": None})})
        for each in generations
    ]
