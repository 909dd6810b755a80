"""HTML as a tree: text can only ever be text, since nothing is pasted into markup.

The standard library's ElementTree holds the tree and escapes when it writes. What HTML has no way to hold is made visible first.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, tostring

from dolmino_cli.report.phrases import visible

Child = Element | str | None


def node(tag: str, *children: Child | Iterable[Child], **attributes: str | float | None) -> Element:
    """An element. `class_` is `class`, `aria_label` is `aria-label`; attributes and children that are None are left out."""
    element = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            element.set(name.rstrip("_").replace("_", "-"), visible(value) if isinstance(value, str) else number(value))
    for child in children:
        if isinstance(child, Element | str) or child is None:
            _append(element, child)
        else:
            for one in child:
                _append(element, one)
    return element


def foreign(text: str, tag: str = "bdi", **attributes: str | None) -> Element:
    """Text that is not ours (an id, a document): isolated, so that its writing direction ends with it."""
    return node(tag, text, dir="auto", **attributes)


def number(value: float) -> str:
    """A coordinate: at most three digits after the point, so that equal figures give equal bytes everywhere."""
    return f"{value:.3f}".rstrip("0").rstrip(".") or "0"


def page_bytes(root: Element) -> bytes:
    """The whole file, UTF-8."""
    return b"<!DOCTYPE html>\n" + tostring(root, encoding="unicode", method="html").encode() + b"\n"


def _append(element: Element, child: Child) -> None:
    if isinstance(child, Element):
        element.append(child)
    elif child is not None:
        text = child if element.tag == "style" else visible(child)
        if len(element):
            element[-1].tail = (element[-1].tail or "") + text
        else:
            element.text = (element.text or "") + text
