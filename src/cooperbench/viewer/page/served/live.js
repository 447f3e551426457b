// The page of an episode below a server: it is drawn again when the record has grown.

const base = document.querySelector("meta[name=parts]").content;

/** Draw again at most once at a time; what arrives meanwhile is drawn afterwards. */
let drawing = null;
let again = false;
function refresh() {
  if (drawing) {
    again = true;
    return;
  }
  drawing = showPage().finally(() => {
    drawing = null;
    if (again) refresh();
    again = false;
  });
}

let stamp = document.querySelector("meta[name=stamp]").content;
follow(base.replace("api/parts/", "api/events/"), (news) => {
  if (!news.stamp || news.stamp === stamp) return;
  stamp = news.stamp;
  refresh();
});
