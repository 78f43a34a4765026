import pytest

from cogwork.core.errors import ConfigurationError, ToolError, UnknownNameError
from cogwork.core.settings import load_settings
from cogwork.tools.base import spec_of
from cogwork.tools.registry import load_tools
from cogwork.tools.search.hit import Hit
from cogwork.tools.search.tool import configured_sources, make_search


def hit(url: str, score: float, source: str = "mine", published: str | None = None) -> Hit:
    return Hit(f"Title of {url}", url, f"About {url}.", score, source, published)


def source(*hits: Hit):
    async def mine(query: str, k: int) -> list[Hit]:
        return list(hits)

    return mine


def failing(error: Exception):
    async def broken(query: str, k: int) -> list[Hit]:
        raise error

    return broken


async def test_a_source_of_one_s_own_is_shown_with_its_citation():
    tool = make_search(source(hit("https://a.example", 0.834, published="2025")))
    assert await tool.ainvoke({"query": "x"}) == (
        "[1] Title of https://a.example\n"
        "https://a.example (mine, 2025; relevance 0.83)\n"
        "About https://a.example."
    )


async def test_the_hits_of_all_sources_are_merged_by_score_each_once():
    one = source(hit("u1", 0.9), hit("u2", 0.3))
    other = source(hit("u2", 0.7, "other"), hit("u3", 0.5))
    told = await make_search(one, other).ainvoke({"query": "x", "k": 2})
    assert "[1] Title of u1" in told
    assert "[2] Title of u2\nu2 (other; relevance 0.70)" in told
    assert "u3" not in told


async def test_one_source_that_fails_is_said_and_the_others_answer():
    told = await make_search(
        failing(ToolError("quota used up, api_key=abcdefgh")), source(hit("u1", 0.9))
    ).ainvoke({"query": "x"})
    assert "[1] Title of u1" in told
    assert told.endswith("not asked: quota used up, api_key=***")


async def test_when_all_sources_fail_so_does_the_search():
    one, other = ToolError("first"), ToolError("second", transient=True)
    with pytest.raises(ToolError, match="first; second") as raised:
        await make_search(failing(one), failing(other)).ainvoke({"query": "x"})
    assert raised.value.transient
    with pytest.raises(ToolError, match=r"^first$"):
        await make_search(failing(one)).ainvoke({"query": "x"})


async def test_a_bug_in_a_source_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        await make_search(failing(ZeroDivisionError()), source()).ainvoke({"query": "x"})


async def test_nothing_found_is_said():
    assert await make_search(source()).ainvoke({"query": "x"}) == "Nothing was found."


@pytest.mark.parametrize("query", ["", "  \n", "x" * 1_001])
async def test_an_empty_or_endless_query_is_refused(query):
    with pytest.raises(ToolError, match="send between 1 and 1,000"):
        await make_search(source()).ainvoke({"query": query})


async def test_the_number_of_hits_is_bounded():
    asked = []

    async def noting(query: str, k: int) -> list[Hit]:
        asked.append(k)
        return []

    for k in (-1, 0, 3, 1_000):
        await make_search(noting).ainvoke({"query": "x", "k": k})
    assert asked == [1, 1, 3, 20]


async def test_a_corpus_is_searched_offline_and_says_what_it_left_out(tmp_path):
    (tmp_path / "tea.md").write_text("# Tea\n\nGreen tea is made of leaves.")
    (tmp_path / "bad.pdf").write_bytes(b"no pdf")
    tool = make_search(corpus=tmp_path)
    told = await tool.ainvoke({"query": "green tea"})
    assert "[1] Tea\ntea.md#L3 (corpus; relevance" in told
    assert "not searched: bad.pdf: 'bad.pdf' cannot be read as a PDF" in told
    assert not spec_of(tool).network
    assert spec_of(make_search(source())).network


def test_what_is_searched_is_told_to_the_model(tmp_path):
    tool = make_search("wikipedia", "arxiv", source(), corpus=tmp_path, name="look_up")
    assert tool.name == "look_up"
    assert "Wikipedia, preprints on arXiv, mine, the local documents" in tool.description
    assert spec_of(tool).effect == "read"


def test_unknown_and_missing_sources_are_refused(monkeypatch):
    monkeypatch.delenv("TAVILY_API_KEY", raising=False)
    with pytest.raises(UnknownNameError, match="did you mean 'wikipedia'"):
        make_search("wikipidia")
    with pytest.raises(ConfigurationError, match="given no source"):
        make_search()
    with pytest.raises(ConfigurationError, match="is no source"):
        make_search(3)
    with pytest.raises(ConfigurationError, match="set TAVILY_API_KEY"):
        make_search("tavily")


def test_the_sources_with_keys_are_the_configured_ones(monkeypatch):
    for name in ("TAVILY_API_KEY", "SERPER_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert configured_sources() == ["wikipedia"]
    monkeypatch.setenv("SERPER_API_KEY", "k")
    assert configured_sources() == ["serper"]
    make_search(*configured_sources())


def test_keys_come_from_the_settings_that_are_given(tmp_path):
    settings = load_settings(tavily_api_key="t")
    assert configured_sources(settings) == ["tavily"]
    [tool] = load_tools("web_search", root=tmp_path, settings=settings)
    assert tool.description.startswith("Search the web.")
    assert make_search("tavily", settings=settings).name == "search"
    with pytest.raises(ConfigurationError, match=r"Serper needs a key; .*serper_api_key"):
        make_search("serper", settings=settings)
    [tool] = load_tools("web_search", root=tmp_path, settings=load_settings())
    assert tool.description.startswith("Search Wikipedia.")
