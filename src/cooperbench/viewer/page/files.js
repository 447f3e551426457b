// Files: who changed which lines of the base, and where members meet.

function FilesSection({ picture, select }) {
  const [most, setMost] = useState(40);
  const { files, page } = picture;
  if (!files.length) return null;
  return html`<section class="card" id="files" aria-label="Files">
    <div class="card-head"><h2>Files</h2><span class="muted">who changed which lines of the base</span></div>
    ${page.suspects
      .slice(0, 3)
      .map(
        (each) =>
          html`<p class="line meet"><${Who} picture=${picture} id=${each.used_by} /> calls <code>
            ${visible(each.name)}()</code> in <code>${visible(baseName(each.used_in))}
            </code>, which <${Who} picture=${picture} id=${each.changed_by} /> changed <span class="muted">(found by name)</span>
            </p>`,
      )}
    ${files.slice(0, most).map((file, i) => 
      html`<${FileRow} key=${file.path} ...${{ picture, file, select }} opened=${i === 0 && file.sides.length > 1} />`)}
    ${files.length > most && html`<button class="more"
      onClick=${() => setMost(Infinity)}>Show all ${number(files.length)} files</button>`}
  </section>`;
}

function FileRow({ picture, file, select, opened }) {
  const together = file.sides.length > 1;
  const dropped = file.sides.some((side) => side.dropped);
  const note = file.overlaps.length
    ? html`<span class="chip conflict">same lines, ${plural(file.overlaps.length, "place")}</span>`
    : together
      ? html`<span class="chip">same file</span>`
      : dropped
        ? html`<span class="chip">left out</span>`
        : "";
  const right = html`${together && html`<span class="told"><${Mentioned} ...${{ picture, path: file.path, select }} /></span>`}
    <${Strip} picture=${picture} file=${file} />
    <span class="counts-of">${file.sides.map((side) => html`<span class="name ${(picture.member[side.agent_id] || {}).hue || ""}">
      <i class="who"></i><span class="num"><b class="plus">+${side.added}</b> <b class="minus">−${side.removed}</b></span>
      </span>`)}</span>`;
  return html`<${Fold} id=${`file-${file.path}`} opened=${opened} title=${html`<code class="path">${visible(file.path)}
    </code>`} note=${note} right=${right}>
    <div class="sides diffs">${file.sides.map((side) => html`<div class="side ${(picture.member[side.agent_id] || {}).hue || ""}">
      <h3><${Who} picture=${picture} id=${side.agent_id} />
      ${side.dropped && html`<span class="chip">left out: ${visible(side.dropped)}</span>`}</h3><${Diff} text=${side.diff} />
      </div>`)}</div>
  <//>`;
}

/** The file from its first to its last line: a row for each member, a frame around lines that several changed. */
function Strip({ picture, file }) {
  const percent = (lines) => (100 * lines) / file.length;
  return html`<span class="strip" aria-hidden="true">
    ${file.sides.map(
      (side) =>
        html`<span class="strip-row ${(picture.member[side.agent_id] || {}).hue || ""}">${side.ranges
          .slice(0, 200)
          .map(([first, removed, added]) => {
            const lines = removed || (side.new ? added : 0);
            return html`<i style=${{ left: `${percent(Math.max(0, first - 1))}%`, width: `max(3px, ${percent(lines)}%)` }}></i>`;
          })}</span>`,
    )}
    ${file.overlaps.slice(0, 200).map(([first, last]) => html`<em
      style=${{ left: `calc(${percent(first - 1)}% - 3px)`, width: `calc(max(3px, ${percent(last - first + 1)}%) + 6px)` }}>
      </em>`)}
  </span>`;
}
