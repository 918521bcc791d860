"""The command line: one small file per subcommand, loaded when it is called."""

#: Subcommand -> "module:function"; the one table of them.
COMMANDS: dict[str, str] = {
    "info": "geocnn_gui.cli.info:info",
    "models": "geocnn_gui.cli.models:models",
    "train": "geocnn_gui.cli.train:train",
    "predict": "geocnn_gui.cli.predict:predict",
    "learn": "geocnn_gui.cli.learn:learn",
    "live": "geocnn_gui.cli.live:live",
    "next": "geocnn_gui.cli.guide:next_command",
    "suspects": "geocnn_gui.cli.guide:suspects",
    "evaluate": "geocnn_gui.cli.evaluate:evaluate",
    "export": "geocnn_gui.cli.export:export",
    "reproduce": "geocnn_gui.cli.reproduce:reproduce",
    "inspect": "geocnn_gui.cli.inspect:inspect",
}
