// Which list this page is.

const VIEWS = {
  runs: async () => html`<${RunsPage} first=${await readPart("runs")} />`,
  run: async () => html`<${RunPage} first=${await readPart("page")} beside=${await readPart("beside")} />`,
  versus: async () => html`<${VersusPage} first=${await readPart("first")} second=${await readPart("second")} />`,
};

async function start() {
  const begun = performance.now();
  const page = await VIEWS[document.body.dataset.view]();
  render(page, document.getElementById("page"));
  document.documentElement.dataset.ready = Math.round(performance.now() - begun);
}
start();
