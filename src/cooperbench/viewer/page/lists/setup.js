// What all lists share: the library, the addresses of pages, marks for outcomes.

const { h, render } = preact;
const { useState, useEffect, useMemo, useRef } = preactHooks;
const html = htm.bind(h);

/** The way from this page to `index.html`, such as "../../". */
const root = document.querySelector("meta[name=root]").content;
/** True if a server answers below `api/`; an exported page has nobody to ask. */
const served = document.querySelector("meta[name=served]") !== null;

const place = (...names) => names.map(encodeURIComponent).join("/");
const folderOf = (group) => place(...group.task.split("/"), group.episode.split("/").pop());
const link = {
  runs: () => `${root}index.html`,
  run: (run) => `${root}data/${place(run)}/index.html`,
  episode: (run, group) => `${root}data/${place(run)}/${folderOf(group)}.html`,
  versus: (run, other) => `${root}versus/${place(run, other)}/index.html`,
  both: (run, other, group) => `${root}versus/${place(run, other)}/${folderOf(group)}.html`,
};

/** The page that compares two runs, in the order in which a folder has it; nothing where it has none. A server has all. */
function versusLink(run, other, pairs) {
  if (!pairs) return link.versus(run, other);
  const found = pairs.find((pair) => pair.includes(run) && pair.includes(other));
  return found ? link.versus(...found) : "";
}

const TONES = {
  passed: "pass",
  merge_conflict: "conflict",
  tests_failed: "fail",
  forced: "fail",
  patch_rejected: "fail",
  no_patch: "fail",
};
const ICONS = {
  pass: "M4 8.5l3 3 5.5-7",
  conflict: "M8 3.8v5M8 11.2v1",
  fail: "M4.5 4.5l7 7m0-7l-7 7",
  open: "M4.5 8h7",
  running: "M8 4.5v3.7l2.4 1.6",
};

/** The outcome of a group, or the state of one without a verdict. */
const outcomeOf = (group) => group.outcome || (group.state === "finished" ? "not_judged" : group.state);
const toneOf = (outcome) => TONES[outcome] || (outcome === "running" ? "running" : "open");
const words = (name) => name.replaceAll("_", " ");

const Mark = ({ outcome }) => {
  const tone = toneOf(outcome);
  return html`<svg class="mark ${tone}" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
    <circle cx="8" cy="8" r="8" /><path d=${ICONS[tone]} /></svg>`;
};

/** The line on top: where the reader is, and what stands at its right end. */
const Top = ({ crumbs, children }) => html`<nav class="top">
  <span class="crumbs">${crumbs.map(([name, address], at) => html`${at > 0 && html`<i>/</i>`}
    ${address ? html`<a href=${address}>${visible(name)}</a>` : html`<b>${visible(name)}</b>`}`)}</span>
  ${children}
</nav>`;

/** Facts with their names above them. */
const Facts = ({ facts }) =>
  html`<dl class="facts">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;

/** A bar with the share of each outcome. */
const Shares = ({ outcomes, planned }) => {
  const order = Object.entries(outcomes).sort(([a], [b]) => (toneOf(a) < toneOf(b) ? 1 : -1));
  const said = order.map(([name, count]) => `${count} ${words(name)}`).join(", ") || "no verdict yet";
  const share = (count) => ({ width: `${(100 * count) / Math.max(1, planned)}%` });
  return html`<span class="shares" role="img" aria-label=${said} title=${said}>
    ${order.map(([name, count]) => html`<i class=${toneOf(name)} style=${share(count)}></i>`)}</span>`;
};
