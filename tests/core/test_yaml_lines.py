"""Lines in YAML: what stands at a path, also where only its beginning is there."""

import pytest
import yaml

from cogwork.core.yaml_lines import entries, line_at

TEXT = """\
first: 1
steps:
  - name: a
    do: x

  - name: b
? [x, y]
: pair
first: 2
"""
ROOT = yaml.compose(TEXT)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("steps",), 2),
        (("steps", 0), 3),
        (("steps", "0", "do"), 4),
        (("steps", 1, "name"), 6),
        (("steps", 1, "absent", "deeper"), 6),
        (("absent",), 1),
        (("first",), 9),
    ],
)
def test_path_leads_to_its_line_or_to_the_nearest_one(path, line):
    assert line_at(ROOT, 1, path) == line


def test_every_entry_has_a_name():
    named = [name for name, _, _ in entries(ROOT)]
    assert named == ["first", "steps", "a list or mapping as key", "first"]
    assert list(entries(yaml.compose("text"))) == []
