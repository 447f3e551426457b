// Begin: read the first part, draw, and read again when somebody says that there is more.

const VIEWS = {
  episode: async () => html`<${Episode} picture=${buildPicture(await readPart("page"))} />`,
  compare: async () => {
    const [left, right] = [
      buildPicture(await readPart("left/page"), "left/"),
      buildPicture(await readPart("right/page"), "right/"),
    ];
    return html`<${Comparison} left=${left} right=${right} />`;
  },
};

/** Draw the view that the page names. Called again, it draws what has changed and keeps what is chosen, open and zoomed. */
async function showPage() {
  const place = document.getElementById("page");
  try {
    render(await VIEWS[document.body.dataset.view](), place);
  } catch (error) {
    render(html`<main><p class="fail-text" role="alert">This page cannot be shown: ${error.message}</p></main>`, place);
    throw error;
  }
}

if (VIEWS[document.body.dataset.view]) showPage();
