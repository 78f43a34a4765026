"""Read-only SQL for agents: writes are refused by the database itself."""

from cogwork.tools.database.tool import database_tools, make_describe_database, make_query_database

__all__ = ["database_tools", "make_describe_database", "make_query_database"]
