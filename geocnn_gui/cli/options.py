"""Options that need more than a type: settings, sections, files to write."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click
from pydantic import ValidationError

from geocnn_gui.data.source import Section, open_source
from geocnn_gui.models.layers.files import layers_from
from geocnn_gui.models.layers.spec import LayersSpec
from geocnn_gui.models.spec import Spec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from geocnn_gui.data.source import Domain, Source

S = TypeVar("S", bound=Spec)
#: The backbone that comes with the program, for the kind of data.
BUNDLED = "bundled"
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_SECTIONS = re.compile(rf"^([a-z]+):{_NUMBER}(?:-{_NUMBER})?(?::{_NUMBER})?$")


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --json to a command."""
    return click.option(
        "--json", "as_json", is_flag=True, help="One JSON object on standard output."
    )(command)


def device_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --device to a command."""
    return click.option(
        "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto",
        show_default=True, help="Where the network runs; auto takes a GPU that works.",
    )(command)  # fmt: skip


def labels_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --labels to a command on one SOURCE."""
    return click.option(
        "--labels", required=True, metavar="LABELS",
        help="Labels on the grid of SOURCE (raster, PNG, SEG-Y or .npy; 0 is unlabelled).",
    )(command)  # fmt: skip


def backbone_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --backbone to a command on one SOURCE."""
    return click.option(
        "--backbone", default=BUNDLED, show_default=True,
        metavar="FILE|bundled|seismic|imagery|none",
        help="What looks at the data: a file that learn has written, one that comes with the "
        "program (by default that for the kind of SOURCE), or fresh weights.",
    )(command)  # fmt: skip


def domain_option(help_text: str) -> Callable[..., Any]:
    """Add --domain to a command."""
    return click.option("--domain", type=click.Choice(["seismic", "imagery"]), help=help_text)


def open_as(file: str, domain: Domain | None) -> Source:
    """Open a file, as `domain` where its reader leaves the choice; raises `UnreadableFile`."""
    source = open_source(file)
    if domain is None or source.choices.get("domain", domain) == domain:
        return source
    source.close()
    return open_source(file, domain=domain)


def parse_settings(settings: Sequence[str]) -> dict[str, dict[str, str]]:
    """Sort "training.epochs=20" into {"training": {"epochs": "20"}, "model": {}}.

    Raises
    ------
    click.BadParameter
        When a setting is not of that form.
    """
    found: dict[str, dict[str, str]] = {"training": {}, "model": {}}
    for setting in settings:
        name, equals, value = setting.partition("=")
        group, dot, key = name.strip().partition(".")
        if not (equals and dot and key) or group not in found:
            raise click.BadParameter(
                f"{setting!r} is not of the form training.KEY=VALUE or model.KEY=VALUE.",
                param_hint="--set",
            )
        found[group][key.strip()] = value.strip()
    return found


def make_spec(kind: type[S], group: str, values: dict[str, Any]) -> S:
    """Return the spec with `values`, given as text.

    Raises
    ------
    click.BadParameter
        For an unknown key, with the nearest known one, or a value out of range, with the range.
    """
    fields = settable(kind)
    for key in values:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, 1)
            hint = f"did you mean {group}.{near[0]}?" if near else f"known: {', '.join(fields)}."
            raise click.BadParameter(f"{group}.{key} is unknown; {hint}", param_hint="--set")
    begin: dict[str, Any] = {}
    if issubclass(kind, LayersSpec) and "layers" in values:
        values = dict(values)
        begin = layers_from(values.pop("layers")).model_dump()
    try:
        return kind(**{**begin, **_nested(values)})
    except ValidationError as error:
        raise click.BadParameter(
            _complaint(error, group, fields, values), param_hint="--set"
        ) from error


def _complaint(
    error: ValidationError, group: str, fields: dict[str, str], values: dict[str, Any]
) -> str:
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    if not where:  # values that do not go together
        return f"{group}: {first['msg'].removeprefix('Value error, ')}."
    key = ".".join(where[:2]) if ".".join(where[:2]) in fields else where[0]
    return f"{group}.{key} must be {fields[key]}, not {values[key]!r}."


def settable(kind: type[Spec]) -> dict[str, str]:
    """Return what the fields of a spec accept, in words: {"epochs": "a whole number 1 to 1000"}.

    Those of a spec within it are named with a dot: "split.share".
    """
    properties = kind.model_json_schema()["properties"]
    shown = {k: p for k, p in properties.items() if not p.get("hidden") or "accepts" in p}
    found = {key: _allowed(p) for key, p in shown.items()}
    for key, within in _specs_in(kind).items():
        found.update({f"{key}.{name}": text for name, text in settable(within).items()})
    return found


def _specs_in(kind: type[Spec]) -> dict[str, type[Spec]]:
    fields = {key: field.annotation for key, field in kind.model_fields.items()}
    return {k: a for k, a in fields.items() if isinstance(a, type) and issubclass(a, Spec)}


def default_of(kind: type[Spec], key: str) -> Any:
    """Return the default of a field, or of "split.share" within it."""
    name, _, rest = key.partition(".")
    field = kind.model_fields[name]
    if isinstance(field.json_schema_extra, dict) and "stands" in field.json_schema_extra:
        return field.json_schema_extra["stands"]
    default = field.get_default()
    return getattr(default, rest) if rest else default


def _nested(values: dict[str, Any]) -> dict[str, Any]:
    """Return {"a": 1, "b.c": 2} as {"a": 1, "b": {"c": 2}}."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name, dot, rest = key.partition(".")
        if dot:
            found.setdefault(name, {})[rest] = value
        else:
            found[name] = value
    return found


def _allowed(schema: dict[str, Any]) -> str:
    if "accepts" in schema:
        return schema["accepts"]
    if "anyOf" in schema:
        return " or ".join(_allowed(each) for each in schema["anyOf"])
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return " or ".join(schema["enum"])
    if schema.get("type") == "boolean":
        return "true or false"
    if schema.get("type") == "string":
        return "a text"
    text = "a whole number" if schema.get("type") == "integer" else "a number"
    if "exclusiveMinimum" in schema:
        text += f" above {schema['exclusiveMinimum']:g}"
    if "minimum" in schema:
        text += f" from {schema['minimum']:g}"
    if "maximum" in schema:
        text += f" to {schema['maximum']:g}"
    return text + (f", a multiple of {schema['multipleOf']:g}" if "multipleOf" in schema else "")


@dataclass(frozen=True, slots=True)
class SectionRange:
    """Sections named by the axis' own numbers; `step` None takes every one."""

    axis: str
    first: float
    last: float
    step: float | None

    def sections(self, source: Source) -> tuple[Section, ...]:
        """Return the sections of `source` in the range.

        Raises
        ------
        click.BadParameter
            When the source has no such axis, or no section there.
        """
        names = [source.axes[number].name for number in source.section_axes]
        if self.axis not in names:
            has = f"it has {', '.join(names)}" if names else "it is one single section"
            raise _bad_sections(f"{source.name} has no axis {self.axis}; {has}.")
        number = names.index(self.axis)
        axis = source.axes[number]
        step = self.step or abs(axis.step)
        found = []
        for count in range(int((self.last - self.first) / step + 1e-6) + 1):
            place = (self.first + count * step - axis.first) / axis.step
            if abs(place - round(place)) < 1e-3 and 0 <= round(place) < axis.size:
                found.append(Section(number, round(place)))
        if not found:
            raise _bad_sections(
                f"{source.name} has no {self.axis} there; it has {axis.first:g} to "
                f"{axis.at(axis.size - 1):g} in steps of {axis.step:g}."
            )
        return tuple(found)


class SectionRangeType(click.ParamType):
    """Read "inline:100-200:10" or "inline:150"."""

    name = "AXIS:FIRST-LAST:STEP"

    def convert(self, value: Any, param: Any, ctx: Any) -> SectionRange:
        """Return the range that `value` writes."""
        if isinstance(value, SectionRange):
            return value
        if (found := _SECTIONS.match(value)) is None:
            self.fail(f"{value!r} is not of the form inline:100-200:10 or inline:150.", param, ctx)
        axis, first, last, step = found.groups()
        wanted = SectionRange(
            axis, float(first), float(last or first), float(step) if step else None
        )
        if wanted.last < wanted.first or (wanted.step is not None and wanted.step <= 0):
            self.fail(f"{value!r} runs backwards; write the smaller number first.", param, ctx)
        return wanted


def resolve_sections(ranges: Sequence[SectionRange], source: Source) -> tuple[Section, ...] | None:
    """Return the sections of `source` in all `ranges`, once each; None where none were given."""
    found = [section for wanted in ranges for section in wanted.sections(source)]
    return tuple(dict.fromkeys(found)) or None


def one_section(wanted: SectionRange | None, source: Source) -> Section | None:
    """Return the section that --section names; raises `click.BadParameter` where it is not one."""
    if wanted is None:
        return None
    try:
        first, *more = wanted.sections(source)
    except click.BadParameter as error:
        error.param_hint = "--section"
        raise
    if more:
        raise click.BadParameter("give one section: inline:150.", param_hint="--section")
    return first


def _bad_sections(text: str) -> click.BadParameter:
    return click.BadParameter(text, param_hint="--sections")
