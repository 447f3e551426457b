// What is drawn once for a width and a search: axis, remote, lanes, messages, suites. What is chosen lies above it.

const MOST_MOVES = 60; // pushes and fetches in sight that are drawn one by one
const NEAR = 40; // pixels within which messages become one, where there are many
const FEW = 24; // pixels for each message below which arrows are drawn faint and joined

function Drawing({ picture, scale, layout, width, from, to, hits, divergence }) {
  const { x } = scale;
  const { members, page, decisive } = picture;
  const dim = (id) => hits && !hits.has(id);
  const seen = (begin, end = begin) => x(end) >= from && x(begin) <= to;
  const dense =
    picture.messages.filter((item) => seen(item.sent, item.read ?? item.sent)).length >
    Math.min(width, to - from) / FEW;
  const rules = [...members.map((_, i) => AXIS + i * LANE), layout.remoteTop, layout.testsTop];
  const merge = x(page.tests_begin);
  const narrow = narrowest(members, x, from, to);
  const shared = { picture, scale, layout, from, to, dim, seen, dense, narrow };
  return html`<g class=${dense ? "dense" : ""}>
    <defs>${members.map((item) => html`<${Hatching} picture=${picture} item=${item} />`)}</defs>
    ${axisTicks(scale, Math.max(EDGE, from), Math.min(width, to), page.end).map(
      ({ t, text }) =>
        html`<line class="grid" x1=${x(t)} x2=${x(t)} y1=${AXIS} y2=${layout.height} /><text class="tick" x=${x(t)} y="17">${text}
          </text>`,
    )}
    ${rules.map((y) => html`<line class="rule" x1="0" x2=${width} y1=${y} y2=${y} />`)}
    ${
      picture.stages.length > 0 &&
      html`<rect class="after" x=${merge} y=${AXIS} width=${Math.max(0, width - merge)} height=${layout.testsTop - AXIS} />`
    }
    <${Remote} ...${shared} width=${width} />
    ${members.map((item) => html`<${MemberLane} key=${item.id} ...${shared} item=${item} divergence=${divergence} />`)}
    <${Arrows} ...${shared} />
    ${decisive && html`<${MergeNode} ...${shared} />`}
    ${layout.rows.map((item, row) => html`<${Row} key=${item.id} ...${shared} item=${item} row=${row} width=${width} />`)}
  </g>`;
}

/** The pattern of waiting, in a member's hue. */
function Hatching({ picture, item }) {
  const id = hatchId(picture, item);
  return html`<pattern id=${id} class=${item.hue} width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
    <rect width="6" height="6" class="hatch-bg" /><rect width="2" height="6" class="hatch" />
  </pattern>`;
}

/** Pushes go down to the remote, fetches come up from it. */
function Remote({ picture, scale: { x }, layout, width, dim, seen }) {
  if (!layout.remote) return null;
  const moves = joinedMoves(picture.gits.filter((item) => seen(item.time)), x);
  const last = Math.min(width, x(picture.page.tests_begin) - 4);
  const y = layout.remoteY;
  return html`<line class="rail" x1=${EDGE} x2=${x(picture.page.work_end)} y1=${y} y2=${y} />
    ${moves.map(({ item, count }, i) => {
      const at = x(item.time);
      const next = i + 1 < moves.length ? Math.min(x(moves[i + 1].item.time), last) : last;
      const hue = (picture.member[item.agent] || {}).hue || "";
      const kinds = ["git", hue, dim(item.id) && "dim", refusedPush(item) && "lost"].filter(Boolean).join(" ");
      return html`<${Move} key=${item.id} ...${{ item, count, kinds, at, y1: layout.middle(item.agent) + 12, y, room: next - at - 4 }} />`;
    })}`;
}

/** Pushes, or fetches, of one member within a few pixels become one. */
function joinedMoves(moves, x) {
  const near = moves.length > MOST_MOVES ? NEAR : 3;
  const groups = new Map();
  for (const item of moves) {
    const key = `${item.agent} ${item.push} ${Math.floor(x(item.time) / near)}`;
    const group = groups.get(key);
    if (group) group.count++;
    else groups.set(key, { item, count: 1 });
  }
  return [...groups.values()];
}

function Move({ item, count, kinds, at, y1, y, room }) {
  const tip = y - 6;
  const head = item.push
    ? `M${at - 4} ${tip - 6}L${at + 4} ${tip - 6}L${at} ${tip}Z`
    : `M${at - 4} ${y1 + 6}L${at + 4} ${y1 + 6}L${at} ${y1}Z`;
  const text = count > 1 ? `${count} ${item.push ? "pushes" : "fetches"}` : gitText(item);
  const note = clip(text, room);
  return html`<g class=${kinds} data-id=${item.id} data-count=${count > 1 ? count : null}>
    <line class="hit" x1=${at} x2=${at} y1=${y1} y2=${y} /><line class="pipe" x1=${at} x2=${at} y1=${y1} y2=${tip} />
    <path class="head" d=${head} /><circle class=${item.push ? "commit" : "commit open"} cx=${at} cy=${y} r="5" />
    ${note && html`<text class="note" x=${at + 9} y=${y + 17}>${note}</text>`}
  </g>`;
}

const refusedPush = (item) => item.refs.some((ref) => ref.refused);

/** A push by the subject of its commit, a fetch by its branch. */
function gitText(item) {
  const ref = item.refs[0];
  if (refusedPush(item)) return "refused";
  return visible(item.push ? ref.subject || ref.commit : `fetches ${item.refs.map((each) => each.branch).join(", ")}`);
}

/** Arrows of messages between the same two that lie near each other become one where there are many. */
function joinedArrows(messages, x, dense) {
  if (!dense) return messages.map((item) => ({ item, count: 1 }));
  const groups = new Map();
  for (const item of messages) {
    const key = `${item.sender} ${item.to} ${!!item.refused} ${Math.floor(x(item.sent) / NEAR)}`;
    const group = groups.get(key);
    if (group) group.count++;
    else groups.set(key, { item, count: 1 });
  }
  return [...groups.values()];
}

/** Messages from sent to read. Unread ones are dashed and end in the open, refused ones at the sender. */
function Arrows({ picture, scale: { x }, layout, dim, seen, dense }) {
  const within = picture.messages.filter(
    (item) => picture.member[item.sender] && seen(item.sent, item.read ?? item.sent),
  );
  const notices = picture.messages.filter(
    (item) => item.type === "notice" && picture.member[item.to] && seen(item.sent),
  );
  return html`${notices.map(
    (item) => html`<g class="notice${dim(item.id) ? " dim" : ""}" data-id=${item.id}>
      <path d=${`M${x(item.sent)} ${layout.middle(item.to) - 36}l4.5 4.5 -4.5 4.5 -4.5 -4.5z`} /></g>`,
  )}
    ${joinedArrows(within, x, dense).map(({ item, count }) => 
      html`<${Arrow} key=${item.id} ...${{ picture, item, count, x, layout, dim, dense }} />`)}`;
}

function Arrow({ picture, item, count, x, layout, dim, dense }) {
  const y1 = layout.middle(item.sender);
  const to = picture.member[item.to] ? layout.middle(item.to) : y1 - 40;
  const down = to > y1 ? 1 : -1;
  const a = x(item.sent);
  const b = item.read == null ? a + 26 : x(item.read);
  const start = y1 + down * 8;
  const end = item.refused ? y1 + down * 26 : to - down * 15;
  const middle = (start + end) / 2;
  const lost = isLost(picture, item);
  const state = readState(picture, item);
  const path = `M${a} ${start}C${a} ${middle} ${b} ${middle} ${b} ${end}`;
  const head = item.refused
    ? `M${b - 4} ${end - 4}l8 8m0 -8l-8 8`
    : `M${b - 4.5} ${end - down * 7}L${b + 4.5} ${end - down * 7}L${b} ${end}Z`;
  const place = lost ? { x: b + 6, y: end - down * 2 + 4 } : { x: (a + b) / 2, y: middle + 4 };
  const kinds = ["message", picture.member[item.sender].hue, lost && "lost", item.refused && "refused", dim(item.id) && "dim"];
  return html`<g class=${kinds.filter(Boolean).join(" ")} data-id=${item.id} data-count=${count > 1 ? count : null}>
    <path class="hit" d=${path} /><path class="curve" d=${path} /><path class="head" d=${head} />
    <circle class="dot" cx=${a} cy=${y1} r=${dense ? 4 : 9} />
    ${!dense && html`<text class="dot-n" x=${a} y=${y1 + 4}>${item.number}</text>`}
    ${count > 3 && html`<text class="lag many-n" x=${(a + b) / 2} y=${middle + 4}>${count}</text>`}
    ${!dense && (b - a > 46 || lost) && html`<text class="lag" x=${place.x} y=${place.y}>${state}</text>`}
    ${!dense && item.crossed.length > 0 && b - a > 46 && html`<text class="lag crossed" x=${(a + b) / 2} y=${middle + 17}>crossed</text>`}
  </g>`;
}

/** Where the members' lines flow together. */
function MergeNode({ picture, scale: { x }, layout }) {
  const { decisive, page } = picture;
  const at = x(page.tests_begin);
  const y = layout.rowY(0) + 9;
  const clean = decisive.status === "clean";
  const sign = clean ? `M${at - 4} ${y}l3 3.5 5.5-7` : `M${at - 3.5} ${y - 3.5}l7 7m0-7l-7 7`;
  const single = decisive.alone != null || picture.members.length < 2;
  return html`<g class="node ${clean ? "pass" : "conflict"}" data-id=${decisive.id}><circle cx=${at} cy=${y} r="10" />
    <path d=${sign} /></g>
    <text class="note end" x=${at - 18} y=${y + 4}>
      ${single ? "hidden tests" : `${decisive.name} merge: ${decisive.status.replaceAll("_", " ")}`}</text>`;
}

/** A suite, or the merge that kept all of them from running. Solid: it counts. Dashed: what if. */
function Row({ picture, scale: { x }, layout, item, row, width, dim }) {
  const merge = item.type === "merge";
  const a = Math.max(x(item.t0), x(picture.page.tests_begin) + 16);
  const b = merge ? width - EDGE : Math.max(x(item.t1), a + 4);
  const y = layout.rowY(row);
  const tone = merge ? "conflict" : item.outcome === "passed" ? "pass" : "fail";
  const counts = merge || (item.stage && item.stage.counts);
  const texts = merge ? [clip(stuckText(item), b - a)] : suiteTexts(item, picture);
  const inside = merge || texts[0].length * 6.1 < b - a - 12;
  const before = a - x(picture.page.tests_begin) - 22; // pixels left of the bar
  const beside = !inside && texts.find((text) => text.length * 6.1 < before - 8);
  return html`<g class="suite ${tone}${counts ? "" : " what-if"}${dim(item.id) ? " dim" : ""}" data-id=${item.id}>
    <rect x=${a} y=${y} width=${Math.max(4, b - a)} height="18" rx="4" />
    ${
      beside && beside.length >= fitting(texts, b - a).length
        ? html`<text class="beside" x=${a - 7} y=${y + 13}>${beside}</text>`
        : html`<text x=${a + 8} y=${y + 13}>${inside ? texts[0] : fitting(texts, b - a)}</text>`
    }
  </g>`;
}

function stuckText(stage) {
  const paths = [...new Set(stage.regions.map((region) => baseName(region.path)))];
  return paths.length
    ? `${list(paths)} in conflict, no tests ran`
    : `${stage.status.replaceAll("_", " ")}, no tests ran`;
}

/** What a suite is and how it went, in three lengths. */
function suiteTexts(suite, picture) {
  const stage = suite.stage || {};
  const place = stage.alone != null ? (picture.members.length > 1 ? `${stage.name} alone` : "alone") : stage.name;
  const failing = suite.failing.length;
  const result = failing
    ? `${failing} of ${suite.all} fail`
    : suite.outcome === "passed"
      ? `${suite.all} pass`
      : suite.outcome.replaceAll("_", " ");
  return [
    `${place} · f${suite.feature} · ${result}`,
    `${place} · f${suite.feature} ${failing ? `✕ ${failing}` : suite.outcome === "passed" ? "✓" : "✕"}`,
    `f${suite.feature}`,
  ];
}

/** The card beside the pointer: four facts. */
function Tip({ item, count, x, y }) {
  const rows = tipRows(item);
  if (count) rows.push(["here", item.type === "step" ? `${count} steps; zoom in to see them` : `${count} messages`]);
  return html`<div class="tip" role="presentation" style=${{ left: `${x}px`, top: `${y}px` }}>
    ${rows.map(([name, value], i) => html`<div class=${i ? "" : "tip-head"}><span>${name}</span><span>${value}</span></div>`)}
    ${item.text && html`<p>${visible(item.text.slice(0, 200))}</p>`}
  </div>`;
}

function tipRows(item) {
  if (item.type === "step") {
    const model = `${seconds(item.model[1] - item.model[0])}${item.estimated ? " (estimated)" : ""}`;
    const took = seconds(item.act[1] - item.act[0]);
    const facts = [
      [`${item.agent} · step ${item.number}`, item.label],
      ["model", model],
      [item.action === "wait" ? "waited" : "action", took],
    ];
    if (item.cost != null) facts.push(["cost", money(item.cost)]);
    if (item.output_tokens != null)
      facts.push(["tokens", `${tokens(item.input_tokens)} in, ${tokens(item.output_tokens)} out`]);
    if (item.timed_out) facts.push(["ended by", "its time limit"]);
    else if (item.exit_code) facts.push(["exit code", item.exit_code]);
    for (const wait of item.waits)
      facts.push([
        "waits",
        `${seconds(wait.span[1] - wait.span[0])} ${wait.kind === "model" ? "for the provider" : wait.what}`,
      ]);
    if (item.repeat > 1) facts.push(["repeated", `${item.repeat} times by now`]);
    return facts;
  }
  if (item.type === "message" || item.type === "notice") {
    const read = item.refused ? "refused" : item.read == null ? "never" : `after ${seconds(item.read - item.sent)}`;
    const facts = [
      [`${item.sender} → ${item.to}`, item.type === "notice" ? "notice" : `message ${item.number}`],
      ["sent", moment(item.sent)],
      ["read", read],
    ];
    if (item.crossed.length) facts.push(["crossed with", list(item.crossed.map(String))]);
    return facts;
  }
  if (item.type === "git")
    return [
      [item.agent, item.push ? "push" : "fetch"],
      ["at", moment(item.time)],
      ...item.refs.slice(0, 3).map((ref) => [ref.branch, `${ref.commit} ${visible(ref.subject || "")}`]),
    ];
  if (item.type === "suite") {
    const stage = item.stage || {};
    const result = item.failing.length
      ? `${item.failing.length} of ${item.all} fail`
      : item.outcome.replaceAll("_", " ");
    return [
      [`feature ${item.feature}`, stage.alone != null ? `${stage.name} alone` : stage.name],
      ["result", result],
      ["took", seconds(item.t1 - item.t0)],
    ];
  }
  return [[item.name || item.kind || item.type, (item.status || "").replaceAll("_", " ")]];
}
