"""The store: LangGraph's `BaseStore` on SQLite or PostgreSQL, and Chroma."""

from cogwork.memory.store.store import ChromaStore, StoreStats

__all__ = ["ChromaStore", "StoreStats"]
