// Members' bars: hue is who, shape is what; red, amber and green are outcomes, and nothing else has a colour.

const NARROW = 4; // pixels below which neighbours become one bar
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

/** Join neighbours that are too narrow to tell apart: the page draws hundreds of bars, not thousands. */
function binSteps(steps, x, from, to) {
  const out = [];
  for (const step of steps) {
    const begin = x(step.t0);
    const end = x(step.t1);
    if (end < from || begin > to) continue;
    const last = out.at(-1);
    const lone = step.action === "submit";
    if (last && !lone && !last.lone && end - last.begin < NARROW) last.steps.push(step);
    else out.push({ begin, lone, steps: [step] });
  }
  return out;
}

/** One member: when its sandbox was ready, its steps, waits and marks. */
function MemberLane({ picture, item, scale, layout, from, to, dim, divergence }) {
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
    ${binSteps(item.steps, x, from, to).map(({ begin: left, steps }) =>
      steps.length > 1
        ? html`<${Bin} key=${steps[0].id} ...${{ steps, left, x, y, dim }} />`
        : html`<${StepBar} key=${steps[0].id} ...${{ step: steps[0], item, x, y, dim }} />`,
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

/** One step: the model as a thin pale bar, what it did as a block, waiting hatched. */
function StepBar({ step, item, x, y, dim }) {
  const a = x(step.model[0]);
  const b = Math.max(x(step.act[0]), a + 1);
  const c = Math.max(x(step.act[1]), b + 3);
  const modelEnd = Math.max(a + 1, x(step.model[1]));
  const hatch = `url(#wait-${item.index})`;
  const waits = step.action === "wait" ? [] : step.waits;
  return html`<g class="step ${step.action}${dim(step.id) ? " dim" : ""}" data-id=${step.id}>
    <rect class="hit" x=${a} y=${y - 22} width=${c - a} height="44" rx="4" />
    <rect class="model" x=${a} y=${y - 3} width=${Math.max(1, modelEnd - a)} height="6" rx="3" />
    ${modelEnd - a > 66 && step.output_tokens != null && html`<text class="note mid" x=${(a + modelEnd) / 2} y=${y + 17}>
      ${tokens(step.output_tokens)} tokens</text>`}
    ${
      step.action === "message" || step.action === "answer"
        ? html`<rect class="act" x=${b} y=${y - 4} width=${c - b} height="8" rx="3" />`
        : step.action === "submit"
          ? html`<path class="flag" d=${`M${b - 1} ${y - 12}h13l4 4v16l-4 4h-13z`} />
            <path class="tickmark" d=${`M${b + 3} ${y}l3.5 3.5 6 -7`} />`
          : html`<rect class="act" x=${b} y=${y - 12} width=${c - b} height="24" rx="4"
            style=${step.action === "wait" ? { fill: hatch } : null} />
            <text class="label" x=${(b + c) / 2} y=${y + 4}>${shorter(step.label, c - b)}</text>`
    }
    ${waits.map((wait) => {
      const left = x(wait.span[0]);
      return html`<rect class="waiting" x=${left} y=${y - 9} width=${Math.max(2, x(wait.span[1]) - left)} height="18" rx="3"
        style=${{ fill: hatch }} />`;
    })}
    ${step.repeat > 1 && c - b > 40 && html`<text class="again" x=${c - 4} y=${y - 15}>${step.repeat}×</text>`}
    ${step.failed && html`<rect class="bad" x=${b} y=${y + 14} width=${Math.max(4, c - b)} height="3" rx="1.5" />`}
  </g>`;
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
