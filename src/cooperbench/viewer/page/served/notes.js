// Notes and labels of a reader. They are saved beside the record, in the run's labels.jsonl, and nothing else is ever written.

const LABELS = {
  note: ["note"],
  speech_act: ["plan", "question", "answer", "status", "warning", "other"],
  symptom: ["unanswered_question", "broken_promise", "late_message", "repetition", "wrong_assumption", "no_coordination"],
};

/** What is chosen on the page, as its address says: a step, a message, or else the whole episode. */
function chosenPlace() {
  const place = decodeURIComponent(location.hash.slice(1));
  return /^(message\.\d+|[A-Za-z0-9_-]+\.\d+)$/.test(place) && !/^(git|suite|merge|notice|board)\./.test(place) ? place : "";
}

const remembered = () => {
  try {
    return localStorage.getItem("labeller") || "";
  } catch {
    return ""; // a browser may keep nothing
  }
};

function remember(labeller) {
  try {
    localStorage.setItem("labeller", labeller);
  } catch {
    // asked again next time
  }
}

const send = (label) =>
  fetch(base.replace("api/parts/", "api/labels/"), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(label),
  });

function Notes() {
  const [open, setOpen] = useState(false);
  const [place, setPlace] = useState("");
  const [kind, setKind] = useState("note");
  const [label, setLabel] = useState("note");
  const [text, setText] = useState("");
  const [labeller, setLabeller] = useState(remembered);
  const [said, setSaid] = useState("");
  useEffect(() => {
    const follow = () => setTimeout(() => setPlace(chosenPlace()));
    for (const event of ["click", "keyup", "hashchange"]) addEventListener(event, follow);
    follow();
    return () => ["click", "keyup", "hashchange"].forEach((event) => removeEventListener(event, follow));
  }, []);
  const choose = (kind) => {
    setKind(kind);
    setLabel(LABELS[kind][0]);
  };
  const save = async (event) => {
    event.preventDefault();
    const answer = await send({ place, kind, label, labeller, comment: text });
    if (!answer.ok) return setSaid((await answer.text()).trim());
    remember(labeller);
    setText("");
    return setSaid("Saved.");
  };
  const show = (open) => {
    setOpen(open);
    setSaid("");
  };
  if (!open) return html`<button class="note-open" onClick=${() => show(true)}>Add a note</button>`;
  const hint = kind === "note" ? "What did you see?" : "Why? (optional)";
  return html`<form class="note-form" aria-label="Add a note" onSubmit=${save} onKeyDown=${(event) => event.key === "Escape" && show(false)}>
    <p><b>${place ? `About ${place}` : "About the whole episode"}</b>
      <button type="button" class="icon" aria-label="Close" onClick=${() => show(false)}>×</button></p>
    <div class="row"><${Select} name="Kind" values=${Object.keys(LABELS)} chosen=${kind} onChange=${choose} />
      ${kind !== "note" && html`<${Select} name="Label" values=${LABELS[kind]} chosen=${label} onChange=${setLabel} />`}</div>
    <textarea aria-label="Note" rows="4" placeholder=${hint} value=${text} onInput=${(event) => setText(event.target.value)}></textarea>
    <div class="row"><label>By <input value=${labeller} placeholder="your name" onInput=${(event) => setLabeller(event.target.value)} /></label>
      <button class="button">Save</button></div>
    <p role="status">${said}</p>
  </form>`;
}

const Select = ({ name, values, chosen, onChange }) => html`<label>${name}
  <select value=${chosen} onChange=${(event) => onChange(event.target.value)}>
    ${values.map((value) => html`<option value=${value}>${value.replaceAll("_", " ")}</option>`)}</select></label>`;

const notes = document.createElement("div");
notes.className = "note-box";
document.body.append(notes);
render(html`<${Notes} />`, notes);
