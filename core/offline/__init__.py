"""x."""

from cogwork.core.offline.model import OfflineChatModel

__all__ = ["OfflineChatModel"]
