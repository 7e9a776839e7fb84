"""XML from strangers: no document type, so no entities; size, depth and count are bounded."""

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

LARGEST_BYTES = 512 * 1024
MOST_ELEMENTS, DEEPEST = 20_000, 40
LONGEST_TEXT = 2048


class Unreadable(ValueError):
    """It is not XML, or XML that nobody in good faith would send."""


def parse(data: bytes) -> Element:
    """The root element; names are "{namespace}name". Raises Unreadable."""
    if len(data) > LARGEST_BYTES:
        raise Unreadable("longer than any answer")
    builder = TreeBuilder()
    depth = count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > DEEPEST or count > MOST_ELEMENTS:
            raise Unreadable("more elements than any answer has")
        builder.start(_named(name), {_named(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_named(name))

    def refuse(*_: object) -> None:
        raise Unreadable("a document type")

    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    # Without a document type there are no entities but XML's own five.
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # LookupError: an encoding nobody knows
        raise error if isinstance(error, Unreadable) else Unreadable("not XML") from None
    root: Element = builder.close()
    return root


def text(element: Element | None, path: str = ".") -> str:
    """The text at a path in one line, without anything that drives a terminal; empty where there is none."""
    found = None if element is None else element.find(path)
    raw = "" if found is None else (found.text or "")
    return plain(raw)


def plain(raw: str) -> str:
    """One line of printable characters, of bounded length."""
    line = " ".join(raw[: 4 * LONGEST_TEXT].split())
    return "".join(letter for letter in line if letter.isprintable())[:LONGEST_TEXT]


def _named(name: str) -> str:
    return f"{{{name}" if "}" in name else name
