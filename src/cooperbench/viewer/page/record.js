// From the parts of a page to a picture: every thing that can be chosen has an id, a type and a moment. Knows nothing of the screen.

/** The values that a page leaves out because they are the defaults of its model. */
const PAGE_DEFAULTS = {
  lanes: [],
  messages: [],
  git: [],
  board: [],
  stages: [],
  suites: [],
  files: [],
  suspects: [],
  labels: [],
};
const STEP_DEFAULTS = { waits: [], calls: 1, repeat: 1, changed: [] };
const HUES = 4;

/** Build the picture of an episode from its part "page". `prefix` tells two episodes on one page apart. */
function buildPicture(given, prefix = "") {
  const page = { repeat: 1, unclear: [], ...PAGE_DEFAULTS, ...given };
  page.verdict = { reason: "", jump: "", notes: [], ...page.verdict };
  const members = page.lanes.map((lane, index) => buildMember(lane, index));
  const member = Object.fromEntries(members.map((item) => [item.id, item]));
  const steps = members.flatMap((item) => item.steps);
  const messages = page.messages.map((item) => ({
    crossed: [],
    ...item,
    type: item.sender === "harness" ? "notice" : "message",
    t0: item.sent,
  }));
  const gits = page.git.map((item) => ({ ...item, type: "git", agent: item.agent_id, t0: item.time }));
  const stages = page.stages.map((item) => ({ steps: [], regions: [], ...item, type: "merge", t0: item.span[0] }));
  const suites = page.suites.map((item) => buildSuite(item, stages));
  const decisive = stages.find((stage) => stage.counts) || stages.find((stage) => !stage.alone);
  const marks = members.flatMap((item) => item.marks);
  const board = page.board.map((item) => ({ ...item, type: "board", t0: item.time, agent: item.agent_id }));
  const files = page.files.map((file) => ({ overlaps: [], mentions: [], ...file }));
  const of = prefix ? ` of ${page.run}` : ""; // two episodes on one page have names and ids of their own
  const picture = {
    page,
    prefix,
    of,
    members,
    member,
    steps,
    messages,
    gits,
    stages,
    suites,
    decisive,
    marks,
    board,
    files,
  };
  picture.talk = messages.filter((item) => item.type === "message");
  picture.shownSuites = suites.filter((suite) => !suite.reused);
  const inTime = (one, other) => one.t0 - other.t0 || one.id.localeCompare(other.id, "en", { numeric: true });
  picture.order = [...steps, ...marks, ...(decisive ? [decisive] : []), ...picture.shownSuites].sort(inTime);
  picture.byId = new Map(
    [...steps, ...messages, ...gits, ...board, ...marks, ...stages, ...suites].map((item) => [item.id, item]),
  );
  const conflict = decisive && decisive.status !== "clean" ? [decisive] : [];
  const failing = picture.shownSuites.filter((suite) => suite.outcome !== "passed");
  picture.failures = [...steps.filter((step) => step.failed), ...marks, ...conflict, ...failing].sort(inTime);
  picture.chunks = new Map();
  return picture;
}

/** What became of a message, in words. While the team works, nobody knows yet who has read what. */
function readState(picture, item, read = "") {
  if (item.refused) return "refused";
  if (item.read != null) return `${read}${seconds(item.read - item.sent)}`;
  return picture.page.live ? "sent" : read ? "never read" : "unread";
}

/** True for a message that did not reach anybody. */
const isLost = (picture, item) => !!item.refused || (item.read == null && !picture.page.live);

/** A member with its steps and marks. */
function buildMember(lane, index) {
  const id = lane.agent_id;
  const steps = (lane.steps || []).map((step) => ({
    ...STEP_DEFAULTS,
    ...step,
    id: `${id}.${step.number}`,
    type: "step",
    agent: id,
    t0: step.model[0],
    t1: step.act[1],
  }));
  const marks = (lane.marks || []).map((mark, n) => ({
    ...mark,
    id: `${id}.mark${n + 1}`,
    type: "mark",
    agent: id,
    t0: mark.time,
  }));
  return { ...lane, id, index, hue: `h${index % HUES}`, steps, marks, t0: lane.begin, t1: lane.end };
}

function buildSuite(item, stages) {
  const stage = stages.find((each) => `suite.${each.id.slice("merge.".length)}.${item.feature}` === item.id);
  const failing = item.failing || [];
  const all = item.passed + failing.length;
  return { skipped: 0, output: "", ...item, type: "suite", stage, failing, all, t0: item.span[0], t1: item.span[1] };
}

/** Steps in one part of texts; as `CHUNK` in `models.py`. */
const CHUNK = 100;
const chunkOf = (step) => `${step.agent}.${Math.floor((step.number - 1) / CHUNK)}`;

/** The texts of a step; null until its part has been read. */
function detailsOf(picture, step) {
  const chunk = picture.chunks.get(chunkOf(step));
  if (!chunk) return null;
  const found = (chunk.steps || [])[(step.number - 1) % CHUNK] || {};
  return { thought: "", reasoning: "", calls: [], answers: [], notes: [], raw: [], ...found };
}

/** Read the part with the texts of a step, once. */
async function loadChunk(picture, name) {
  if (!picture.chunks.has(name)) picture.chunks.set(name, await readPart(`${picture.prefix}${name}`));
  return picture.chunks.get(name);
}

/** The names of all parts with texts. */
const chunkNames = (picture) =>
  picture.members.flatMap((item) => Array.from({ length: item.chunks || 1 }, (_, n) => `${item.id}.${n}`));

/** The texts of a thing that search looks through, in small letters. */
function searchText(picture, item) {
  const parts = [item.id, item.agent, item.sender, item.label, item.text, item.reason, item.output, item.name];
  for (const test of item.failing || []) parts.push(test.name, test.output);
  for (const ref of item.refs || []) parts.push(ref.subject, ref.branch, ref.commit);
  for (const region of item.regions || []) parts.push(region.path);
  const details = item.type === "step" ? detailsOf(picture, item) : null;
  if (details) {
    parts.push(details.thought, details.reasoning, ...details.notes);
    for (const call of details.calls) parts.push(call.tool, call.text);
    for (const answer of details.answers) parts.push(answer.text);
  }
  return parts.filter(Boolean).join("\n");
}

/** The lines of a patch's hunks, each with its old and new number. */
function parseHunks(text) {
  const hunks = [];
  let before, after;
  for (const line of text.split("\n")) {
    const head = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)/.exec(line);
    if (head) {
      [before, after] = [+head[1], +head[2]];
      hunks.push({ title: head[3], lines: [] });
    } else if (hunks.length && " +-".includes(line[0] || "x")) {
      const kind = line[0];
      const numbers = { old: kind === "+" ? null : before++, new: kind === "-" ? null : after++ };
      hunks.at(-1).lines.push({ kind, text: line.slice(1), ...numbers });
    } else if (line && !line.startsWith("\\")) {
      if (!hunks.length) hunks.push({ title: "", lines: [] });
      hunks.at(-1).lines.push({ kind: " ", text: line, old: null, new: null });
    }
  }
  return hunks;
}
