"""The names of the subcommands, with the module and the summary of each."""

SUMMARY = "CooperBench measures how well AI coding agents work as teammates."

COMMANDS = {
    "demo": (
        "cooperbench.cli.demo",
        "Watch scripted teams work on bundled tasks; needs no engine, API key or network.",
    ),
    "run": ("cooperbench.cli.run", "Run agents on tasks."),
    "eval": ("cooperbench.cli.evaluate", "Merge and test the submissions of a run."),
    "submit": ("cooperbench.cli.submit", "Publish runs so that others can check them, or give a run to Slurm."),
    "verify": ("cooperbench.cli.verify", "Check a bundle of results, and judge its patches again."),
    "leaderboard": ("cooperbench.cli.leaderboard", "Write a leaderboard page from a folder of bundles."),
    "tasks": ("cooperbench.cli.tasks", "List, show, validate, create and exchange tasks."),
    "prepare": ("cooperbench.cli.prepare", "Download the published dataset, or the images of tasks."),
    "agents": ("cooperbench.cli.agents", "List, check and create agents."),
    "images": ("cooperbench.cli.images", "List, pull and build the images of tasks."),
    "runs": ("cooperbench.cli.runs", "Show, watch, export, merge and remove runs."),
    "view": ("cooperbench.cli.view", "See runs in a browser, live, or export them as pages."),
    "report": ("cooperbench.cli.report", "Report rates, conflicts and costs of runs, with intervals."),
    "compare": (
        "cooperbench.cli.compare",
        "Compare runs on the same groups; solo against coop is the coordination gap.",
    ),
    "plot": ("cooperbench.cli.plot", "Draw figures of runs for papers."),
    "power": ("cooperbench.cli.power", "Plan how many groups a comparison needs."),
    "explain": ("cooperbench.cli.explain", "Say why the groups of a run failed, with the evidence."),
    "label": ("cooperbench.cli.label", "Label the messages of a run, and compare labellers."),
    "doctor": ("cooperbench.cli.doctor", "Check which backends are ready, and say how to fix the others."),
    "clean": ("cooperbench.cli.clean", "Remove containers, images and machines that runs left behind."),
    "config": ("cooperbench.cli.config", "Set up a cloud backend."),
    "completion": ("cooperbench.cli.completion", "Print the script that completes commands and names in a shell."),
}
