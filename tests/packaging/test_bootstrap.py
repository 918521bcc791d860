"""The bootstrap script, with pip, apt and the program itself replaced by recorders."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "packaging" / "bootstrap.py"


class Machine:
    """What the script was about to start, and how that would have ended."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.programs: list[tuple[list[str], dict[str, str]]] = []
        self.endings: dict[str, tuple[int, str]] = {}
        self.exit_code = 0

    def run_quietly(self, command, environment=None, show=None):
        self.commands.append(command)
        text = " ".join(command)
        if "-m venv" in text:
            python = Path(command[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()
        return next((end for key, end in self.endings.items() if key in text), (0, ""))

    def hand_over(self, arguments, cwd=None, **environment):
        self.programs.append((arguments, environment))
        return self.exit_code

    def installs(self) -> list[str]:
        return [" ".join(command) for command in self.commands if "pip" in command]


@pytest.fixture
def script(tmp_path, monkeypatch):
    """The module, working on a checkout of its own."""
    spec = importlib.util.spec_from_file_location("bootstrap", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "bootstrap", module)
    spec.loader.exec_module(module)
    for name, path in {"ROOT": ".", "VENV": ".venv", "STAMP": ".venv/geocnn.json"}.items():
        monkeypatch.setattr(module, name, tmp_path / path)
    (tmp_path / "pyproject.toml").write_bytes(
        SCRIPT.parents[1].joinpath("pyproject.toml").read_bytes()
    )
    monkeypatch.setattr(module, "venv_python", lambda: tmp_path / ".venv" / "bin" / "python")
    monkeypatch.setattr(module, "missing_libraries", lambda libraries: {})
    monkeypatch.setattr(module.platform, "system", lambda: "Linux")
    return module


@pytest.fixture
def machine(script, monkeypatch):
    machine = Machine()
    monkeypatch.setattr(script, "run_quietly", machine.run_quietly)
    monkeypatch.setattr(script, "hand_over", machine.hand_over)
    monkeypatch.setattr(script, "is_root", lambda: False)
    return machine


@pytest.fixture
def display(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("QT_QPA_PLATFORM")


def test_that_the_first_start_installs_the_pinned_program(script, machine, display):
    assert script.main(["run", "line.sgy"]) == 0
    (install,) = machine.installs()
    assert install.endswith("--editable .")
    assert machine.programs == [(["-m", "geocnn_gui", "line.sgy"], {})]


def test_that_a_second_start_installs_nothing(script, machine, display):
    script.main(["run"])
    machine.commands.clear()
    assert script.main(["run"]) == 0
    assert machine.commands == []


def test_that_the_exit_code_of_the_program_is_passed_on(script, machine, display):
    machine.exit_code = 3
    assert script.main(["run"]) == 3


def test_that_testing_adds_the_tools_and_running_afterwards_keeps_them(script, machine, display):
    script.main(["run"])
    assert script.main(["test", "-k", "brush"]) == 0
    script.main(["run"])
    assert [install.endswith(".[test]") for install in machine.installs()] == [False, True]
    spread = ["-n", "auto", "--maxprocesses", "4"]
    where = {"QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1"}
    assert (["-m", "pytest", *spread, "-k", "brush"], where) in machine.programs


def test_that_changed_pins_are_installed_over_the_environment(script, machine, display):
    script.main(["test"])
    settings = script.ROOT / "pyproject.toml"
    settings.write_text(settings.read_text().replace("rich>=13.9", "rich>=14"))
    script.main(["run"])
    first, second = machine.installs()
    assert second == first
    assert sum("venv" in command for command in machine.commands) == 1


def test_that_settings_of_the_linter_cause_no_installation(script, machine, display):
    script.main(["run"])
    settings = script.ROOT / "pyproject.toml"
    settings.write_text(settings.read_text().replace("line-length = 100", "line-length = 99"))
    script.main(["run"])
    assert len(machine.installs()) == 1


def test_that_an_interrupted_installation_is_made_anew(script, machine, display, capsys):
    machine.endings["pip install"] = (1, "no route to host")
    assert script.main(["run"]) == 1
    said = capsys.readouterr().err
    assert "The installation failed" in said
    assert "no route to host" in said
    left_over = script.VENV / "half-installed"
    left_over.touch()
    machine.endings.clear()
    assert script.main(["run"]) == 0
    assert not left_over.exists()


@pytest.mark.parametrize("damage", ["{", '{"ready": true}', "[]"])
def test_that_a_damaged_stamp_means_a_new_environment(script, machine, display, damage):
    script.main(["run"])
    script.STAMP.write_text(damage)
    assert script.main(["run"]) == 0
    assert len(machine.installs()) == 2


def test_that_a_moved_checkout_or_a_lost_python_means_a_new_environment(script, machine, display):
    script.main(["run"])
    script.venv_python().unlink()
    script.main(["run"])
    script.STAMP.write_text(script.STAMP.read_text().replace(str(script.ROOT), "/elsewhere"))
    script.main(["run"])
    assert len(machine.installs()) == 3


def test_that_an_environment_of_the_users_is_left_alone(script, machine, display, capsys):
    own = script.VENV / "lib" / "mine.py"
    own.parent.mkdir(parents=True)
    own.touch()
    assert script.main(["run"]) == 1
    assert own.exists()
    assert "rename or delete" in capsys.readouterr().err


def test_that_cpu_takes_the_small_build_and_stays_with_it(script, machine, display, monkeypatch):
    monkeypatch.setattr(script, "reachable", lambda url: True)
    script.main(["run", "--cpu", "line.sgy"])
    script.main(["run"])
    (install,) = machine.installs()
    assert "whl/cpu" in install
    assert install.endswith("+cpu")
    assert machine.programs[0][0][-1] == "line.sgy"


def test_that_cpu_falls_back_in_a_sentence(script, machine, display, monkeypatch, capsys):
    monkeypatch.setattr(script, "reachable", lambda url: False)
    assert script.main(["run", "--cpu"]) == 0
    assert "cannot be reached" in capsys.readouterr().out
    assert machine.installs()[0].endswith("--editable .")


@pytest.mark.parametrize(("system", "flag"), [("Darwin", "--cpu"), ("Linux", "--gpu")])
def test_that_a_flag_without_effect_says_so(
    script, machine, display, monkeypatch, capsys, system, flag
):
    monkeypatch.setattr(script.platform, "system", lambda: system)
    monkeypatch.setattr(script.platform, "machine", lambda: "arm64")
    assert script.main(["run", flag]) == 0
    assert f"{flag} makes no difference" in capsys.readouterr().out
    assert machine.installs()[0].endswith("--editable .")


def test_that_no_display_means_the_demo(script, machine, monkeypatch, capsys):
    monkeypatch.setattr(script.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert script.main(["run"]) == 0
    assert machine.programs == [(["-m", "geocnn_gui.gui.demo"], {"QT_QPA_PLATFORM": "offscreen"})]
    assert "geocnn-demo" in capsys.readouterr().out


def test_that_subcommands_need_no_display_and_files_do(script, machine, capsys):
    assert script.main(["run", "info", "line.sgy"]) == 0
    assert machine.programs == [(["-m", "geocnn_gui", "info", "line.sgy"], {})]
    assert script.main(["run", str(SCRIPT)]) == 1
    assert "no display" in capsys.readouterr().err


def test_that_every_subcommand_runs_without_a_display(script):
    from geocnn_gui.cli import COMMANDS

    assert set(COMMANDS) <= set(script.WITHOUT_WINDOW)


def test_that_a_missing_library_is_named_with_its_command(
    script, machine, display, monkeypatch, capsys
):
    monkeypatch.setattr(script, "missing_libraries", lambda _: {"libEGL.so.1": "libegl1"})
    monkeypatch.setattr(script, "is_debian", lambda: True)
    assert script.main(["run"]) == 1
    said = capsys.readouterr().err
    assert "libEGL.so.1" in said
    assert "sudo apt-get install libegl1" in said
    assert machine.commands == []


def test_that_root_on_debian_gets_missing_libraries_installed(
    script, machine, display, monkeypatch
):
    answers = iter([{"libEGL.so.1": "libegl1"}, {}])
    monkeypatch.setattr(script, "missing_libraries", lambda _: next(answers))
    monkeypatch.setattr(script, "is_debian", lambda: True)
    monkeypatch.setattr(script, "is_root", lambda: True)
    monkeypatch.setattr(script.sys, "platform", "linux")
    assert script.main(["run"]) == 0
    assert machine.commands[0][:2] == ["apt-get", "update"]
    assert machine.commands[1][-1] == "libegl1"


def test_that_every_library_it_asks_for_has_a_package(script):
    libraries = {**script.LIBRARIES, **script.WINDOW_LIBRARIES}
    assert all(".so." in library for library in libraries)
    assert len(set(libraries.values())) == len(libraries)


def test_that_a_missing_ensurepip_is_explained(script, machine, display, monkeypatch, capsys):
    monkeypatch.setattr(script, "is_debian", lambda: True)
    machine.endings["import venv, ensurepip"] = (1, "No module named ensurepip")
    assert script.main(["run"]) == 1
    assert f"apt-get install python3.{sys.version_info[1]}-venv" in capsys.readouterr().err


@pytest.mark.parametrize("version", [(3, 8), (3, 99)])
def test_that_a_wrong_python_is_told_which_ones_fit(script, machine, monkeypatch, version):
    monkeypatch.setattr(script.shutil, "which", lambda name: None)
    with pytest.raises(script.Trouble, match=r"needs Python 3\.11 to 3\.\d+"):
        script.find_python(version)


def test_that_another_python_of_the_machine_is_taken(script, machine, monkeypatch):
    monkeypatch.setattr(script.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert script.find_python((3, 8)) == f"/usr/bin/python3.{script.NEWEST[1]}"


def test_that_the_supported_pythons_are_those_of_the_package(script):
    assert (
        f">=3.{script.OLDEST[1]},<3.{script.NEWEST[1] + 1}"
        in (script.ROOT / "pyproject.toml").read_text()
    )


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["walk"], 2), (["--help"], 0)])
def test_that_usage_is_shown(arguments, code):
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert "bootstrap.py run" in done.stdout
