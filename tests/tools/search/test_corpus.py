import asyncio
import os

import pytest
from langchain_core.embeddings import Embeddings
from paper import pdf

from cogwork.core.errors import ConfigurationError
from cogwork.tools.search.corpus import Corpus


class Counting(Embeddings):
    """Embeds by three letters and counts the texts."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self.texts += texts
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return [1.0 + text.count(letter) for letter in "abc"]


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "corpus"
    (root / "deep").mkdir(parents=True)
    (root / "tea.md").write_text("# Tea\n\nPour hot water over green tea leaves.\n")
    (root / "deep" / "money.txt").write_text("Invoices are paid within 30 days.\nACME-77 is late.")
    (root / "page.html").write_text("<h1>Whales</h1>\n<p>The blue whale eats krill.</p>")
    (root / "paper.pdf").write_bytes(pdf("Nothing here.", "The scheduler balances latency."))
    return root


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("how do I brew a hot drink", "tea.md#L3"),
        ("ACME-77", "deep/money.txt#L1"),
        ("what do whales eat", "page.html#L2"),
        ("operating system scheduler latency", "paper.pdf#page=2"),
    ],
)
async def test_passages_are_found_by_meaning_and_by_words_and_cited(folder, query, where):
    hits = await Corpus(folder)(query, 3)
    assert hits[0].url == where
    assert hits[0].source == "corpus"
    assert 0.15 <= hits[0].score <= 1


async def test_what_is_not_there_is_not_found(folder):
    assert await Corpus(folder)("football league results", 5) == []
    assert await Corpus(folder)("  ", 5) == []


async def test_an_empty_folder_has_no_hits(tmp_path):
    (tmp_path / "empty").mkdir()
    assert await Corpus(tmp_path / "empty")("tea", 5) == []


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="is no folder"):
        Corpus(tmp_path / "absent")


async def test_only_what_changed_is_read_again(folder):
    counting = Counting()
    corpus = Corpus(folder, embeddings=counting)
    await corpus("tea", 3)
    first = len(counting.texts)
    await corpus("tea", 3)
    assert len(counting.texts) == first

    (folder / "tea.md").write_text("# Tea\n\nCoffee instead.\n")
    (folder / "new.txt").write_text("More of it.")
    (folder / "page.html").unlink()
    await corpus("tea", 3)
    assert sorted(counting.texts[first:]) == ["Tea\nCoffee instead.", "new.txt\nMore of it."]


async def test_changes_are_found_and_what_is_gone_is_not(folder):
    corpus = Corpus(folder)
    assert (await corpus("krill", 3))[0].url == "page.html#L2"
    (folder / "page.html").unlink()
    (folder / "tea.md").write_text("\n\n\nKrill is no tea.")
    found = [hit.url for hit in await corpus("krill", 3)]
    assert found[0] == "tea.md#L4"
    assert "page.html#L2" not in found


async def test_a_change_of_the_same_size_and_time_is_noticed(folder):
    corpus, path = Corpus(folder), folder / "tea.md"
    path.write_text("alpha beta")
    before = path.stat()
    await corpus("alpha", 1)
    path.write_text("gamma beta")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (await corpus("gamma", 1))[0].snippet == "gamma beta"


async def test_hidden_linked_closed_and_binary_files_are_left_out(folder, tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_text("secret krill")
    (folder / "link.txt").symlink_to(outside)
    (folder / "deep" / "up").symlink_to(tmp_path, target_is_directory=True)
    (folder / ".hidden.txt").write_text("secret krill")
    (folder / ".git").mkdir()
    (folder / ".git" / "a.txt").write_text("secret krill")
    (folder / "code.py").write_text("secret krill")
    (folder / "binary.txt").write_bytes(b"secret krill \x00")
    os.mkfifo(folder / "pipe.txt")
    corpus = Corpus(folder)
    assert [hit.url for hit in await corpus("secret krill", 9)] == ["page.html#L2"]
    assert corpus.left_out == {"binary.txt": "'binary.txt' is binary"}


async def test_what_is_too_large_or_too_much_is_left_out_and_said(folder):
    (folder / "large.txt").write_text("krill " * 1_000)
    (folder / "zlast.txt").write_text("krill\n")
    corpus = Corpus(folder, max_bytes=2_000, max_files=5)
    found = {hit.url for hit in await corpus("ACME-77 krill", 9)}
    assert found == {"page.html#L2", "zlast.txt#L1"}
    assert "large" in corpus.left_out["large.txt"]
    assert corpus.left_out["…"] == "there are more than 5 files"
    (folder / "large.txt").unlink()
    assert (await corpus("ACME-77", 1))[0].url == "deep/money.txt#L1"
    assert corpus.left_out == {}

    few = Corpus(folder, max_passages=1)
    await few("krill", 9)
    assert "does not fit into 1 passages" in few.left_out["zlast.txt"]


async def test_many_searches_at_once_agree(folder):
    corpus = Corpus(folder)
    found = await asyncio.gather(*(corpus("krill", 1) for _ in range(20)))
    assert {hit.url for (hit,) in found} == {"page.html#L2"}
