"""A process that forks writers to a store, which say on its output what was acknowledged.

Each line `<folder> <seed>` on standard input forks one. It says `<pid>`, then `<number>
put|delete|flush <key> <version>` before an operation and `<number> done` after it; when
it has ended, the parent says `ended`. The value of version v of key k is
`{"text": "k v", "v": v, "pad": …}`.

Each line `<folder> <seed> consolidate` forks one that says `put`, `pass` or `undo` before
it remembers two texts that say the same, consolidates or undoes that, and `done <text>`
after it.
"""

import asyncio
import itertools
import os
import random
import sys

from letters import LetterEmbeddings

from cogwork.memory import SemanticMemory
from cogwork.memory.store import ChromaStore


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def write(folder, seed):
    random.seed(seed)
    say(os.getpid())
    store = ChromaStore(folder, embeddings=LetterEmbeddings(), fields=["text"])
    for number in itertools.count():
        key, version = f"k{random.randrange(8)}", f"{seed}.{number}"
        if seed % 10 == 0 and number == 20:
            say(number, "flush", key, version)
            store.flush()
        elif random.random() < 0.25:
            say(number, "delete", key, version)
            store.delete(("crash", key[-1]), key)
        else:
            say(number, "put", key, version)
            value = {"text": f"{key} {version}", "v": version, "pad": version * 200}
            store.put(("crash", key[-1]), key, value)
        say(number, "done")


async def consolidate(folder, seed):
    random.seed(seed)
    say(os.getpid())
    store = ChromaStore(folder, embeddings=LetterEmbeddings(), fields=["text"])
    keeping = SemanticMemory(store, ("crash",), near=2)  # leaves what is near to the pass
    merging = SemanticMemory(store, ("crash",), near=0.8)
    for number in itertools.count():
        for part in range(4):
            texts = [f"lamp {seed}.{number}.{part} hums{really}" for really in ("", " really")]
            for text in texts:
                say("put")
                await keeping.remember(text)
                say("done", text)
        say("pass")
        report = await merging.consolidate()
        say("done")
        if report.merged and random.random() < 0.4:
            say("undo")
            await merging.undo(report.id)
            say("done")


if __name__ == "__main__":
    for line in sys.stdin:
        place, number_of_writer, *consolidating = line.split()
        child = os.fork()
        if child == 0 and consolidating:
            asyncio.run(consolidate(place, int(number_of_writer)))
        elif child == 0:
            write(place, int(number_of_writer))
        os.waitpid(child, 0)
        say("ended")
