"""`geocnn info`: what a file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from geocnn_gui.cli.console import print_json
from geocnn_gui.cli.options import domain_option, json_option, open_as
from geocnn_gui.data.statistics import describe

if TYPE_CHECKING:
    from geocnn_gui.data.source import Domain


@click.command()
@click.argument("file")
@domain_option("What a raster or 2-D array holds.  [default: imagery]")
@json_option
def info(file: str, domain: Domain | None, as_json: bool) -> None:
    """Say what FILE holds: kind, axes, bands, numbers, CRS, share of live cells."""
    with open_as(file, domain) as source:
        facts = describe(source)
    if as_json:
        print_json(facts)
        return
    for name, value in _lines(facts):
        click.echo(f"{name:<14}{value}")


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    lines = [
        ("Name", facts["name"]),
        ("Kind", f"{facts['kind']} ({facts['format']}, {facts['dtype']})"),
        ("Domain", facts["domain"]),
        ("Shape", " x ".join(f"{n:,}" for n in facts["shape"])),
    ]
    for axis in facts["axes"]:
        last = axis["first"] + (axis["size"] - 1) * axis["step"]
        text = f"{axis['first']:g} to {last:g} {axis['unit']}".rstrip()
        lines.append((f"  {axis['name']}", f"{text}, step {axis['step']:g}"))
    about = "" if facts["exact"] else "about "
    lines += [
        ("Bands", ", ".join(facts["bands"])),
        ("CRS", _crs_name(facts["crs"])),
        ("Live cells", f"{about}{facts['live_fraction']:.1%}"),
    ]
    return lines + [("Note", text) for text in facts.get("notes", [])]


def _crs_name(wkt: str | None) -> str:
    """Return the name, which WKT puts first in quotes."""
    if wkt is None:
        return "none"
    parts = wkt.split('"')
    return parts[1] if len(parts) > 2 else wkt
