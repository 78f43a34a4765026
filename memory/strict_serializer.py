"""What turns state into bytes and back, and constructs nothing that is not allowed by name."""

import functools
import os
from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from langgraph.checkpoint.serde.event_hooks import SerdeEvent, register_serde_event_listener
from langgraph.checkpoint.serde.jsonplus import InvalidModuleError, JsonPlusSerializer

from cogwork.core.errors import ConfigurationError, MemoryStoreError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["SealedSerializer", "StrictSerializer"]

_SEAL = "+aes-gcm"
_NONCE = 12  # bytes
_refused: ContextVar["list[str] | None"] = ContextVar("_refused", default=None)


class StrictSerializer(JsonPlusSerializer):
    """LangGraph's serializer with an explicit allow-list, and errors that say what to do.

    Args:
        allowed_types: Classes that may be constructed besides messages and LangGraph's own.
    """

    def __init__(self, allowed_types: Sequence[type] = ()) -> None:
        super().__init__(
            pickle_fallback=False,
            allowed_json_modules=None,
            allowed_msgpack_modules=tuple(allowed_types) or None,
        )
        _listen()

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Serialize; what cannot be is named."""
        try:
            return super().dumps_typed(obj)
        except TypeError as error:
            raise MemoryStoreError(
                f"the state cannot be saved: {error}; keep plain data, messages, pydantic "
                "models and dataclasses in it, and live objects in the run's context"
            ) from error

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Deserialize; what is unreadable, or names a class that is not allowed, is refused."""
        refused: list[str] = []
        token = _refused.set(refused)
        try:
            value = super().loads_typed(data)
        except MemoryStoreError:
            raise
        except Exception as error:  # a reader of foreign bytes may raise anything
            raise MemoryStoreError(
                f"a checkpoint cannot be read: {_line(error)}; it is damaged or was not "
                "written by this checkpointer; fork an earlier one or delete the thread"
            ) from error
        finally:
            _refused.reset(token)
        if refused:
            raise MemoryStoreError(
                f"a checkpoint names {', '.join(sorted(set(refused)))}, which may not be "
                "constructed; if your state holds it, allow it by with_state_types(checkpointer, "
                "State) or create_checkpointer(…, allowed_types=[…]); otherwise somebody wrote it "
                "there, and the thread is not to be trusted",
                details={"refused": sorted(set(refused))},
            )
        return value

    def _reviver(self, value: dict[str, Any]) -> Any:
        """Refuse constructors in the JSON of old checkpoints, too."""
        if value.get("lc") == 2 and value.get("type") == "constructor" and value.get("id"):
            try:
                self._check_allowed_json_modules(value)
            except InvalidModuleError:
                name = ".".join(map(str, value["id"]))
                _note({"kind": "msgpack_blocked", "module": "", "name": name})
                return None
        return super()._reviver(value)

    def opened(self, data: tuple[str, bytes]) -> tuple[str, bytes]:
        """Return serialized bytes as they are without encryption."""
        return data


class SealedSerializer(StrictSerializer):
    """The same, encrypted and authenticated by AES-GCM; what is not is refused.

    Args:
        key: 16, 24 or 32 random bytes.
        allowed_types: As of `StrictSerializer`.

    Raises:
        ConfigurationError: The key has another length, or `cryptography` is not installed.
    """

    def __init__(self, key: bytes, allowed_types: Sequence[type] = ()) -> None:
        super().__init__(allowed_types)
        self._cipher = _cipher(key)

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Serialize and encrypt."""
        kind, data = super().dumps_typed(obj)
        nonce = os.urandom(_NONCE)
        return kind + _SEAL, nonce + self._cipher.encrypt(nonce, bytes(data), kind.encode())

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Decrypt and deserialize."""
        return super().loads_typed(self.opened(data))

    def opened(self, data: tuple[str, bytes]) -> tuple[str, bytes]:
        """Decrypt.

        Raises:
            MemoryStoreError: It is not encrypted, by another key, or was changed.
        """
        kind, sealed = data
        if not isinstance(kind, str) or not kind.endswith(_SEAL):
            raise MemoryStoreError(
                f"a checkpoint is not encrypted (its type is {kind!r}), but this checkpointer "
                "reads only what is; open the file without a key to read it, or delete the thread"
            )
        plain = kind.removesuffix(_SEAL)
        try:
            return plain, self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], plain.encode())
        except Exception as error:  # InvalidTag, or whatever bytes that are none give
            raise MemoryStoreError(
                "a checkpoint cannot be decrypted: it was changed or encrypted with another key; "
                "open it with the key that wrote it, or delete the thread"
            ) from error


def _cipher(key: bytes) -> "AESGCM":
    if not isinstance(key, bytes) or len(key) not in {16, 24, 32}:
        has = f"{len(key)} bytes" if isinstance(key, bytes) else type(key).__name__
        raise ConfigurationError(
            f"the encryption key is {has}; give 16, 24 or 32 random bytes, as by os.urandom(32)"
        )
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise ConfigurationError(
            f"encrypted checkpoints need the package: pip install cryptography ({error})"
        ) from error
    return AESGCM(key)


def _note(event: SerdeEvent) -> None:
    refused = _refused.get()
    if refused is not None and event["kind"] in {"msgpack_blocked", "msgpack_method_blocked"}:
        parts = (event["module"], event["name"], event.get("method"))
        refused.append(".".join(str(part) for part in parts if part))


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@functools.cache
def _listen() -> None:
    """LangGraph reports what it refuses to construct, and puts the bare data in its place."""
    register_serde_event_listener(_note)
