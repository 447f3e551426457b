// The lanes: every member, the git remote, merge and tests, on one clock.

const { h, render } = preact;
const { useState, useEffect, useLayoutEffect, useMemo, useRef } = preactHooks;
const html = htm.bind(h);

const AXIS = 28;
const LANE = 88;
const REMOTE = 60;
const ROW = 22;
const MARGIN = 300; // pixels left and right of what is seen that are drawn as well
const MOST_ZOOM = 400;

/** Where everything stands, from top to bottom. */
function makeLayout(picture) {
  const remote = picture.gits.length > 0 || picture.page.has_remote;
  const remoteTop = AXIS + picture.members.length * LANE;
  const testsTop = remoteTop + (remote ? REMOTE : 0);
  const { decisive } = picture;
  const stuck = decisive && decisive.status !== "clean";
  const rows = [...(stuck ? [decisive] : []), ...picture.shownSuites];
  return {
    remote,
    remoteTop,
    remoteY: remoteTop + REMOTE / 2,
    testsTop,
    rows,
    middle: (id) => AXIS + (picture.member[id] ? picture.member[id].index : 0) * LANE + LANE / 2,
    rowY: (index) => testsTop + 11 + index * ROW,
    height: testsTop + Math.max(1.6, rows.length) * ROW + 22,
  };
}

/** The name of every lane, beside the picture. */
function Gutter({ picture, layout }) {
  const pushes = picture.gits.filter((item) => item.push).length;
  const fetches = picture.gits.length - pushes;
  return html`<div class="gutter">
    <div style=${{ height: `${AXIS}px` }}></div>
    ${picture.members.map(
      (item) => html`<div class="lane-name ${item.hue}" style=${{ height: `${LANE}px` }}>
        <b><i class="who"></i>${item.id}</b>
        <span class="clamp2" title=${visible(item.title || "")}>
          ${visible((item.title || item.features.map((f) => `feature ${f}`).join(", ")).replaceAll("`", ""))}</span>
        <span class="stat">${plural(item.steps.length, "step")} · ${money(item.cost)}</span>
        ${item.ending && item.ending !== "submitted" && html`<span class="fail-text">${item.ending.replaceAll("_", " ")}</span>`}
      </div>`,
    )}
    ${
      layout.remote &&
      html`<div class="lane-name" style=${{ height: `${REMOTE}px` }}>
      <b>git remote</b><span>${plural(pushes, "push", "pushes")}, ${plural(fetches, "fetch", "fetches")}</span>
    </div>`
    }
    <div class="lane-name last">
      <b>merge + tests</b>
      <span>${picture.page.evaluation_seconds != null ? seconds(picture.page.evaluation_seconds) : "not evaluated"}</span>
    </div>
  </div>`;
}

/** Keep the chosen thing in sight, and the place under the pointer where it is when the zoom changes. */
function useScrolling(box, item, scale, width, anchor) {
  useLayoutEffect(() => {
    const place = anchor.current;
    if (!place || !box.current) return;
    box.current.scrollLeft = scale.x(place.time) - place.offset;
    anchor.current = null;
  }, [width, scale]);
  useEffect(() => {
    const view = box.current;
    if (!item || !view) return;
    const at = scale.x(item.t0);
    if (at < view.scrollLeft + 30 || at > view.scrollLeft + view.clientWidth - 60)
      view.scrollLeft = at - view.clientWidth / 3;
  }, [item && item.id]);
}

/** The width of an element, and the part of its content that is seen, in steps of 300 pixels. */
function useView(box) {
  const [view, setView] = useState({ room: 900, left: 0 });
  useLayoutEffect(() => {
    const node = box.current;
    const look = () => {
      const seen = { room: node.clientWidth, left: Math.floor(node.scrollLeft / 300) * 300 };
      setView((old) => (old.room === seen.room && old.left === seen.left ? old : seen));
    };
    look();
    const observer = new ResizeObserver(look);
    observer.observe(node);
    node.addEventListener("scroll", look, { passive: true });
    return () => {
      observer.disconnect();
      node.removeEventListener("scroll", look);
    };
  }, []);
  return view;
}

/** The zoom, changed once for each frame: keys and wheels come faster than thousands of bars are drawn. */
function useZoom() {
  const [zoom, setZoom] = useState(1);
  const wish = useRef(1);
  const frame = useRef(0);
  const zoomBy = (factor) => {
    wish.current = Math.min(MOST_ZOOM, Math.max(1, wish.current * factor));
    frame.current ||= requestAnimationFrame(() => {
      frame.current = 0;
      setZoom(wish.current);
    });
  };
  return [zoom, zoomBy];
}

/** Dragging moves the picture; a click without a drag chooses. */
function useDrag(box) {
  const drag = useRef(null);
  return {
    dragged: () => drag.current && drag.current.moved,
    handlers: {
      onPointerDown: (event) => {
        if (event.button === 0)
          drag.current = { x: event.clientX, left: box.current.scrollLeft, down: true, moved: false };
      },
      onPointerMove: (event) => {
        const state = drag.current;
        if (!state || !state.down) return;
        if (!event.buttons) state.down = false;
        else if (Math.abs(event.clientX - state.x) > 4) {
          state.moved = true;
          box.current.scrollLeft = state.left - (event.clientX - state.x);
        }
      },
      onPointerUp: () => {
        if (drag.current) drag.current.down = false;
      },
    },
  };
}

function Lanes({ picture, selected, select, hits, mode, zoom, zoomBy, divergence }) {
  const box = useRef(null);
  const anchor = useRef(null);
  const [tip, setTip] = useState(null);
  const { room, left } = useView(box);
  const width = Math.max(320, Math.floor(room * zoom));
  const scale = useMemo(() => makeScale(picture, width, mode), [picture, width, mode]);
  const layout = useMemo(() => makeLayout(picture), [picture]);
  const chosen = picture.byId.get(selected);
  const drag = useDrag(box);
  useScrolling(box, chosen, scale, width, anchor);

  const frame = () => box.current.getBoundingClientRect();
  const over = (event) => {
    const node = event.target.closest("[data-id]");
    const item = node && picture.byId.get(node.dataset.id);
    if (!item) return setTip(null);
    const outer = box.current.parentNode.getBoundingClientRect();
    const beside = Math.max(4, Math.min(event.clientX - outer.left, outer.width - 270));
    setTip({ item, count: node.dataset.count, x: beside, y: event.clientY - outer.top + 16 });
  };
  const wheel = (event) => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const offset = event.clientX - frame().left;
    anchor.current = { time: scale.timeAt(box.current.scrollLeft + offset), offset };
    zoomBy(event.deltaY < 0 ? 1.25 : 0.8);
  };
  useLayoutEffect(() => {
    // Not by an attribute: browsers take those handlers as passive, and then the page would zoom too.
    const node = box.current;
    node.addEventListener("wheel", wheel, { passive: false });
    return () => node.removeEventListener("wheel", wheel);
  });
  const lastZoom = useRef(zoom);
  if (lastZoom.current !== zoom && !anchor.current && box.current && chosen) {
    // Keys and buttons zoom at what is chosen.
    const offset = room / 3;
    anchor.current = { time: chosen.t0, offset: zoom > 1 ? offset : 0 };
  }
  lastZoom.current = zoom;

  const from = left - MARGIN;
  const to = left + room + MARGIN;
  const still = useMemo(
    () => html`<${Drawing} ...${{ picture, scale, layout, width, from, to, hits, divergence }} />`,
    [picture, scale, layout, width, from, to, hits, divergence],
  );
  return html`<section class="lanes card" aria-label=${`What everybody did${picture.of}, on one clock`}>
    <${Gutter} picture=${picture} layout=${layout} />
    <div
      class="track"
      ref=${box}
      tabindex="0"
      role="group"
      aria-label="Timeline. Keys: j and k go through the steps, n to the next message, f to the next failure"
      onMouseMove=${over}
      onMouseLeave=${() => setTip(null)}
      ...${drag.handlers}
      onClick=${(event) => {
        const node = event.target.closest("[data-id]");
        if (node && !drag.dragged()) select(node.dataset.id);
      }}
    >
      <svg width=${width} height=${layout.height} aria-hidden="true">
        ${still}
        <${Picked} ...${{ picture, scale, layout, width, chosen }} />
      </svg>
    </div>
    ${tip && html`<${Tip} ...${tip} />`}
  </section>`;
}

/** The ring around what is chosen, and a line through its moment. */
function Picked({ picture, scale: { x }, layout, width, chosen }) {
  if (!chosen) return null;
  const at = x(chosen.t0);
  const hue = (picture.member[chosen.agent || chosen.sender] || {}).hue || "";
  const ring = () => {
    if (chosen.type === "step") {
      const y = layout.middle(chosen.agent) - 22;
      return html`<rect class="ring" x=${at - 1} y=${y} width=${Math.max(6, x(chosen.t1) - at + 2)} height="44" rx="5" />`;
    }
    if (chosen.type === "message" || chosen.type === "notice") {
      const read = picture.member[chosen.to] && chosen.read != null;
      return html`${picture.member[chosen.sender] && html`<circle
        class="ring" cx=${at} cy=${layout.middle(chosen.sender)} r="13" />`}
      ${read && html`<circle class="ring" cx=${x(chosen.read)} cy=${layout.middle(chosen.to)} r="13" />`}`;
    }
    if (chosen.type === "git") return html`<circle class="ring" cx=${at} cy=${layout.remoteY} r="10" />`;
    if (chosen.type === "mark") return html`<circle class="ring" cx=${at} cy=${layout.middle(chosen.agent)} r="14" />`;
    const row = layout.rows.indexOf(chosen);
    if (row < 0) return null;
    const begin = Math.max(x(chosen.t0), x(picture.page.tests_begin) + 16) - 2;
    const end = chosen.type === "merge" ? width - EDGE : Math.max(x(chosen.t1), begin + 6);
    return html`<rect class="ring plain" x=${begin} y=${layout.rowY(row) - 2} width=${Math.max(6, end - begin + 2)} height="22" rx="6" />`;
  };
  return html`<g class="picked ${hue}">
    <line class="cursor" x1=${at} x2=${at} y1=${AXIS - 6} y2=${layout.height} />${ring()}
  </g>`;
}
