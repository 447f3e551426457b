"""One HTML file: scripts and styles inlined, allowed by their hashes and nothing else, and data that the browser unpacks."""

import base64
import hashlib
import html
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

VENDORED = ("preact.min.umd.js", "hooks.umd.js", "htm.umd.js")
_MAP = "//# sourceMappingURL="
"""Released files name a file that is not there; a browser with open tools would ask for it."""

_LOADER = """(async () => {
  const packed = Uint8Array.from(atob(document.getElementById("script").textContent), (letter) => letter.charCodeAt(0));
  const script = document.createElement("script");
  script.textContent = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
  document.body.append(script);
})();"""
"""The scripts are packed like the data, 36 instead of 116 kB. The policy allows what comes out by its own hash."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{policy}">
{meta}<title>{title}</title>
<style>{style}</style>
</head>
<body data-view="{view}">
<div id="page"></div>
{parts}
<script type="text/plain" id="script">{script}</script>
<script>{loader}</script>
</body>
</html>
"""


def html_page(
    view: str,
    title: str,
    scripts: Sequence[str],
    styles: Sequence[str],
    *,
    parts: Mapping[str, bytes] | None = None,
    address: str | None = None,
    meta: Mapping[str, str] | None = None,
) -> str:
    """Return a page that shows `view` with files of `page/`.

    Its parts are either in it, or below the relative `address` of a server, which the content policy then allows. `meta` are
    further values for its scripts.
    """
    script = "\n;\n".join([*(_vendored(name) for name in VENDORED), *(page_file(name) for name in scripts)])
    style = "\n".join(page_file(name) for name in styles)
    policy = [
        "default-src 'none'",
        f"script-src {_source(_LOADER)} {_source(script)}",
        f"style-src {_source(style)}",
        "base-uri 'none'",
        "form-action 'none'",
        *([] if address is None else ["connect-src 'self'"]),
    ]
    named = {**(meta or {}), **({} if address is None else {"parts": address})}
    packed = [
        f'<script type="text/plain" id="part-{html.escape(n)}">{_pack(d)}</script>' for n, d in (parts or {}).items()
    ]
    return _PAGE.format(
        policy="; ".join(policy),
        meta="".join(f'<meta name="{html.escape(n)}" content="{html.escape(v)}">\n' for n, v in named.items()),
        title=html.escape(title),
        style=style,
        view=html.escape(view),
        parts="\n".join(packed),
        script=_pack(script.encode()),
        loader=_LOADER,
    )


@cache
def page_file(name: str) -> str:
    """Return a file of `page/`."""
    text = files("cooperbench.viewer").joinpath("page", name).read_text(encoding="utf-8")
    if "</style" in text or "</script" in text:
        raise ValueError(f"{name} would end the element that it stands in")
    return text


@cache
def _vendored(name: str) -> str:
    lines = page_file(f"vendor/{name}").splitlines()
    return "\n".join(line for line in lines if not line.startswith(_MAP))


def _pack(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 9)).decode()


def _source(text: str) -> str:
    """Return a text's hash as the content policy names it."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
