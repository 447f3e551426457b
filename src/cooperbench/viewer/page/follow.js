// What a server says while a page is in sight.

/**
 * Call `onNews` with each server-sent event, and `onState` with whether the server answers. Returns a function that ends it.
 * Nothing is asked while the page is hidden: browsers allow six connections to a server, and many tabs may be open.
 */
function follow(address, onNews, onState = () => {}) {
  let source = null;
  const close = () => {
    if (source) source.close();
    source = null;
  };
  const open = () => {
    source = new EventSource(address);
    source.onmessage = (event) => onNews(JSON.parse(event.data));
    source.onopen = () => onState(true);
    source.onerror = () => onState(false);
  };
  const change = () => {
    if (document.hidden) close();
    else if (!source) open();
  };
  document.addEventListener("visibilitychange", change);
  change();
  return () => {
    document.removeEventListener("visibilitychange", change);
    close();
  };
}
