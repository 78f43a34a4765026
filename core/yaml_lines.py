"""Lines in a YAML text: where stands what is at a path."""

from collections.abc import Iterator

import yaml

__all__ = ["entries", "key_name", "line_at"]


def line_at(node: yaml.Node, line: int, path: tuple[str | int, ...]) -> int:
    r"""Return the line of what stands at a path below a node, as near as it is known.

    Args:
        node: Where the path begins.
        line: Of the node.
        path: Keys and indexes; of a key that is given twice the last one counts.

    Examples:
        >>> root = yaml.compose("a:\n  - 1\n  - b: 2")
        >>> line_at(root, 1, ("a", 1, "b")), line_at(root, 1, ("a", 0, "c"))
        (3, 2)
    """
    for part in path:
        found = [entry for entry in entries(node) if entry[0] == str(part)]
        if not found:
            break
        _, line, node = found[-1]
    return line


def entries(node: yaml.Node) -> Iterator[tuple[str, int, yaml.Node]]:
    """Yield what stands directly below a node: its key or index, its line, the node."""
    if isinstance(node, yaml.MappingNode):
        for key, below in node.value:
            yield key_name(key), key.start_mark.line + 1, below
    elif isinstance(node, yaml.SequenceNode):
        for number, below in enumerate(node.value):
            yield str(number), below.start_mark.line + 1, below


def key_name(key: yaml.Node) -> str:
    """Return a key as messages name it."""
    return str(key.value) if isinstance(key, yaml.ScalarNode) else "a list or mapping as key"
