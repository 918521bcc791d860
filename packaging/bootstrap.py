"""Start or test GeoCNN from a fresh checkout; needs Python and nothing else.

    python3 packaging/bootstrap.py run [--cpu|--gpu] [ARGS]
    python3 packaging/bootstrap.py test [--cpu|--gpu] [ARGS]

`run` opens the window (ARGS: files to open, or a subcommand such as `info FILE`); where there is
no display it makes the demo offscreen, in ./geocnn-demo/. `test` runs the whole test suite (ARGS
go to pytest). Both first create .venv in the checkout and install the program there, once.

--cpu  PyTorch for the processor only, a much smaller download on Linux
--gpu  PyTorch for NVIDIA cards, where it is not the usual build (Windows)
"""

# This file is also read by Pythons too old for the program: it must say so in a sentence, so it
# keeps to syntax that they know and imports what is new only where it is used.
from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections import deque
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
#: Written into the environment before the installation and again, as ready, after it.
STAMP = VENV / "geocnn.json"
OLDEST, NEWEST = (3, 11), (3, 14)
TORCH_INDEX = "https://download.pytorch.org/whl/"
SECONDS_FOR_INDEX = 10
#: What the program does in the terminal alone.
WITHOUT_WINDOW = (
    "info", "models", "train", "predict", "learn", "live", "next", "suspects", "evaluate",
    "export", "inspect", "reproduce", "--help", "--version",
)  # fmt: skip

#: What Qt and the readers load from a Linux system, and the Debian package that holds it.
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libexpat.so.1": "libexpat1",
    "libstdc++.so.6": "libstdc++6",
}
#: What a window on an X display needs besides.
WINDOW_LIBRARIES = {
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
}


class Trouble(Exception):
    """Something the user can put right; the text says what and how."""


# ---- Python -------------------------------------------------------------------------------


def find_python(version: tuple[int, int]) -> str:
    """Return a Python the program runs on: this one where its `version` fits, or another here.

    Raises
    ------
    Trouble
        When there is none.
    """
    if OLDEST <= version <= NEWEST:
        return sys.executable
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        other = shutil.which(f"python3.{minor}")
        if other and not run_quietly([other, "-c", ""])[0]:
            return other
    raise Trouble(
        f"GeoCNN needs Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}, and this is "
        f"Python {version[0]}.{version[1]}. Install one of those (python.org, or your system's "
        "packages) and start this script with it."
    )


def check_processor() -> None:
    """Raise `Trouble` on a processor for which PyTorch is no longer made."""
    if platform.system() == "Darwin" and platform.machine() == "x86_64":
        raise Trouble("PyTorch, which GeoCNN needs, is no longer made for Macs with Intel chips.")


# ---- System libraries ---------------------------------------------------------------------


def has_display() -> bool:
    """Say whether a window can be shown."""
    if os.environ.get("QT_QPA_PLATFORM", "").split(":")[0] in ("offscreen", "minimal"):
        return False
    if sys.platform != "linux":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def needed_libraries() -> dict[str, str]:
    """Return library -> Debian package for what this machine must have; empty but on Linux."""
    if sys.platform != "linux":
        return {}
    return {**LIBRARIES, **WINDOW_LIBRARIES} if os.environ.get("DISPLAY") else LIBRARIES


def missing_libraries(libraries: dict[str, str]) -> dict[str, str]:
    """Return the part of `libraries` that cannot be loaded here."""
    missing = {}
    for library, package in libraries.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing[library] = package
    return missing


def check_libraries() -> None:
    """Install missing libraries where that is possible, or raise `Trouble` naming them."""
    missing = missing_libraries(needed_libraries())
    if missing and is_debian() and is_root():
        apt_install(list(missing.values()))
        missing = missing_libraries(missing)
    if missing:
        raise Trouble(
            f"This system lacks {', '.join(missing)}, which GeoCNN needs. "
            f"{how_to_install(missing)} Then start this script again."
        )


def how_to_install(missing: dict[str, str]) -> str:
    """Return the sentence with the command that brings `missing` (library -> Debian package)."""
    if is_debian():
        return f"Install it with: sudo apt-get install {' '.join(missing.values())}."
    capabilities = " ".join(shlex.quote(f"{library}()(64bit)") for library in missing)
    for tool in ("dnf", "zypper"):
        if shutil.which(tool):
            return f"Install it with: sudo {tool} install {capabilities}."
    return "Install the packages of your system that hold it."


def is_debian() -> bool:
    """Say whether this is Debian, Ubuntu or a relative with apt-get."""
    try:
        lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    names = " ".join(
        line.partition("=")[2] for line in lines if line.startswith(("ID=", "ID_LIKE="))
    )
    return bool({"debian", "ubuntu"} & set(names.replace('"', " ").split())) and bool(
        shutil.which("apt-get")
    )


def is_root() -> bool:
    """Say whether this process may install system packages."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def apt_install(packages: list[str]) -> None:
    """Install Debian `packages`; needs root.

    Raises
    ------
    Trouble
        With apt's last lines.
    """
    say(f"Installing system packages: {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    for command in (["apt-get", "update", "-q"], install):
        code, tail = run_quietly(command, environment)
    if code:
        raise Trouble(
            f"The system packages could not be installed; try it by hand: {' '.join(install)}\n"
            f"apt-get's last lines:\n{tail}"
        )


# ---- The environment ----------------------------------------------------------------------


def venv_python() -> Path:
    """Return the Python of the environment."""
    return VENV / "Scripts" / "python.exe" if os.name == "nt" else VENV / "bin" / "python"


def fingerprint() -> str:
    """Return a digest of the part of pyproject.toml that decides what is installed."""
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [settings["build-system"], settings["project"]]
    return hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()


def read_stamp() -> dict[str, object]:
    """Return what the stamp says; empty where there is none or it cannot be read."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def write_stamp(**facts: object) -> None:
    """Replace the stamp by `facts`."""
    temporary = STAMP.with_suffix(".part")
    temporary.write_text(json.dumps(facts), encoding="utf-8")
    os.replace(temporary, STAMP)


def prepare(with_tests: bool, build: str | None) -> None:
    """Bring the environment to what is wanted; does nothing when it is there already.

    `build` is the PyTorch build ("" the usual one, "cpu" ...); None takes the one that is there.
    """
    stamp = read_stamp()
    if build is None:
        build = str(stamp.get("build", ""))
    usable = (
        stamp.get("ready") is True
        and stamp.get("root") == str(ROOT)
        and stamp.get("build") == build
        and venv_python().exists()
    )
    if not usable:
        create_venv()
    elif stamp.get("program") == fingerprint() and (stamp.get("tests") or not with_tests):
        return
    with_tests = with_tests or (usable and bool(stamp.get("tests")))
    write_stamp(ready=False)
    install_program(with_tests, build)
    write_stamp(ready=True, root=str(ROOT), build=build, tests=with_tests, program=fingerprint())


def create_venv() -> None:
    """Create an empty environment in place of one that this script made and did not finish.

    Raises
    ------
    Trouble
        When .venv is somebody else's, cannot be removed, or venv does not work here.
    """
    if VENV.is_dir() and any(VENV.iterdir()):
        if not STAMP.exists():
            raise Trouble(
                f"{VENV} was not made by this script, so it is left alone; rename or delete it "
                "and start this script again."
            )
        try:
            shutil.rmtree(VENV)
        except OSError as error:
            raise Trouble(
                f"{VENV} must be made anew and cannot be removed ({error}); close GeoCNN, delete "
                "the folder and start this script again."
            ) from error
    check_venv_works()
    VENV.mkdir(exist_ok=True)
    write_stamp(ready=False)
    code, tail = run_quietly([sys.executable, "-m", "venv", str(VENV)])
    if code:
        raise Trouble(f"{VENV} could not be created:\n{tail}")


def check_venv_works() -> None:
    """Make sure that this Python can create environments (Debian keeps that in a package)."""
    test = [sys.executable, "-c", "import venv, ensurepip"]
    if not run_quietly(test)[0]:
        return
    package = f"python3.{sys.version_info[1]}-venv"
    if is_debian() and is_root():
        apt_install([package])
        if not run_quietly(test)[0]:
            return
    command = f" with: sudo apt-get install {package}" if is_debian() else ""
    raise Trouble(
        f"This Python ({sys.executable}) lacks the modules venv and ensurepip; install them"
        f"{command}, then start this script again."
    )


def install_program(with_tests: bool, build: str) -> None:
    """Install the checkout and what it depends on into the environment.

    Raises
    ------
    Trouble
        With pip's last lines.
    """
    say(f"Installing GeoCNN into {VENV} (once; some minutes, up to a few GB)")
    pip = [str(venv_python()), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    program = ["--editable", ".[test]" if with_tests else "."]
    command = [*pip, *program, *torch_arguments(build)]
    code, tail = run_quietly(command, show=r" *(Downloading .* [MG]B|Installing)")
    if code:
        raise Trouble(
            "The installation failed. Is this machine online, and is there space on the disk? "
            f"Start this script again to try anew. pip's last lines:\n{tail}"
        )


def choose_build(device: str) -> str | None:
    """Return the PyTorch build for `device` ("cpu" or "gpu"); None where nothing was asked."""
    if not device:
        return None
    system = platform.system()
    builds = {("Linux", "cpu"): "cpu", ("Windows", "gpu"): "cu130"}
    if (system, device) in builds:
        return builds[system, device]
    reason = "there is one build for both" if system == "Darwin" else "that is the usual build"
    say(f"--{device} makes no difference on {system}: {reason}.")
    return ""


def torch_arguments(build: str) -> list[str]:
    """Return what pip must be told to take `build` of PyTorch; empty for the usual one."""
    if not build:
        return []
    index = TORCH_INDEX + build
    if not reachable(f"{index}/torch/"):
        say(f"{index} cannot be reached: taking PyTorch's usual build instead.")
        return []
    return ["--extra-index-url", index, f"{torch_pin()}+{build}"]


def torch_pin() -> str:
    """Return the requirement that pins PyTorch, such as "torch==2.13.0"."""
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return next(pin for pin in settings["project"]["dependencies"] if pin.startswith("torch=="))


def reachable(url: str) -> bool:
    """Say whether `url` answers."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS_FOR_INDEX):
            return True
    except (OSError, ValueError):
        return False


# ---- Starting things ----------------------------------------------------------------------


def say(text: str) -> None:
    """Print a line at once, also into a pipe."""
    print(text, flush=True)


def run_quietly(
    command: list[str], environment: dict[str, str] | None = None, show: str | None = None
) -> tuple[int, str]:
    """Run `command` in the checkout; return its exit code and its last lines.

    Lines that match the pattern `show` are printed as they come.
    """
    tail: deque[str] = deque(maxlen=12)
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout
    with process.stdout as lines:
        for line in lines:
            tail.append(line.rstrip())
            if show and re.match(show, line):
                say(line.strip())
    return process.wait(), "\n".join(tail)


def hand_over(arguments: list[str], cwd: Path | None = None, **environment: str) -> int:
    """Run the environment's Python on `arguments` and return its exit code."""
    process = subprocess.Popen(
        [str(venv_python()), *arguments], cwd=cwd, env={**os.environ, **environment}
    )
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while True:
        try:
            code = process.wait()
        except KeyboardInterrupt:  # Ctrl+C reached the program too, which ends in its own way
            continue
        return code if code >= 0 else 128 - code


def run(arguments: list[str]) -> int:
    """Open the window, or make the demo where there is no display."""
    if has_display() or (arguments and arguments[0] in WITHOUT_WINDOW):
        return hand_over(["-m", "geocnn_gui", *arguments])
    if arguments:
        raise Trouble(
            f"There is no display here to open {arguments[0]} on; only these work without one: "
            f"{', '.join(WITHOUT_WINDOW)}."
        )
    say("There is no display here: making the demo offscreen, in ./geocnn-demo/")
    return hand_over(["-m", "geocnn_gui.gui.demo"], QT_QPA_PLATFORM="offscreen")


def test(arguments: list[str]) -> int:
    """Run the test suite, a process for each of up to four cores."""
    spread = ["-n", "auto", "--maxprocesses", "4"]
    return hand_over(
        ["-m", "pytest", *spread, *arguments],
        cwd=ROOT, QT_QPA_PLATFORM="offscreen", OMP_NUM_THREADS="1",
    )  # fmt: skip


COMMANDS = {"run": run, "test": test}


def main(arguments: list[str]) -> int:
    """Carry out `arguments`; return the exit code (1: trouble, in a sentence; 2: usage)."""
    if not arguments or arguments[0] not in COMMANDS:
        say(__doc__ or "")
        return 0 if arguments[:1] in (["-h"], ["--help"]) else 2
    try:
        python = find_python(sys.version_info[:2])
        if python != sys.executable:
            return subprocess.call([python, __file__, *arguments])
        return _start(arguments[0], arguments[1:])
    except Trouble as trouble:
        print(trouble, file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("Stopped; start this script again to go on.", file=sys.stderr, flush=True)
        return 130


def _start(command: str, arguments: list[str]) -> int:
    device = ""
    if arguments and arguments[0] in ("--cpu", "--gpu"):
        device, arguments = arguments[0][2:], arguments[1:]
    check_processor()
    check_libraries()
    prepare(with_tests=command == "test", build=choose_build(device))
    return COMMANDS[command](arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
