"""Text of things that were written by others, and may fail to give any."""


def safe_text(value: object) -> str:
    """`str(value)`, whatever its `__str__` does."""
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__} that cannot be shown: its __str__ raises {type(error).__name__}>"


def one_line(text: str, limit: int = 200) -> str:
    """`text` on one line, cut after `limit` characters, and encodable."""
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
