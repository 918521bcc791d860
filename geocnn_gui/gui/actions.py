"""Menus, toolbar and keys as tables; the window only loops over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence

from geocnn_gui.gui.theme import set_icon

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from geocnn_gui.export.table import Kind
    from geocnn_gui.gui.main_window import MainWindow
    from geocnn_gui.gui.state import Tool
    from geocnn_gui.gui.theme import Mode

Act = Callable[["MainWindow"], object]
Why = Callable[["MainWindow"], str]
Is = Callable[["MainWindow"], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """One thing a user can do.

    `key` with Ctrl acts anywhere; `canvas` keys act only while the picture has the focus, so
    that digits, Tab and arrows keep their meaning in forms. `why_not` answers with the reason
    why it cannot be done now, "" when it can. `checked` makes it a switch.
    `of` answers what it would be done to.
    """

    name: str
    text: str
    act: Act
    icon: str = ""
    keys: tuple[str, ...] = ()
    canvas: bool = False
    group: str = ""
    why_not: Why | None = None
    checked: Is | None = None
    of: Why | None = None


def _opened(w: MainWindow) -> str:
    return "" if w.session.source is not None else "Open a file first."


def _writable(w: MainWindow) -> str:
    return _opened(w) or w.session.why_read_only()


def _picture(w: MainWindow) -> str:
    source = w.session.source
    whole = source is not None and source.samples is not None
    return "A sample set is labelled sample by sample, not painted." if whole else _opened(w)


def _paintable(w: MainWindow) -> str:
    return _picture(w) or w.session.why_read_only()


def _project(w: MainWindow) -> str:
    return "" if w.session.project is not None else "Open a file first."


def _idle(w: MainWindow) -> str:
    return w.session.busy and f"{w.session.busy} …"


def _idle_steps(w: MainWindow) -> str:
    return w.session.steps.busy and f"{w.session.steps.busy} …"


def _sections(w: MainWindow) -> str:
    return "" if w.session.section.axis is not None else "Only a cube has other sections."


def _job(w: MainWindow) -> str:
    return "" if w.session.job is not None else "Nothing is running."


def _predicted(w: MainWindow) -> str:
    return "" if w.session.shown_map is not None else "Predict first."


def _labelled(w: MainWindow) -> str:
    labels = w.session.labels
    return "" if labels is not None and labels.store.counts else "There are no labels yet."


def _class_in_hand(w: MainWindow) -> str:
    known = any(c.id == w.session.current_class for c in w.session.classes)
    return _writable(w) or ("" if known else "Choose a class first.")


def _accepts(w: MainWindow) -> str:
    return _picture(w) or w.session.why_no_accepting()


def _split(w: MainWindow) -> str:
    return "" if w.session.split is not None else "Show the split first, in the Train panel."


def _turn_learning(w: MainWindow) -> None:
    """Let surveys be learned by themselves, or not, now and after the next start."""
    learns = not w.session.survey.automatic
    w.settings = w.settings.model_copy(update={"learn_surveys": learns})
    w.session.survey.set_automatic(learns)


def _tool(name: Tool, text: str, icon: str, key: str) -> Info:
    return Info(
        name=f"tool_{name}", text=text, icon=icon, keys=(key,), canvas=True, group="tools",
        act=lambda w: w.session.set_tool(name), why_not=_picture if name == "pan" else _paintable,
        checked=lambda w: w.session.tool == name,
    )  # fmt: skip


def _copy(name: str, text: str, key: str, step: int) -> Info:
    return Info(
        name=name, text=text, keys=(key,), canvas=True,
        act=lambda w: w.session.copy_labels(step),
        why_not=lambda w: w.session.why_no_copy_to(step),
    )  # fmt: skip


def _theme(mode: Mode, text: str) -> Info:
    return Info(
        name=f"theme_{mode}", text=text, group="themes", act=lambda w: w.set_theme(mode),
        checked=lambda w: w.settings.theme == mode,
    )  # fmt: skip


def _step(name: str, text: str, key: str, steps: int) -> Info:
    return Info(
        name=name, text=text, keys=(key,), canvas=True,
        act=lambda w: w.session.step_section(steps), why_not=_sections,
    )  # fmt: skip


def _pick(place: int) -> Info:
    text = f"Class {place}" if place else "Unlabelled"
    return Info(
        name=f"class_{place}", text=text, keys=(str(place),), canvas=True, why_not=_opened,
        act=lambda w: w.pick_class(place),
    )  # fmt: skip


def _export(kind: Kind, text: str, *, name: str = "", **more: Any) -> Info:
    return Info(
        name=name or f"export_{kind}", text=text, act=lambda w: w.asker.export_name(kind),
        why_not=lambda w: w.session.why_no_export(kind), **more,
    )  # fmt: skip


_ALL = (
    Info(name="open", text="&Open…", icon="open", keys=("Ctrl+O",), act=lambda w: w.asker.data(),
         why_not=_idle),
    Info(name="open_folder", text="Open &folder of samples…", icon="samples",
         act=lambda w: w.asker.folder(), why_not=_idle),
    Info(name="open_project", text="Open pro&ject…", icon="folder", keys=("Ctrl+Shift+O",),
         act=lambda w: w.asker.project(), why_not=_idle),
    Info(name="add", text="&Add to project…", icon="add", act=lambda w: w.asker.more_data(),
         why_not=lambda w: _project(w) or w.session.why_read_only() or _idle(w)),
    Info(name="save", text="&Save now", icon="save", keys=("Ctrl+S",),
         act=lambda w: w.session.save(), why_not=lambda w: _writable(w) or _idle_steps(w)),
    Info(name="copy_project", text="Save a copy of the &project…",
         act=lambda w: w.asker.copy_name(), why_not=lambda w: w.session.why_no_copy()),
    Info(name="close", text="&Close project", act=lambda w: w.session.close_source(),
         keys=("Ctrl+W",), why_not=lambda w: _project(w) or _idle(w)),
    Info(name="quit", text="&Quit", keys=("Ctrl+Q",), act=lambda w: w.close()),
    Info(name="undo", text="&Undo", icon="undo", keys=("Ctrl+Z",),
         act=lambda w: w.session.undo(), of=lambda w: w.session.steps.undo_text,
         why_not=lambda w: _idle_steps(w) or ("" if w.session.steps.can_undo else "Nothing to undo.")),
    Info(name="redo", text="&Redo", icon="redo", keys=("Ctrl+Shift+Z", "Ctrl+Y"),
         act=lambda w: w.session.redo(), of=lambda w: w.session.steps.redo_text,
         why_not=lambda w: _idle_steps(w) or ("" if w.session.steps.can_redo else "Nothing to redo.")),
    Info(name="history", text="&History", keys=("Ctrl+H",), why_not=_project,
         act=lambda w: w.session.show_history()),
    _tool("pan", "Pan", "pan", "V"),
    _tool("brush", "Brush", "brush", "B"),
    _tool("eraser", "Eraser", "eraser", "E"),
    _tool("polygon", "Polygon", "polygon", "P"),
    _tool("line", "Line", "line", "L"),
    _tool("fill", "Fill", "fill", "F"),
    _tool("wand", "Magic wand", "wand", "W"),
    _tool("edge", "Smart edge", "edge", "S"),
    _tool("between", "Between two lines", "between", "T"),
    Info(name="tool_pick", text="Pick the class", icon="pick", keys=("I",), canvas=True,
         group="tools", act=lambda w: w.session.start_pick(), why_not=_paintable,
         checked=lambda w: w.session.tool == "pick"),
    Info(name="tool_accept", text="Accept the prediction", icon="accept", keys=("A",), canvas=True,
         group="tools", act=lambda w: w.session.set_tool("accept"), why_not=_accepts,
         checked=lambda w: w.session.tool == "accept"),
    Info(name="tool_split", text="Move units of the split", keys=("H",), canvas=True,
         group="tools", act=lambda w: w.session.set_tool("split"), why_not=_split,
         checked=lambda w: w.session.tool == "split"),
    Info(name="thinner", text="Thinner brush", keys=("[",), canvas=True, why_not=_picture,
         act=lambda w: w.session.step_brush_size(-1)),
    Info(name="thicker", text="Thicker brush", keys=("]",), canvas=True, why_not=_picture,
         act=lambda w: w.session.step_brush_size(1)),
    *(_pick(place) for place in range(10)),
    Info(name="only_unlabelled", text="Paint &only unlabelled pixels", keys=("U",), canvas=True,
         why_not=_writable, checked=lambda w: w.session.rules.only_unlabelled,
         act=lambda w: w.session.set_only_unlabelled(not w.session.rules.only_unlabelled)),
    Info(name="lock_class", text="Loc&k the class in hand", keys=("K",), canvas=True,
         why_not=_class_in_hand, checked=lambda w: bool(w.session.why_locked(w.session.current_class)),
         act=lambda w: w.session.turn_lock(w.session.current_class)),
    Info(name="accept_in_view", text="&Accept the prediction in view", why_not=_accepts,
         act=lambda w: w.session.accept_in_view(*w.cells_in_view())),
    _copy("copy_on", "Copy labels to the &next section", "Ctrl+Shift+Right", 1),
    _copy("copy_back", "Copy labels to the pre&vious section", "Ctrl+Shift+Left", -1),
    Info(name="add_class", text="&Add class", icon="add", why_not=_writable,
         act=lambda w: w.session.add_class()),
    Info(name="load_labels", text="&Labels from a file…", icon="label", why_not=_writable,
         act=lambda w: w.asker.labels()),
    Info(name="save_labels", text="&Save labels as…", icon="save", why_not=_labelled,
         act=lambda w: w.asker.labels_name()),
    Info(name="live", text="L&ive", icon="live", keys=("Shift+L",), canvas=True,
         act=lambda w: w.session.live.set_on(not w.session.live.on),
         why_not=lambda w: w.session.live.why_not(),
         checked=lambda w: w.session.live.on and not w.session.live.why_not()),
    Info(name="next_place", text="&Next place to label", keys=("N",), canvas=True,
         act=lambda w: w.session.next_places.go(1),
         why_not=lambda w: w.session.next_places.why_not()),
    Info(name="previous_place", text="Pre&vious place to label", keys=("Shift+N",), canvas=True,
         act=lambda w: w.session.next_places.go(-1),
         why_not=lambda w: w.session.next_places.why_not()),
    Info(name="why_here", text="&Why here", keys=("Y",), canvas=True,
         act=lambda w: w.session.why_here.set_on(not w.session.why_here.on),
         why_not=lambda w: w.session.live.why_not(),
         checked=lambda w: w.session.why_here.on),
    Info(name="suspects", text="S&uspect labels…", act=lambda w: w.session.suspects.find(),
         why_not=lambda w: w.session.suspects.why_not()),
    Info(name="learn_longer", text="Learn this survey &longer",
         act=lambda w: w.session.survey.learn_longer(),
         why_not=lambda w: w.session.survey.why_no_longer()),
    Info(name="learn_surveys", text="Learn &surveys by themselves",
         act=_turn_learning,
         checked=lambda w: w.session.survey.automatic),
    _step("previous", "Previous section", "Left", -1),
    _step("next", "Next section", "Right", 1),
    _step("ten_back", "Ten sections back", "Shift+Left", -10),
    _step("ten_on", "Ten sections on", "Shift+Right", 10),
    Info(name="overlay", text="&Prediction overlay", icon="eye", keys=("Tab",), canvas=True,
         why_not=_predicted, checked=lambda w: w.session.view.overlay_visible,
         act=lambda w: w.session.set_view(overlay_visible=not w.session.view.overlay_visible)),
    Info(name="show_live", text="Show Li&ve", group="maps",
         act=lambda w: w.session.show_map("live"), why_not=lambda w: w.session.why_no_choice(),
         checked=lambda w: w.session.shown == "live"),
    Info(name="show_network", text="Show the &network", group="maps",
         act=lambda w: w.session.show_map("network"), why_not=lambda w: w.session.why_no_choice(),
         checked=lambda w: w.session.shown == "network"),
    Info(name="labels_shown", text="&Labels", icon="label", why_not=_opened,
         checked=lambda w: w.session.view.labels_visible,
         act=lambda w: w.session.set_view(labels_visible=not w.session.view.labels_visible)),
    Info(name="lock_aspect", text="Lock &aspect", why_not=_picture,
         checked=lambda w: w.session.view.lock_aspect,
         act=lambda w: w.session.set_view(lock_aspect=not w.session.view.lock_aspect)),
    Info(name="docks", text="&Only the picture", keys=("F11",), act=lambda w: w.toggle_docks(),
         checked=lambda w: w.docks_hidden),
    _theme("system", "As the &system"),
    _theme("light", "&Light"),
    _theme("dark", "&Dark"),
    Info(name="open_model", text="&Open model…", icon="model", act=lambda w: w.asker.model()),
    Info(name="save_model", text="&Save model as…", icon="save",
         act=lambda w: w.asker.model_name(), why_not=lambda w: w.session.why_no_model()),
    Info(name="train", text="&Train", icon="train", keys=("Ctrl+T",),
         act=lambda w: w.session.start_training(), why_not=lambda w: w.session.why_no_training()),
    Info(name="train_from_here", text="Train the network from &here", icon="train", keys=("Ctrl+Shift+T",),
         act=lambda w: w.session.train_from_here(),
         why_not=lambda w: w.session.why_no_training_from_here()),
    Info(name="predict", text="&Predict", icon="predict", keys=("Ctrl+R",),
         act=lambda w: w.session.start_prediction(),
         why_not=lambda w: w.session.why_no_prediction()),
    Info(name="predict_whole", text="Predict &everything", keys=("Ctrl+Shift+R",),
         act=lambda w: w.session.start_prediction(whole=True),
         why_not=lambda w: _sections(w) or w.session.why_no_prediction()),
    Info(name="stop", text="&Stop", icon="stop", act=lambda w: w.session.stop_job(),
         why_not=_job),
    _export("classes", "&Export…", name="export", icon="export", keys=("Ctrl+E",)),
    _export("confidence", "&Confidence…"),
    _export("probabilities", "Pro&babilities…"),
    _export("polygons", "&Polygons…"),
    _export("figure", "&Figure of the view…"),
    Info(name="keys", text="&Keys", icon="help", keys=("?", "F1"), act=lambda w: w.show_keys()),
    Info(name="about", text="&About GeoCNN", icon="info", act=lambda w: w.show_about()),
)  # fmt: skip
ACTIONS: dict[str, Info] = {info.name: info for info in _ALL}

#: Menu -> names of actions; None draws a line, "menu:NAME" is a sub-menu the window fills.
MENUS: dict[str, tuple[str | None, ...]] = {
    "&File": ("open", "open_folder", "open_project", "menu:recent", "add", None, "save", "copy_project",
              "save_labels", "menu:export", None, "close", "quit"),
    "&Edit": ("undo", "redo", None, "history"),
    "&View": ("overlay", "show_live", "show_network", "labels_shown", "lock_aspect", None, "previous", "next", "ten_back",
              "ten_on", None, "docks", None, "theme_system", "theme_light", "theme_dark"),
    "&Label": ("tool_pan", "tool_brush", "tool_eraser", "tool_polygon", "tool_line", "tool_fill",
               "tool_wand", "tool_edge", "tool_between", "tool_accept", "tool_pick", "tool_split", None, "thinner", "thicker",
               "only_unlabelled", "lock_class", None, "accept_in_view", "copy_on", "copy_back",
               None, "live", "next_place", "previous_place", "why_here", "suspects", None, "add_class", "load_labels", "save_labels"),
    "&Model": ("open_model", "save_model"),
    "&Run": ("train", "train_from_here", "predict", "predict_whole", None, "stop", None, "learn_longer",
             "learn_surveys"),
    "&Help": ("keys", "about"),
}  # fmt: skip
#: What "menu:export" holds.
EXPORTS: tuple[str, ...] = (
    "export", "export_confidence", "export_probabilities", "export_polygons", "export_figure",
)  # fmt: skip
#: Names of actions with an icon, None for a line.
TOOLBAR: tuple[str | None, ...] = (
    "open", "save", None, "undo", "redo", None,
    "tool_pan", "tool_brush", "tool_eraser", "tool_polygon", "tool_line", "tool_fill", "tool_wand",
    "tool_accept", "tool_pick", None,
)  # fmt: skip
#: Buttons of the toolbar that hold several tools, of which they show the one used last.
FOLDS: dict[str, tuple[str, ...]] = {"tool_wand": ("tool_wand", "tool_edge", "tool_between")}


def make_actions(window: MainWindow, canvas: QWidget) -> dict[str, QAction]:
    """Return every action, bound to the window, or to the canvas where its keys act there only."""
    groups: dict[str, QActionGroup] = {}
    made = {}
    for info in ACTIONS.values():
        action = QAction(info.text, window)
        action.setObjectName(f"action_{info.name}")
        action.setShortcuts([QKeySequence(key) for key in info.keys])
        action.setCheckable(info.checked is not None)
        action.triggered.connect(lambda _=False, info=info: info.act(window))
        if info.icon:
            set_icon(action, info.icon)
        if info.group:
            if info.group not in groups:
                groups[info.group] = QActionGroup(window)
            groups[info.group].addAction(action)
        if info.canvas:
            action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            canvas.addAction(action)
        else:
            window.addAction(action)
        made[info.name] = action
    return made


def refresh(window: MainWindow, actions: dict[str, QAction]) -> None:
    """Enable, check and explain every action as things stand."""
    for name, action in actions.items():
        info = ACTIONS[name]
        reason = info.why_not(window) if info.why_not is not None else ""
        action.setEnabled(not reason)
        key = f" ({action.shortcut().toString()})" if info.keys else ""
        plain = info.text.replace("&", "").rstrip("…")
        if info.of is not None:
            what = info.of(window)
            action.setText(f"{info.text} {what.replace('&', '&&')}".strip())
            plain = f"{plain} {what}".strip()
        tip = f"{plain}{key}" + (f"\n{reason}" if reason else "")
        if "<" in tip:  # the name of a step may come from a stranger's project
            tip = f"<qt>{escape(tip)}</qt>".replace("\n", "<br>")
        action.setToolTip(tip)
        if info.checked is not None:
            action.setChecked(info.checked(window))
