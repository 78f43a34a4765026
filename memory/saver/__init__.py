"""What the SQLite and PostgreSQL checkpointers are made of.

`commits` gathers the writes of event loops; `file` is one SQLite file, `rows` its tables, `reading`
how checkpoints come out of them, `fresh` what need not be read and
`migration` how a file of LangGraph's `SqliteSaver` becomes one; `history` reads and shares what
`DeltaChannel`s wrote; `pruning` deletes and copies.
"""
