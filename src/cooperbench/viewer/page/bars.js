// Members' bars: hue is who, shape is what; red, amber and green are outcomes, and nothing else has a colour.

const NARROW = [4, 12]; // pixels below which neighbours become one bar, with few and with many of them
const MOST_BARS = 900; // on the screen
const LETTER = 6.3; // pixels of a letter in a label

/** A text that fits into some pixels, cut with "…", or nothing. */
function clip(text, room) {
  if (room < 26) return "";
  if (text.length * LETTER <= room - 8) return text;
  return room < 46 ? "" : `${text.slice(0, Math.floor((room - 16) / LETTER))}…`;
}

/** A label in as many words as fit: "commit, push", "commit", "com…". */
function shorter(label, room) {
  const wordings = [label, label.split(",")[0], label.split(/[ ,]/)[0]];
  return wordings.find((text) => text.length * LETTER <= room - 8) || clip(label.split(/[ ,]/)[0], room);
}

/** The longest of some wordings that fits. */
const fitting = (texts, room) => texts.find((text) => text.length * 6.1 < room - 12) || "";

/** Pixels below which neighbours become one bar: more when thousands of steps are in sight. */
function narrowest(members, x, from, to) {
  let seen = 0;
  for (const { steps } of members) for (const step of steps) if (x(step.t1) >= from && x(step.t0) <= to) seen++;
  return seen <= MOST_BARS ? NARROW[0] : Math.min(NARROW[1], ((to - from) * members.length) / MOST_BARS);
}

/** Join neighbours that are too narrow to tell apart: the page draws hundreds of bars, not thousands. */
function binSteps(steps, x, from, to, narrow) {
  const out = [];
  for (const step of steps) {
    const begin = x(step.t0);
    const end = x(step.t1);
    if (end < from || begin > to) continue;
    const last = out.at(-1);
    const lone = step.action === "submit";
    if (last && !lone && !last.lone && end - last.begin < narrow) last.steps.push(step);
    else out.push({ begin, lone, steps: [step] });
  }
  return out;
}

/** One member: when its sandbox was ready, its steps, waits and marks. */
function MemberLane({ picture, item, scale, layout, from, to, dim, narrow, divergence }) {
  const { x } = scale;
  const y = layout.middle(item.id);
  const begin = x(item.begin);
  const ready = x(item.ready);
  const { decisive, page } = picture;
  const merge = x(page.tests_begin);
  return html`<g class=${item.hue}>
    <line class="rail" x1=${begin} x2=${x(item.end)} y1=${y} y2=${y} />
    <rect class="setup" x=${begin} y=${y - 5} width=${Math.max(0, ready - begin)} height="10" rx="5" />
    <text class="note" x=${begin + 4} y=${y + 20}>${clip("sandbox starts", ready - begin)}</text>
    ${decisive && html`<path
      class="flow" d=${`M${x(item.end)} ${y}C${merge} ${y} ${merge} ${y + 20} ${merge} ${layout.rowY(0) - 2}`} />`}
    ${binSteps(item.steps, x, from, to, narrow).map(({ begin: left, steps }) =>
      steps.length > 1
        ? html`<${Bin} key=${steps[0].id} ...${{ steps, left, x, y, dim }} />`
        : html`<${StepBar} key=${steps[0].id} ...${{ picture, step: steps[0], item, x, y, dim }} />`,
    )}
    ${item.marks.map((mark) => html`<${MarkSign} key=${mark.id} ...${{ mark, x, y, dim }} />`)}
    ${divergence && divergence[item.id] && html`<${Divergence} step=${divergence[item.id]} x=${x} y=${y} />`}
  </g>`;
}

/** Several steps in one bar. It leads to the first that failed. */
function Bin({ steps, left, x, y, dim }) {
  const failed = steps.find((step) => step.failed);
  const chief = failed || steps[0];
  const width = Math.max(2, x(steps.at(-1).t1) - left);
  const all = steps.every((step) => dim(step.id));
  return html`<g class="step${all ? " dim" : ""}" data-id=${chief.id} data-count=${steps.length}>
    <rect class="act many" x=${left} y=${y - 12} width=${width} height="24" />
    ${failed && html`<rect class="bad" x=${left} y=${y + 14} width="4" height="3" />`}
  </g>`;
}

const hatchId = (picture, item) => `wait-${picture.prefix.replace("/", "-")}${item.index}`;

/** One step: the model as a thin pale bar, what it did as a block, waiting hatched. */
function StepBar({ picture, step, item, x, y, dim }) {
  const a = x(step.model[0]);
  const b = Math.max(x(step.act[0]), a + 1);
  const c = Math.max(x(step.act[1]), b + 3);
  const modelEnd = Math.max(a + 1, x(step.model[1]));
  const hatch = `url(#${hatchId(picture, item)})`;
  const fill = step.action === "wait" ? { fill: hatch } : null;
  const half = step.action === "message" || step.action === "answer" ? 4 : step.action === "submit" ? 0 : 12;
  const waits = step.action === "wait" ? [] : step.waits;
  const wide = c - b > 26;
  return html`<g class="step ${step.action}${dim(step.id) ? " dim" : ""}" data-id=${step.id}>
    ${wide && html`<rect class="hit" x=${a} y=${y - 22} width=${c - a} height="44" rx="4" />`}
    <rect class="model" x=${a} y=${y - 3} width=${Math.max(1, modelEnd - a)} height="6" rx="3" />
    ${modelEnd - a > 66 && step.output_tokens != null && html`<${TokensLabel} x=${(a + modelEnd) / 2} y=${y + 17} step=${step} />`}
    ${step.action === "submit"
      ? html`<${Flag} x=${b} y=${y} />`
      : html`<rect class="act" x=${b} y=${y - half} width=${c - b} height=${2 * half} rx="4" style=${fill} />`}
    ${wide && half > 8 && html`<text class="label" x=${(b + c) / 2} y=${y + 4}>${shorter(step.label, c - b)}</text>`}
    ${waits.map((wait) => html`<${Waiting} ...${{ wait, x, y, hatch }} />`)}
    ${step.repeat > 1 && c - b > 40 && html`<text class="again" x=${c - 4} y=${y - 15}>${step.repeat}×</text>`}
    ${step.failed && html`<rect class="bad" x=${b} y=${y + 14} width=${Math.max(4, c - b)} height="3" rx="1.5" />`}
  </g>`;
}

/** The size of the model's answer, where its bar is long. */
const TokensLabel = ({ x, y, step }) => html`<text class="note mid" x=${x} y=${y}>${tokens(step.output_tokens)} tokens</text>`;

const Flag = ({ x, y }) =>
  html`<path class="flag" d=${`M${x - 1} ${y - 12}h13l4 4v16l-4 4h-13z`} />
    <path class="tickmark" d=${`M${x + 3} ${y}l3.5 3.5 6 -7`} />`;

/** A wait inside of a step of another kind. */
function Waiting({ wait, x, y, hatch }) {
  const left = x(wait.span[0]);
  const width = Math.max(2, x(wait.span[1]) - left);
  return html`<rect class="waiting" x=${left} y=${y - 9} width=${width} height="18" rx="3" style=${{ fill: hatch }} />`;
}

/** A limit, an error, a rescue. */
function MarkSign({ mark, x, y, dim }) {
  const at = x(mark.time);
  return html`<g class="mark-sign ${mark.kind === "error" ? "fail" : "conflict"}${dim(mark.id) ? " dim" : ""}" data-id=${mark.id}>
    <path d=${`M${at} ${y - 11}l10 18h-20z`} /><text x=${at} y=${y + 4.5}>!</text>
  </g>`;
}

/** Where a member's steps begin to differ from those in the other episode. */
function Divergence({ step, x, y }) {
  const at = x(step.t0) - 3;
  return html`<g class="divergence"><line x1=${at} x2=${at} y1=${y - 40} y2=${y + 30} />
    <text x=${at + 4} y=${y - 31}>differs from here</text></g>`;
}
