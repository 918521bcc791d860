"""Checks of the house itself: layers, style, types, sizes, start-up, icons, documents."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from geocnn_gui import resources
from geocnn_gui.cli import COMMANDS
from geocnn_gui.cli.options import make_spec, parse_settings
from geocnn_gui.models.spec import SPECS
from geocnn_gui.training.spec import TrainingSpec

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "geocnn_gui"
SOURCES = sorted(
    [*PACKAGE.rglob("*.py"), *ROOT.glob("packaging/*.py"), *ROOT.glob("tests/**/*.py")]
)
MOST_LINES, MOST_LINES_OF_TESTS = 500, 700
MOST_METHODS = 30
#: Files and classes that may be larger; a list that may only get shorter.
LARGER: set[str] = set()
DOCUMENTS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/guide.md"]


def run(*command: str) -> str:
    """Run a program of this environment on the checkout; fail with its output."""
    scripts = str(Path(sys.executable).parent)
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": scripts + os.pathsep + os.environ.get("PATH", ""),
             "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
    )  # fmt: skip
    if done.returncode:
        pytest.fail(f"{' '.join(command)}\n{done.stdout[-6000:]}", pytrace=False)
    return done.stdout


def loaded_after(statements: str) -> set[str]:
    """Return the top-level names of the modules a new Python has loaded after `statements`."""
    code = f"{statements}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


# ---- Lint, layers, types -----------------------------------------------------------------------


def test_that_ruff_finds_nothing():
    run("ruff", "check", "--no-cache", ".")


def test_that_the_code_is_formatted():
    run("ruff", "format", "--check", "--no-cache", ".")


def test_that_arrows_only_point_down():
    code = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


@pytest.mark.slow
def test_that_the_types_fit():
    if "pyright" not in _quiet_version():
        pytest.skip("pyright's program could not be fetched (no network?)")
    run("pyright", "--pythonpath", sys.executable)


def _quiet_version() -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--version"], capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else ""


# ---- What is loaded when -----------------------------------------------------------------------


def test_that_the_command_line_needs_neither_qt_nor_torch():
    modules = ["geocnn_gui.cli.app", "geocnn_gui.workflow"]
    modules += [target.partition(":")[0] for target in COMMANDS.values()]
    loaded = loaded_after("import " + ", ".join(modules))
    assert loaded.isdisjoint({"PySide6", "pyqtgraph", "superqt", "torch", "rasterio", "segyio"})


def test_that_no_module_of_the_window_loads_torch():
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (PACKAGE / "gui").rglob("*.py")
        if path.stem != "__init__"
    ]
    loaded = loaded_after("import " + ", ".join(sorted(names)))
    assert "PySide6" in loaded
    assert loaded.isdisjoint({"torch", "torchvision", "scipy", "skimage"})


# ---- Specs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*SPECS.values(), TrainingSpec])
def test_that_every_spec_survives_json(kind):
    spec = kind()
    assert kind.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize("kind", [*SPECS.values(), TrainingSpec])
def test_that_every_field_of_a_spec_says_what_it_does(kind):
    for name, field in kind.model_fields.items():
        hidden = (field.json_schema_extra or {}).get("hidden")
        assert field.title, name
        assert hidden or (field.description or "").endswith("."), name


# ---- Size and shape ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_that_files_and_classes_stay_small(path):
    text = path.read_text(encoding="utf-8")
    too_large = set()
    if text.count("\n") > (MOST_LINES_OF_TESTS if path.stem.startswith("test_") else MOST_LINES):
        too_large.add(path.name)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            methods = [
                m for m in node.body if isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef)
            ]
            if len(methods) > MOST_METHODS:
                too_large.add(node.name)
    assert too_large <= LARGER


def test_that_nothing_runs_the_event_loop_by_hand():
    word = "process" + "Events"
    assert [p.name for p in PACKAGE.rglob("*.py") if word in p.read_text(encoding="utf-8")] == []


# ---- Icons -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((ROOT / "resources/icons").iterdir()), ids=lambda p: p.stem)
def test_that_every_icon_can_be_recoloured(path):
    root = ET.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("viewBox") == "0 0 24 24"
    if path.stem == "app":
        return
    colours = {node.get(key) for node in root.iter() for key in ("stroke", "fill")}
    assert colours <= {None, "none", "currentColor"}
    assert root.get("stroke") == "currentColor"


def test_that_every_icon_the_window_names_exists():
    pattern = re.compile(r"""icon(?:\(|=|\([\w.]+, )["']([a-z-]+)["']""")
    named = {n for p in PACKAGE.rglob("*.py") for n in pattern.findall(p.read_text("utf-8"))}
    assert named
    assert [name for name in sorted(named) if not resources.icon(name).is_file()] == []


def test_that_an_unknown_icon_is_a_bug_that_shows():
    with pytest.raises(KeyError, match="no icon"):
        resources.icon("no-such-icon")


# ---- Documents ---------------------------------------------------------------------------------


def commands_in(document: str) -> list[list[str]]:
    """Return the commands of the fenced shell blocks of a document, as words."""
    text = (ROOT / document).read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:bash|sh|console)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.strip()]


def test_that_the_commands_in_the_documents_exist():
    found = [words for document in DOCUMENTS for words in commands_in(document) if words]
    assert any(words[0] == "geocnn" for words in found)
    for words in found:
        if words[0] == "geocnn":
            _check_subcommand(words[1:])
        for word in words:
            assert not word.endswith(".py") or (ROOT / word).is_file(), words


def _check_subcommand(words: list[str]) -> None:
    """Parse the words as the subcommand would, without running it."""
    if words[0].startswith("-"):
        return
    module, _, name = COMMANDS[words[0]].partition(":")
    command = getattr(importlib.import_module(module), name)
    context = command.make_context(words[0], list(words[1:]))
    settings = parse_settings(context.params.get("settings", ()))
    make_spec(TrainingSpec, "training", settings["training"])
    make_spec(SPECS[context.params.get("kind", "unet")], "model", settings["model"])


@pytest.mark.parametrize("document", DOCUMENTS)
def test_that_links_of_the_documents_lead_somewhere(document):
    path = ROOT / document
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_that_modules_named_in_the_documents_exist(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:geocnn_gui|packaging|tests|resources|docs)/[\w/.-]*)`", text))
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []
