"""The rule-based offline model: the floor on which everything runs without key or network.

It refuses rather than drop a part of a question: what asks for something has to be used up
by the rules, word by word, and the words that are left over are named in the refusal.

1. `model` is the LangChain chat model; `conversation` and `sections` read the messages.
2. `goals` splits what is asked into steps; `replay` goes through them and `reply` says what
   comes next. Ways of doing a step yield the tool calls they need and are sent the results.
3. A sum: `spelling` and `arithmetic` turn words into an expression, `calculating` has it done.
4. A tool: `toolbox`, `matching` and `supply` find it and its arguments, `using` calls it.
5. A table: `question` makes a skeleton, `conditions` and `limits` take the rows out of it,
   `queries` what is asked, `readings` and `figures` answer; `asking` and `consulting` lead.
6. A text: `documents` and `answers` quote the sentences that have every word of the question.
7. `writing` writes, `recalling` looks back, `desk` holds what the steps came to.
8. A schema: `forced`, `structured`, `source`, `fields`, `listing` and `judgements` fill it.
"""

from cogwork.core.offline.model import OfflineChatModel

__all__ = ["OfflineChatModel"]
