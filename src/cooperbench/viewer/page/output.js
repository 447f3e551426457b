// Long texts: folded, cut lines unfold, colours of terminals.

const LONG_LINE = 10000; // characters; a browser lays out one line of 3 MB for seconds
const FOLD = 16; // lines

/** Text with ANSI colours. What is folded away is counted, and a click shows it. */
function Output({ text, fold = FOLD, tone = "", label = "output" }) {
  const [open, setOpen] = useState(false);
  const [whole, setWhole] = useState(false);
  const lines = useMemo(() => text.replace(/\n$/, "").split("\n"), [text]);
  const shown = open || lines.length <= fold + 3 ? lines : lines.slice(0, fold);
  const long = shown.filter((line) => line.length > LONG_LINE).length;
  const cut = whole ? shown : shown.map((line) => (line.length > LONG_LINE ? `${line.slice(0, LONG_LINE)} …` : line));
  return html`<div class="output ${tone}">
    <pre tabindex="0" role="group" aria-label=${label}>
      ${ansi(cut.join("\n")).map(([name, part]) => (name ? html`<span class=${name}>${part}</span>` : part))}</pre>
    ${shown.length < lines.length && html`<button class="more"
      onClick=${() => setOpen(true)}>Show all ${number(lines.length)} lines</button>`}
    ${long > 0 && !whole && html`<button class="more" onClick=${() => setWhole(true)}>
      ${plural(long, "line")} cut after ${number(LONG_LINE)} characters: show all of ${long === 1 ? "it" : "them"}</button>`}
  </div>`;
}

const CODE = /(`[^`\n]{1,200}`|\b[\w/]+\.(?:py|js|ts|go|rs|md)\b)/;
const LONG_PROSE = 4000;

/** Prose with `code` and names of files set as code. */
function Prose({ text }) {
  const [open, setOpen] = useState(false);
  const all = visible(text || "");
  const shown = open ? all : all.slice(0, LONG_PROSE);
  const parts = shown.split(CODE).map((part, i) => (i % 2 ? html`<code>${part.replace(/^`|`$/g, "")}</code>` : part));
  return html`${parts}${shown.length < all.length && html`<button class="more inline"
    onClick=${() => setOpen(true)}>… ${number(all.length - shown.length)} characters more</button>`}`;
}

/** A row that opens. What is in it is made when it opens. */
function Fold({ title, note, right, children, opened, id }) {
  const [open, setOpen] = useState(!!opened);
  return html`<div class="fold" id=${id}>
    <div class="fold-head">
      <button aria-expanded=${open} onClick=${() => setOpen(!open)}><span class="turn" aria-hidden="true">›</span>${title}
        <span class="muted">${note}</span></button>
      <span class="right">${right}</span>
    </div>
    ${open && children}
  </div>`;
}

/** A file's change, line by line. */
function Diff({ text }) {
  const [open, setOpen] = useState(false);
  const hunks = useMemo(() => parseHunks(text), [text]);
  const most = open ? Infinity : 400;
  let count = 0;
  const kinds = { "+": "add", "-": "del", " ": "same" };
  const total = hunks.reduce((sum, hunk) => sum + hunk.lines.length, 0);
  return html`<div class="diff" tabindex="0" role="group" aria-label="changed lines">
    ${hunks.map(
      (hunk) => html`<div class="hunk">@@ ${visible(hunk.title)}</div>
        ${hunk.lines
          .filter(() => count++ < most)
          .map(
            (line) =>
              html`<div class=${kinds[line.kind]}><i>${line.old ?? ""}</i><i>${line.new ?? ""}</i><span>
                ${visible(line.text.slice(0, LONG_LINE)) || " "}</span></div>`,
          )}`,
    )}
    ${total > most && html`<button class="more" onClick=${() => setOpen(true)}>Show all ${number(total)} lines</button>`}
  </div>`;
}

/** A suite knows its stage, which the raw record names. */
const withoutCircles = (key, part) => (key === "stage" && part && part.id ? part.id : part);

/** The record behind something, and buttons that copy it. */
function Raw({ value, markdown, id }) {
  const [open, setOpen] = useState(false);
  const [copied, setCopied] = useState("");
  const copy = (what, text) => copyText(text).then(() => setCopied(what));
  const address = () => `${location.href.split("#")[0]}#${id}`;
  return html`<div class="raw">
    <button aria-expanded=${open} onClick=${() => setOpen(!open)}>
      <span class="turn" aria-hidden="true">›</span>Raw record</button>
    <button onClick=${() => copy("markdown", markdown())}>${copied === "markdown" ? "Copied" : "Copy as Markdown"}</button>
    <button onClick=${() => copy("address", address())}>${copied === "address" ? "Copied" : "Copy link"}</button>
    ${open && html`<${Output} text=${JSON.stringify(value, withoutCircles, 2)} fold=${40} label="raw record" />`}
  </div>`;
}

/** Copy a text. Pages from disk may not use the clipboard in every browser; a selection always can be copied. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  document.documentElement.dataset.copied = String(text.length);
}
