// What the server says while the page is open.

/** Call `onNews` with each event from `api/events/…`. An exported page has none. Returns true while the server answers. */
function useLive(address, onNews) {
  const [connected, setConnected] = useState(served);
  useEffect(() => (served ? follow(`${root}api/events${address}`, onNews, setConnected) : undefined), [address]);
  return connected;
}

const Lost = ({ connected }) =>
  served && !connected
    ? html`<p class="lost" role="status">The server does not answer: this page no longer follows the run.
        Start <code>cooperbench view</code> again.</p>`
    : null;
