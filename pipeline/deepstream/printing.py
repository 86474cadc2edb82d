"""Shows a graph to people: as text with reasons, as Graphviz, as a gst-launch-1.0 line. Passwords are left out."""

from __future__ import annotations

import shlex

from pipeline.deepstream.graph import MUX, Element, Graph, Setting

FORMS = ("text", "dot", "gst-launch")


def shown(graph: Graph, form: str) -> str:
    """The graph in one of `FORMS`."""
    return {"text": _text, "dot": _dot, "gst-launch": _launch}[form](graph)


def _text(graph: Graph) -> str:
    lines = []
    for element in graph.elements:
        lines.append(f"{element.name}: {element.kind}")
        for setting in element.settings:
            where = " (where the element has it)" if setting.optional else ""
            lines.append(f"    {setting.name} = {_value(element, setting)}  # {setting.why}{where}")
        for link in graph.links:
            if link.source == element.name:
                pads = f" [{link.source_pad} -> {link.target_pad}]" if link.source_pad else ""
                lines.append(f"    -> {link.target}{pads}")
    return "\n".join(lines)


def _dot(graph: Graph) -> str:
    lines = ["digraph deepstream {", "  rankdir=LR; node [shape=box, fontname=monospace, fontsize=10];"]
    for element in graph.elements:
        own = "".join(f"{_escape(f'{one.name}={_value(element, one)}')}\\l" for one in element.settings)
        lines.append(f'  "{element.name}" [label="{element.kind}\\n{element.name}\\n\\n{own}"];')
    for link in graph.links:
        label = f' [label="{link.target_pad}"]' if link.target_pad else ""
        lines.append(f'  "{link.source}" -> "{link.target}"{label};')
    return "\n".join([*lines, "}"])


def _launch(graph: Graph) -> str:
    """Cameras first: each ends at the muxer's pad, and the rest begins at the muxer."""
    sources = {link.source: link for link in graph.links if link.target == MUX}
    parts = [
        f"{_call(element)} ! {MUX}.{sources[element.name].target_pad}"
        for element in graph.elements
        if element.name in sources
    ]
    before = {link.target: link.source for link in graph.links}
    last = None
    for element in (one for one in graph.elements if one.name not in sources):
        if last is None:
            parts.append(_call(element))
        elif before[element.name] == last:
            parts[-1] += f" ! {_call(element)}"
        else:  # a branch
            parts.append(f"{before[element.name]}. ! {_call(element)}")
        last = element.name
    new = "USE_NEW_NVSTREAMMUX=yes " if graph.new_mux else ""
    return " \\\n  ".join([f"{new}gst-launch-1.0 -e", *parts])


def _call(element: Element) -> str:
    """An element of the line; what not every version has is left out."""
    own = [f"{one.name}={shlex.quote(_value(element, one))}" for one in element.settings if not one.optional]
    return " ".join([element.kind, f"name={element.name}", *own])


def _value(element: Element, setting: Setting) -> str:
    if setting.secret:
        return element.shown
    return str(setting.value).lower() if isinstance(setting.value, bool) else str(setting.value)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
