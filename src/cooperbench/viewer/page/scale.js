// Times to pixels.

const EDGE = 20; // pixels left and right of everything
const SHARE_OF_TESTS = 0.27; // of the width, in the even scale
const STEPS = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200,
  14400,
];

/** Every moment at which something begins or ends, in order. */
function momentsOf(picture) {
  const { page } = picture;
  const all = [0, page.work_end, page.tests_begin, page.end];
  for (const step of picture.steps) {
    all.push(...step.model, ...step.act);
    for (const wait of step.waits) all.push(...wait.span);
  }
  for (const item of picture.messages) all.push(item.sent, item.read ?? item.sent);
  for (const item of picture.gits) all.push(item.time);
  for (const item of picture.members) all.push(item.begin, item.ready, item.end);
  for (const item of picture.suites) all.push(item.t0, item.t1);
  const rounded = all.map((t) => Math.round(t * 1e4) / 1e4).filter((t) => t >= 0 && t <= page.end + 1e-3);
  return Array.from(new Set(rounded)).sort((a, b) => a - b);
}

/**
 * Make the scale of a picture. "clock" is true. "even" gives short steps room: in the work, a gap of d seconds is as wide as
 * d^0.4, so order and simultaneity stay; the tests after it are true to scale in a share of the width.
 */
function makeScale(picture, width, mode) {
  const begin = picture.page.tests_begin;
  const instant = picture.stages.length > 0 && picture.page.end < begin + 0.5; // its rows need room all the same
  const end = instant ? begin + 0.5 : picture.page.end;
  picture.moments ||= momentsOf(picture);
  const times = [...picture.moments];
  const even = mode === "even";
  const at = [0];
  for (let i = 1; i < times.length; i++) {
    const gap = times[i] - times[i - 1];
    const working = times[i] <= begin + 1e-3;
    at.push(at[i - 1] + (!even ? gap : working ? Math.max(gap, 0.001) ** 0.4 : 0));
  }
  if ((even || instant) && end > begin + 1e-3) {
    if (times.at(-1) < end) {
      times.push(end);
      at.push(at.at(-1));
    }
    // The last gaps are the time of the tests.
    const share = Math.min(0.45, Math.max(SHARE_OF_TESTS, 210 / width));
    const work = at.at(-1);
    const rest = work ? (work * share) / (1 - share) : 1;
    // Sandboxes are made before the first suite begins: that may take a tenth of the share at most.
    const first = picture.suites.length ? Math.max(begin, Math.min(...picture.suites.map((suite) => suite.t0))) : begin;
    const head = Math.min((first - begin) / (end - begin), 0.1);
    const place = (t) =>
      t <= first ? (head * (t - begin)) / (first - begin || 1) : head + ((1 - head) * (t - first)) / (end - first || 1);
    for (let i = 0; i < times.length; i++) if (times[i] > begin) at[i] = work + rest * place(times[i]);
  }
  const factor = (width - 2 * EDGE) / (at.at(-1) || 1);
  const between = (from, to, value) => {
    let low = 0;
    let high = from.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (from[middle] <= value) low = middle;
      else high = middle;
    }
    const part = Math.min(1, Math.max(0, (value - from[low]) / (from[high] - from[low] || 1)));
    return to[low] + part * (to[high] - to[low]);
  };
  const x = (t) => EDGE + factor * between(times, at, t);
  const timeAt = (pixel) => between(at, times, (pixel - EDGE) / factor);
  return { x, timeAt };
}

/** Moments to write on the axis: about as far from each other on the screen, each as round as the scale allows there. */
function axisTicks({ x, timeAt }, from, to, end) {
  const ticks = [];
  for (let pixel = from; pixel < to; pixel += 92) {
    const room = timeAt(pixel + 60) - timeAt(pixel);
    const every = STEPS.findLast((step) => step <= room) || STEPS[0];
    const t = Math.round(Math.ceil(timeAt(pixel) / every - 1e-6) * every * 1e4) / 1e4;
    if (t <= end && (!ticks.length || x(t) - x(ticks.at(-1).t) > 52)) ticks.push({ t, text: tickText(t, every) });
  }
  return ticks;
}

function tickText(t, every) {
  if (t === 0) return "0";
  if (t < 100) return `${Number(t.toFixed(3))} s`;
  return every >= 60 && t < 3600 ? `${Math.round(t / 60)} min` : moment(t);
}
