"""The section `agent` of the built-in agent's configuration."""

from pydantic import Field

from cooperbench.records import Record

SYSTEM_PROMPT = """\
You are a software engineer. You work in a git repository with the tools you are given, one step after another.

Look at the code before you change it. Make the changes that the task asks for, in the style of the code around them, and no others.
Try what you changed. Every answer must call at least one tool; say in a sentence why. Commands do not share a shell: a `cd` or a
variable holds for one command only. Programs that ask for input, editors and pagers do not work.

{% if finish_with_tool %}When the work is done, call `submit`. What is in the repository's folder then is what you hand in, whether committed or not; nothing else
is read.{% else %}When the work is done, run `{{ submit_command }}` as a command of its own. What is in the repository's folder then is what you hand in,
whether committed or not; nothing else is read.{% endif %}
"""


class AgentSettings(Record):
    """How the loop works."""

    system_prompt: str = Field(SYSTEM_PROMPT, description="Jinja template of the first message.")
    task_prompt: str = Field("{{ task }}", description="Jinja template of the second message.")
    max_iterations: int | None = Field(None, ge=1, description="Model calls; the run's own limits hold besides.")
    observation_limit: int = Field(12_000, ge=200, description="Characters of a command's output that the model reads.")
    history_limit: int = Field(
        100_000, ge=1_000, description="Tokens that the model reads at most; older turns are shortened."
    )
    unread_limit: int = Field(
        5, ge=1, description="Answers in a row without a readable tool call before the agent gives up."
    )
    longest_command: float = Field(1800.0, gt=0, description="Seconds; the most that a model may ask for a command.")
    longest_wait: float = Field(600.0, gt=0, description="Seconds; the most that one wait for a teammate takes.")
