"""Makes the SVG that matplotlib writes part of a page: no styles of its own, colours by class, nothing but the drawing.

A strict content security policy forbids `style` attributes, and a page in light and dark has its colours in CSS. So a
figure is drawn in stand-ins, one for each role, and each becomes a class: `f-NAME` where it fills, `s-NAME` where it
draws a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {
    name: f"#{number:02x}{number:02x}{number:02x}"
    for number, name in enumerate(
        (
            "ink",
            "quiet",
            "grid",
            "champion",
            "candidate",
            "baseline",
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "bad",
        ),
        start=1,
    )
}
"""The colour to draw with for each role; none of them is ever seen."""

_NAMES = {colour: name for name, colour in COLOURS.items()}
_KEPT = {
    *("stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "stroke-opacity"),
    *("fill-opacity", "opacity", "text-anchor"),
}
_SETTINGS = {
    # Text stays text: it is found, read aloud and as small as it is. The salt makes the same figure the same file.
    "svg.fonttype": "none",
    "svg.hashsalt": "promptbench",
    "font.size": 10,
    "text.parse_math": False,
    "text.color": COLOURS["ink"],
    "axes.labelcolor": COLOURS["quiet"],
    "axes.edgecolor": COLOURS["grid"],
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "grid.color": COLOURS["grid"],
    "grid.linewidth": 0.8,
    "xtick.color": COLOURS["grid"],
    "ytick.color": COLOURS["grid"],
    "xtick.labelcolor": COLOURS["quiet"],
    "ytick.labelcolor": COLOURS["ink"],
    "legend.frameon": False,
}


def settings() -> dict[Any, Any]:
    """What matplotlib is to be set to while a figure is made and written."""
    return dict(_SETTINGS)


def svg_of(figure: Figure, name: str) -> str:
    """The figure as an `svg` element without ids but those that it refers to; they start with `name`."""
    buffer = StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    root = ElementTree.fromstring(buffer.getvalue())
    _strip(root)
    used = {match for element in root.iter() for value in element.attrib.values() for match in _references(value)}
    for element in root.iter():
        _plain(element, name, used)
    root.attrib = {"viewBox": root.attrib["viewBox"], "width": root.attrib["viewBox"].split()[2], "aria-hidden": "true"}
    return ElementTree.tostring(root, encoding="unicode")


def _references(value: str) -> Iterator[str]:
    """The ids that an attribute refers to, as `#id` or `url(#id)`."""
    yield from re.findall(r"(?:^|url\()#([^)]+)", value)


def _strip(parent: ElementTree.Element) -> None:
    """Takes out what is not drawn, and writes names without their namespace: HTML knows them."""
    parent.tag = parent.tag.rpartition("}")[2]
    parent.text = parent.tail = None if parent.tag != "text" else parent.text
    for child in list(parent):
        name = child.tag.rpartition("}")[2]
        if name in ("metadata", "style"):
            parent.remove(child)
            continue
        _strip(child)
        if name in ("g", "defs") and not len(child):
            parent.remove(child)


def _plain(element: ElementTree.Element, name: str, used: set[str]) -> None:
    given, element.attrib = element.attrib, {}
    classes = []
    for full, value in given.items():
        key = full.rpartition("}")[2]
        if key == "id":
            if value in used:
                element.set("id", f"{name}-{value}")
        elif key == "href":
            element.set("href", f"#{name}-{value[1:]}")
        elif key == "clip-path":
            element.set("clip-path", value.replace("url(#", f"url(#{name}-"))
        elif key == "d":
            element.set("d", " ".join(value.split()))
        elif key == "transform" and value.startswith("rotate(-0 "):
            continue
        elif key == "style":
            for declaration in value.split(";"):
                word, _, said = (part.strip() for part in declaration.partition(":"))
                if word in ("fill", "stroke") and said in _NAMES:
                    classes.append(f"{word[0]}-{_NAMES[said]}")
                elif word in _KEPT or (word in ("fill", "stroke") and said == "none"):
                    element.set(word, said)
                elif word in ("font", "font-size") and (size := re.search(r"([\d.]+)px", said)):
                    element.set("font-size", size[1])
        else:
            element.set(key, value)
    if classes:
        element.set("class", " ".join(classes))
