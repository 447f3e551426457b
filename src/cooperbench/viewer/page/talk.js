// The conversation in the order of the broker, with notices, pushes and fetches: one stream of who could know what, when.

const SHOWN = 120; // entries around the chosen one; thousands would make every key slow

function Conversation({ picture, selected, select, hits }) {
  const ref = useRef(null);
  const items = useMemo(
    () => [...picture.messages, ...picture.gits, ...picture.board].sort((a, b) => a.t0 - b.t0),
    [picture],
  );
  const current = picture.byId.get(selected);
  const isOn = (item) => selected === item.id || (current && current.id === item.step);
  const direct = items.findIndex(isOn);
  const at = direct >= 0 || !current ? direct : items.findLastIndex((item) => item.t0 <= current.t0);
  const center = useRef(0);
  const chosen = useRef(null);
  const [, redraw] = useState(0);
  if (chosen.current !== selected) {
    chosen.current = selected;
    center.current = Math.max(0, at);
  }
  const first = Math.max(0, Math.min(center.current - SHOWN / 2, items.length - SHOWN));
  const last = Math.min(items.length, first + SHOWN);
  const turn = (place) => {
    center.current = place;
    redraw((n) => n + 1);
  };
  useEffect(() => {
    const node = ref.current && ref.current.children[at - first];
    if (node) ref.current.scrollTop = node.offsetTop - 90;
  }, [selected]);
  return html`<section class="card talk" aria-label="Conversation">
    <div class="card-head"><h2>Conversation</h2><span class="muted">
      ${plural(picture.talk.length, "message")}${picture.talk.length > 1 ? ", in broker order" : ""}</span></div>
    ${!picture.talk.length && picture.members.length > 1 && html`<div class="silence"><b>Silence</b>
      <p>Nobody sent a message in ${seconds(picture.page.work_end)}.</p></div>`}
    ${first > 0 && html`<button class="more" onClick=${() => turn(first)}>
      ${number(first)} earlier</button>`}
    ${
      items.length > 0 &&
      html`<ol ref=${ref} tabindex="0">
      ${items.slice(first, last).map((item) => 
        html`<${Entry} key=${item.id} ...${{ picture, item, select, hits }} on=${isOn(item)} />`)}
    </ol>`
    }
    ${last < items.length && html`<button class="more" onClick=${() => turn(last)}>
      ${number(items.length - last)} later</button>`}
  </section>`;
}

function Entry({ picture, item, select, hits, on }) {
  const dim = hits && !hits.has(item.id) ? " dim" : "";
  const member = picture.member[item.agent || item.sender];
  const hue = member ? member.hue : "";
  if (item.type === "git" || item.type === "board") {
    const text =
      item.type === "board"
        ? visible(item.text)
        : html`${item.push ? "pushes" : "fetches"} <code>${item.push ? item.refs[0].commit : visible(item.refs[0].branch)}</code>
          <span class="cut">${item.push ? gitText(item) : ""}</span>`;
    return html`<li class="${hue}${dim}"><button class="event${on ? " on" : ""}" onClick=${() => select(item.id)}>
      <span class="muted">${moment(item.t0)}</span><${Who} picture=${picture} id=${item.agent} /> ${text}</button></li>`;
  }
  const words = readState(picture, item, "read after ");
  const state = isLost(picture, item) ? html`<span class="fail-text">${words}</span>` : words;
  return html`<li class="msg ${hue || "harness"}${on ? " on" : ""}${dim}" onClick=${() => select(item.id)}>
    <div class="msg-head">
      ${item.type === "message" && html`<button class="dot" aria-label=${`message ${item.number}`}
        onClick=${() => select(item.id)}>${item.number}</button>`}
      <b>${item.sender}</b> → ${visible(item.to)}<span class="right">${moment(item.sent)} · ${state}</span>
    </div>
    <p><${Prose} text=${item.text} /></p>
  </li>`;
}
