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
    const body = JSON.stringify({ place, kind, label, labeller, comment: text });
    const answer = await fetch(base.replace("api/parts/", "api/labels/"), { method: "POST", headers: { "Content-Type": "application/json" }, body });
    if (!answer.ok) return setSaid((await answer.text()).trim());
    try {
      localStorage.setItem("labeller", labeller);
    } catch {
      // asked again next time
    }
    setText("");
    return setSaid("Saved.");
  };
  if (!open) return html`<button class="note-open" onClick=${() => { setOpen(true); setSaid(""); }}>Add a note</button>`;
  return html`<form class="note-form" aria-label="Add a note" onSubmit=${save} onKeyDown=${(event) => event.key === "Escape" && setOpen(false)}>
    <p><b>${place ? `About ${place}` : "About the whole episode"}</b><button type="button" class="icon" aria-label="Close" onClick=${() => setOpen(false)}>×</button></p>
    <div class="row"><label>Kind <select value=${kind} onChange=${(event) => choose(event.target.value)}>${Object.keys(LABELS).map((name) => html`<option value=${name}>${name.replaceAll("_", " ")}</option>`)}</select></label>
    ${kind !== "note" && html`<label>Label <select value=${label} onChange=${(event) => setLabel(event.target.value)}>${LABELS[kind].map((name) => html`<option value=${name}>${name.replaceAll("_", " ")}</option>`)}</select></label>`}</div>
    <textarea aria-label="Note" rows="4" placeholder=${kind === "note" ? "What did you see?" : "Why? (optional)"} value=${text} onInput=${(event) => setText(event.target.value)}></textarea>
    <div class="row"><label>By <input value=${labeller} placeholder="your name" onInput=${(event) => setLabeller(event.target.value)} /></label><button class="button">Save</button></div>
    <p role="status">${said}</p>
  </form>`;
}

const notes = document.createElement("div");
notes.className = "note-box";
document.body.append(notes);
render(html`<${Notes} />`, notes);
