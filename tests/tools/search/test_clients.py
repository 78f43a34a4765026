"""Each client against a server that answers as the service's documentation says."""

import json

import pytest
from web_server import WebServer, exchange_with, redirect, reply

from cogwork.core.errors import ConfigurationError, ToolError
from cogwork.core.retry import is_transient, retry_after
from cogwork.tools.http.body import StatusError
from cogwork.tools.search.arxiv import make_arxiv, parse_xml
from cogwork.tools.search.hit import Hit, scored
from cogwork.tools.search.semantic_scholar import make_semantic_scholar
from cogwork.tools.search.serper import make_serper
from cogwork.tools.search.tavily import make_tavily
from cogwork.tools.search.wikipedia import make_wikipedia

KEY = "planted-key-of-the-service"
QUERY = "green tea"

SERPER = {
    "searchParameters": {"q": QUERY, "type": "search", "num": 5, "engine": "google"},
    "knowledgeGraph": {"title": "Green tea", "type": "Drink"},
    "organic": [
        {
            "title": "Stock prices today",
            "link": "https://a.example/stocks",
            "snippet": "Shares fell on Monday.",
            "position": 1,
        },
        {
            "title": "How to brew green tea",
            "link": "https://b.example/tea",
            "snippet": "Pour hot water\nover green tea leaves.",
            "date": "Mar 3, 2025",
            "position": 2,
        },
    ],
    "relatedSearches": [{"query": "black tea"}],
    "credits": 1,
}
TAVILY = {
    "query": QUERY,
    "follow_up_questions": None,
    "answer": None,
    "images": [],
    "results": [
        {"title": "Low", "url": "https://a.example", "content": "x", "score": 0.2},
        {
            "title": "Green tea",
            "url": "https://b.example/tea",
            "content": "Green tea is made of leaves.",
            "score": 0.97,
            "raw_content": None,
            "published_date": "2025-03-03",
        },
        {"title": "Odd", "url": "https://c.example", "content": "y", "score": "high"},
    ],
    "response_time": 0.9,
}
ARXIV = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <title type="html">ArXiv Query: search_query=all:green</title>
  <opensearch:totalResults xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">2</opensearch:totalResults>
  <entry>
    <id>http://arxiv.org/abs/hep-ex/0307015v1</id>
    <published>2003-07-07T13:46:39-04:00</published>
    <title>Multi-Electron Production at High
 Transverse Momenta</title>
    <summary>  Electrons are produced.  </summary>
    <author><name>H1 Collaboration</name></author>
  </entry>
  <entry>
    <id>http://arxiv.org/abs/2401.00001v2</id>
    <published>2024-01-01T00:00:00Z</published>
    <title>Green tea &amp; health</title>
    <summary>Drinking green tea
      and its effects.</summary>
    <link title="pdf" href="http://arxiv.org/pdf/2401.00001v2" rel="related" type="application/pdf"/>
  </entry>
</feed>"""
SCHOLAR = {
    "total": 2,
    "offset": 0,
    "data": [
        {"paperId": "1", "title": "Quantum gravity", "url": "https://s.example/1", "year": 2001},
        {
            "paperId": "2",
            "title": "Catechins of green tea",
            "url": "https://s.example/2",
            "abstract": None,
            "tldr": {"model": "m", "text": "Green tea holds catechins."},
            "venue": "Food",
            "year": 2020,
            "publicationDate": "2020-05-06",
        },
    ],
}
WIKIPEDIA = {
    "batchcomplete": True,
    "query": {
        "pages": [
            {"pageid": 1, "ns": 0, "title": "Stock market", "index": 2, "extract": "Shares."}
            | {"fullurl": "https://en.wikipedia.org/wiki/Stock_market"},
            {
                "pageid": 2,
                "ns": 0,
                "title": "Green tea",
                "index": 1,
                "extract": "Green tea is\na tea.",
            }
            | {"fullurl": "https://en.wikipedia.org/wiki/Green_tea"},
        ]
    },
}


def as_json(told: object) -> bytes:
    return reply(json.dumps(told), content_type="application/json; charset=utf-8")


SERVICES = {
    "serper": (make_serper, "google.serper.dev", "/search", as_json(SERPER)),
    "tavily": (make_tavily, "api.tavily.com", "/search", as_json(TAVILY)),
    "arxiv": (make_arxiv, "export.arxiv.org", "/api/query", reply(ARXIV)),
    "semantic_scholar": (
        make_semantic_scholar,
        "api.semanticscholar.org",
        "/graph/v1/paper/search",
        as_json(SCHOLAR),
    ),
    "wikipedia": (make_wikipedia, "en.wikipedia.org", "/w/api.php", as_json(WIKIPEDIA)),
}
EXPECTED = {
    "serper": ("How to brew green tea", "https://b.example/tea", "Mar 3, 2025"),
    "tavily": ("Green tea", "https://b.example/tea", "2025-03-03"),
    "arxiv": ("Green tea & health", "https://arxiv.org/abs/2401.00001v2", "2024-01-01T00:00:00Z"),
    "semantic_scholar": ("Catechins of green tea", "https://s.example/2", "2020-05-06"),
    "wikipedia": ("Green tea", "https://en.wikipedia.org/wiki/Green_tea", None),
}


@pytest.fixture
async def server(monkeypatch):
    monkeypatch.setenv("SERPER_API_KEY", KEY)
    monkeypatch.setenv("TAVILY_API_KEY", KEY)
    async with WebServer() as running:
        yield running


def client(name: str, server: WebServer, answer: bytes | None = None):
    make, host, path, usual = SERVICES[name]
    server.routes[path] = usual if answer is None else answer
    return make(exchange=exchange_with(server, hosts=[host]), url=server.url(path, host))


@pytest.mark.parametrize("name", SERVICES)
async def test_the_most_relevant_hit_comes_first_with_what_is_known_of_it(server, name):
    hits = await client(name, server)(QUERY, 5)
    best = hits[0]
    assert (best.title, best.url, best.published) == EXPECTED[name]
    assert best.source == name
    assert "reen tea" in best.snippet
    assert "\n" not in best.snippet
    assert len(hits) >= 2
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(0 <= hit.score <= 1 for hit in hits)
    assert best.score > 2 * hits[-1].score


@pytest.mark.parametrize("name", SERVICES)
async def test_no_more_hits_come_than_were_asked_for(server, name):
    assert len(await client(name, server)(QUERY, 1)) == 1


async def test_each_service_is_asked_as_it_wants(server):
    for name in SERVICES:
        await client(name, server)("tea: green", 7)
    serper, tavily, arxiv, scholar, wikipedia = server.asked
    assert (serper.method, serper.headers["x-api-key"]) == ("POST", KEY)
    assert json.loads(serper.body) == {"q": "tea: green", "num": 7}
    assert (tavily.method, tavily.headers["authorization"]) == ("POST", f"Bearer {KEY}")
    assert json.loads(tavily.body)["max_results"] == 7
    assert "search_query=all%3Atea+AND+all%3Agreen&max_results=7" in arxiv.path
    assert "query=tea%3A+green&limit=7&fields=title" in scholar.path
    assert "generator=search&gsrsearch=tea%3A+green&gsrlimit=7" in wikipedia.path
    assert "cogwork" in wikipedia.headers["user-agent"]


async def test_a_key_of_semantic_scholar_is_optional(server, monkeypatch):
    await client("semantic_scholar", server)(QUERY, 2)
    monkeypatch.setenv("SEMANTIC_SCHOLAR_API_KEY", KEY)
    await client("semantic_scholar", server)(QUERY, 2)
    assert [asked.headers.get("x-api-key") for asked in server.asked] == [None, KEY]


@pytest.mark.parametrize(
    ("make", "variable"), [(make_serper, "SERPER_API_KEY"), (make_tavily, "TAVILY_API_KEY")]
)
def test_a_missing_key_says_what_to_set(make, variable, monkeypatch):
    monkeypatch.setenv(variable, " ")
    with pytest.raises(ConfigurationError, match=f"set {variable}"):
        make()


NOTHING = {
    "serper": as_json({"searchParameters": {}, "organic": []}),
    "tavily": as_json({"results": []}),
    "arxiv": reply('<feed xmlns="http://www.w3.org/2005/Atom"></feed>'),
    "semantic_scholar": as_json({"total": 0, "offset": 0}),
    "wikipedia": as_json({"batchcomplete": True}),
}


@pytest.mark.parametrize("name", SERVICES)
async def test_nothing_found_is_an_empty_list(server, name):
    assert await client(name, server, NOTHING[name])(QUERY, 5) == []


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize(
    "answer",
    [as_json([]), as_json({"organic": 1, "results": 1, "data": 1, "query": 1}), reply("<p>Oops")],
    ids=["a list", "numbers", "no end"],
)
async def test_an_answer_of_another_form_is_an_error_that_names_the_service(server, name, answer):
    with pytest.raises(ToolError):
        await client(name, server, answer)(QUERY, 5)


@pytest.mark.parametrize("name", SERVICES)
async def test_odd_rows_do_no_harm(server, name):
    rows = [
        None,
        1,
        "x",
        [],
        {},
        {"title": {"a": 1}, "link": 3, "url": None, "score": float("nan")},
    ]
    odd = {"organic": rows, "results": rows, "data": rows, "query": {"pages": rows}}
    answer = reply("<feed><entry/></feed>") if name == "arxiv" else as_json(odd)
    hits = await client(name, server, answer)(QUERY, 5)
    assert all(isinstance(hit.title, str) and 0 <= hit.score <= 1 for hit in hits)


@pytest.mark.parametrize("name", SERVICES)
async def test_a_refusal_says_why_and_when_to_try_again_but_never_the_key(server, name):
    said = f'{{"message": "quota of {KEY} exceeded"}}'
    with pytest.raises(StatusError, match="answers 429") as raised:
        await client(name, server, reply(said, status=429, retry_after="3"))(QUERY, 5)
    assert is_transient(raised.value)
    assert retry_after(raised.value) == 3
    if name in {"serper", "tavily"}:
        assert KEY not in str(raised.value)
        assert "quota of ***" in str(raised.value)


@pytest.mark.parametrize("name", ["serper", "tavily"])
async def test_an_answer_that_breaks_off_may_be_asked_for_again(server, name):
    with pytest.raises(ToolError) as raised:
        await client(name, server, b"HTTP/1.1 200 OK\r\n")(QUERY, 5)
    assert raised.value.transient


async def test_a_service_cannot_lead_elsewhere(server):
    async with WebServer() as other:
        with pytest.raises(ToolError):
            await client("tavily", server, redirect(f"http://127.0.0.1:{other.port}/"))(QUERY, 5)
        assert other.connections == 0


async def test_arxiv_s_errors_are_errors(server):
    feed = ARXIV.replace("abs/hep-ex/0307015v1", "api/errors#incorrect_id_format_for_1234")
    feed = feed.replace("Electrons are produced.", "incorrect id format for 1234")
    with pytest.raises(ToolError, match="arXiv refuses the query: incorrect id format"):
        await client("arxiv", server, reply(feed))(QUERY, 5)


async def test_a_query_without_words_asks_arxiv_nothing(server):
    assert await client("arxiv", server)("?!", 5) == []
    assert server.connections == 0


async def test_wikipedia_s_errors_are_errors(server):
    refused = as_json({"error": {"code": "badvalue", "info": "Unrecognized value."}})
    with pytest.raises(ToolError, match="Wikipedia refuses the query: Unrecognized value"):
        await client("wikipedia", server, refused)(QUERY, 5)


def test_a_language_is_a_code():
    with pytest.raises(ConfigurationError, match=r"the language is 'evil.com/'"):
        make_wikipedia("evil.com/")


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    "source",
    [
        LAUGHS,
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><x/>',
        "<x>&a;</x>",
        "<x>" * 60 + "</x>" * 60,
        "<x>" * 100_000,
        "<x",
        "",
        '<?xml version="1.0" encoding="nonsense"?><x/>',
    ],
    ids=lambda source: source[:30],
)
def test_xml_that_expands_or_reads_files_is_refused(source):
    with pytest.raises(ToolError, match="the XML"):
        parse_xml(source.encode())


async def test_likeness_is_measured_by_any_embeddings():
    from langchain_core.embeddings import DeterministicFakeEmbedding

    hits = [Hit(title, "u", "", 0.0, "s") for title in ("a", "b")]
    found = await scored("b\n", hits, DeterministicFakeEmbedding(size=8))
    assert found[0].title == "b"
    assert found[0].score == pytest.approx(1)
    assert await scored("b", []) == []
