// Two episodes side by side, with the place where each member's steps begin to differ.

/** What a step did, to compare it: its calls where they have been read, else its label. */
function deedOf(picture, step) {
  const details = detailsOf(picture, step);
  return details ? JSON.stringify(details.calls.map((call) => [call.tool, call.to || "", call.text])) : step.label;
}

/** For each member that both episodes have, the first step that differs: {left, right}, either of which may be missing. */
async function findDivergence(left, right) {
  const found = {};
  for (const [position, one] of left.members.entries()) {
    const other = right.member[one.id] || right.members[position];
    if (!other) continue;
    const most = Math.max(one.steps.length, other.steps.length);
    for (let n = 0; n < most; n++) {
      const [a, b] = [one.steps[n], other.steps[n]];
      if (n % CHUNK === 0) {
        await breathe();
        if (a) await loadChunk(left, chunkOf(a));
        if (b) await loadChunk(right, chunkOf(b));
      }
      if (!a || !b || deedOf(left, a) !== deedOf(right, b)) {
        found[one.id] = { left: a || null, right: b || null, other: other.id };
        break;
      }
    }
  }
  return found;
}

function Comparison({ left, right }) {
  const [divergence, setDivergence] = useState(null);
  const [mode, setMode] = useState("even");
  const [zoom, zoomBy] = useZoom();
  const [selected, setSelected] = useState({
    left: left.page.verdict.jump || null,
    right: right.page.verdict.jump || null,
  });
  const piece = usePieces(2);
  useEffect(() => {
    findDivergence(left, right).then((found) => {
      setDivergence(found);
      const first = firstOf(found);
      if (first) setSelected({ left: first.left && first.left.id, right: first.right && first.right.id });
      document.documentElement.dataset.compared = "true";
    });
  }, [left, right]);
  const chooser = (side) => (id) => setSelected((old) => ({ ...old, [side]: id }));
  const shared = (side, picture) => ({ picture, selected: selected[side], select: chooser(side) });
  const stepBy = (by) =>
    setSelected((old) => ({ left: along(left, old.left, by), right: along(right, old.right, by) }));
  useKeys(
    {
      l: () => stepBy(1),
      h: () => stepBy(-1),
      j: () => stepBy(1),
      k: () => stepBy(-1),
      t: () => setMode((old) => (old === "even" ? "clock" : "even")),
      "+": () => zoomBy(1.5),
      "=": () => zoomBy(1.5),
      "-": () => zoomBy(1 / 1.5),
      0: () => zoomBy(0),
    },
    { escape: () => document.activeElement.blur(), enter: () => {} },
  );
  const sides = [
    ["left", left],
    ["right", right],
  ];
  const marks = (side) =>
    divergence &&
    Object.fromEntries(Object.entries(divergence).map(([id, pair]) => [side === "left" ? id : pair.other, pair[side]]));
  return html`<div>
    <nav class="top" aria-label="Comparison"><span class="crumbs"><${Upwards}>${left.page.run}<i>beside</i>${right.page.run}</${Upwards}><i>/</i><b>
      ${left.page.episode}${right.page.episode === left.page.episode ? "" : ` and ${right.page.episode}`}</b></span></nav>
    <main>
      <div class="pair">${sides.map(([side, picture]) => html`<div><p class="muted">${picture.page.run}</p>
        <${Verdict} picture=${picture} select=${chooser(side)} />
        <${Matrix} ...${shared(side, picture)} /></div>`)}</div>
      <${Differences} left=${left} right=${right} />
      <${DivergenceLine} ...${{ left, right, divergence, setSelected }} />
      ${piece > 0 && html`<${Tools} ...${{ mode, setMode, zoomBy }} />
        ${sides.map(([side, picture]) => html`<h2 class="side-title">${picture.page.run}</h2>
        <${Lanes} key=${side} ...${shared(side, picture)} hits=${null} mode=${mode}
          zoom=${zoom} zoomBy=${zoomBy} divergence=${marks(side)} />`)}`}
      ${piece > 1 && html`<div class="pair">
        ${sides.map(([side, picture]) => html`<${Detail} ...${shared(side, picture)}
          go=${(by) => chooser(side)(along(picture, selected[side], by))} />`)}</div>`}
    </main>
  </div>`;
}

const firstOf = (found) => Object.values(found).sort((a, b) => momentOf(a) - momentOf(b))[0];
const momentOf = ({ left, right }) => Math.min(left ? left.t0 : Infinity, right ? right.t0 : Infinity);

/** The step after or before another one of the same member. */
function along(picture, id, by) {
  const here = picture.byId.get(id);
  const steps = here && here.type === "step" ? picture.member[here.agent].steps : picture.order;
  const next = neighbour(steps, here, by);
  return next ? next.id : id;
}

/** Facts of both, those that differ set off. */
function Differences({ left, right }) {
  const [one, other] = [factsOf(left), new Map(factsOf(right).map((fact) => [fact[0], fact]))];
  return html`<div class="scroller"><table class="differences"><caption class="sr">Facts of both episodes</caption>
    <thead><tr><th scope="col"><span class="sr">fact</span></th><th scope="col">${left.page.run}</th><th scope="col">
      ${right.page.run}</th></tr></thead>
    <tbody>${one.map(([name, value, small]) => {
      const [, second, extra] = other.get(name) || [name, "–", ""];
      const same = String(value) === String(second);
      return html`<tr class=${same ? "" : "differs"}><th scope="row">${name}</th><td>${value} <small>${small}</small></td><td>
        ${second} <small>${extra}</small></td></tr>`;
    })}</tbody></table></div>`;
}

function DivergenceLine({ left, right, divergence, setSelected }) {
  if (!divergence) return html`<p class="muted" role="status">Comparing the steps …</p>`;
  const found = Object.entries(divergence);
  if (!found.length) return html`<p class="line meet pass" role="status">Both teams took the same steps.</p>`;
  const show = (pair) => setSelected({ left: pair.left && pair.left.id, right: pair.right && pair.right.id });
  const where = ({ left: a, right: b }) =>
    a && b
      ? `from step ${a.number}`
      : a
        ? `has ${left.member[a.agent].steps.length - a.number + 1} steps more in ${left.page.run}`
        : `has ${right.member[b.agent].steps.length - b.number + 1} steps more in ${right.page.run}`;
  return html`<p class="line" role="status">
    <b>The steps differ:</b> ${found.map(([id, pair]) => html`<button class="chip" onClick=${() => show(pair)}>
    <${Who} picture=${left} id=${id} /> ${where(pair)}</button>`)}</p>`;
}
