// Texts of agents, models and repositories: shown as text nodes only, never as markup. And numbers in words.

// Controls but tab and line feed; marks, separators and overrides that move text; half characters; invisible tags.
const CONTROLS = "\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f";
const MOVING = "\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ufeff";
const HIDDEN = new RegExp(`[${CONTROLS}${MOVING}\\ud800-\\udfff\\u{e0000}-\\u{e007f}]`, "gu");

/** Make invisible and direction-changing characters visible, such as ‹202e›. */
const visible = (text) =>
  text.replace(/\r\n/g, "\n").replace(HIDDEN, (c) => `‹${c.codePointAt(0).toString(16).padStart(4, "0")}›`);

const ESCAPES = new RegExp(
  "(\\u001b\\[[0-9;:?]*[ -/]*[@-~]|\\u001b[\\]P^_][^\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\)?|\\u001b[@-Z\\\\-_])",
);

/** Split text with ANSI colours into [class names, text]; other escape sequences are left out. */
function ansi(text) {
  const out = [];
  let classes = [];
  for (const part of text.split(ESCAPES)) {
    const colours = /^\u001b\[([0-9;]*)m$/.exec(part);
    if (colours) {
      for (const code of (colours[1] || "0").split(";").map(Number)) classes = colour(classes, code);
    } else if (part && !part.startsWith("\u001b")) out.push([classes.join(" "), visible(part)]);
  }
  return out;
}

/** The classes after one code of a colour sequence. */
function colour(classes, code) {
  if (code === 0) return [];
  if (code === 1) return [...classes, "a-bold"];
  if (code === 2) return [...classes, "a-dim"];
  if (code === 22) return classes.filter((name) => !/^a-[bd]/.test(name));
  const plain = classes.filter((name) => !/^a-\d/.test(name));
  if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) return [...plain, `a-${code % 10}`];
  return code === 39 ? plain : classes;
}

const number = (value) => (value == null ? "–" : value.toLocaleString("en-US"));
const plural = (count, word, many = `${word}s`) => `${number(count)} ${count === 1 ? word : many}`;
const baseName = (path) => path.split("/").pop();
const list = (items) => (items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`);

/** Thousands with one digit: 12.3k. */
const tokens = (value) =>
  value == null ? "–" : value < 1000 ? `${value}` : `${(value / 1000).toFixed(value < 99500 ? 1 : 0)}k`;

/** US dollars. */
function money(value) {
  if (value == null) return "–";
  return `$${value.toFixed(value < 0.01 ? 4 : value < 1 ? 3 : 2)}`;
}

/** A length of time. */
function seconds(value) {
  if (value == null) return "–";
  if (value < 0.0995) return `${Math.max(value ? 1 : 0, Math.round(value * 1000))} ms`;
  if (value < 9.95) return `${value.toFixed(1)} s`;
  if (value < 90) return `${Math.round(value)} s`;
  const minutes = Math.round(value / 60);
  return minutes < 90
    ? `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const twoDigits = (value) => String(Math.floor(value)).padStart(2, "0");

/** A moment on the clock of the episode: 7.2 s, 12:05, 1:02:33. */
function moment(value) {
  if (value < 100) return `${value.toFixed(1)} s`;
  const short = `${twoDigits((value % 3600) / 60)}:${twoDigits(value % 60)}`;
  return value < 3600 ? short.replace(/^0/, "") : `${Math.floor(value / 3600)}:${short}`;
}
