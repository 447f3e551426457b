"""The names of the subcommands, where each lives, and what it does."""

SUMMARY = "CooperBench measures how well AI coding agents work as teammates."

COMMANDS = {
    "demo": ("cooperbench.cli.demo", "Show a team at work on the bundled tasks; needs no engine, key or network."),
    "run": ("cooperbench.cli.run", "Let agents work on tasks."),
    "eval": ("cooperbench.cli.evaluate", "Merge and test what a run's agents handed in."),
    "tasks": ("cooperbench.cli.tasks", "List, show, validate and make tasks."),
    "prepare": ("cooperbench.cli.prepare", "Download the published data set."),
    "agents": ("cooperbench.cli.agents", "List, check and make agents."),
    "images": ("cooperbench.cli.images", "List, pull and build the images that tasks need."),
    "runs": ("cooperbench.cli.runs", "Look at runs, export and merge them."),
    "doctor": ("cooperbench.cli.doctor", "Say what is ready, what is missing, and how to mend it."),
    "clean": ("cooperbench.cli.clean", "Remove what runs left behind in engines and providers."),
    "config": ("cooperbench.cli.config", "Set up a cloud backend."),
}
