/* Two pictures, drawn in the pixels of their <svg>: text keeps its size however narrow the page is. */

const ROUND = [1, 2, 5, 10];
const LENGTHS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 86400];

/* The distance of about so many round numbers up to `most`, at least 1. */
function spacing(most, about) {
  const rough = Math.max(most, 1) / about, power = 10 ** Math.floor(Math.log10(rough));
  return Math.max(1, ROUND.find((factor) => factor * power >= rough) * power);
}

class Picture {
  constructor(svg, height) {
    this.svg = svg;
    this.width = Math.max(svg.clientWidth, 200);
    svg.setAttribute("viewBox", `0 0 ${this.width} ${height}`);
    svg.setAttribute("height", height);
    svg.replaceChildren();
  }

  put(name, attributes, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    this.svg.append(element);
    return element;
  }

  line(x1, y1, x2, y2, kind) {
    this.put("line", { x1, y1, x2, y2, class: kind });
  }

  text(x, y, text, anchor = "start", kind = "") {
    this.put("text", { x, y, "text-anchor": anchor, class: kind }, text);
  }

  rect(x, y, width, height, kind, more = {}) {
    if (width > 0 && height > 0) this.put("rect", { x, y, width, height, class: kind, ...more });
  }

  /* A line through points, with a gap where one is null, above an area down to `base`. */
  curve(points, base) {
    for (const run of runs(points)) {
      const path = run.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
      this.put("path", { class: "area", d: `M${path}V${base}H${run[0][0].toFixed(1)}Z` });
      this.put("path", { class: "line", d: `M${path}${run.length === 1 ? "h.1" : ""}` });
    }
  }
}

function* runs(points) {
  let run = [];
  for (const point of [...points, null]) {
    if (point) run.push(point);
    else if (run.length) { yield run; run = []; }
  }
}

/* A vertical scale with its grid: returns the y of a number. */
function upright(picture, most, top, bottom, about, left, right) {
  const step = spacing(most, about), end = Math.max(step, Math.ceil(most / step) * step);
  const y = (value) => bottom - (value / end) * (bottom - top);
  for (let value = 0; value <= end; value += step) {
    picture.line(left, y(value), right, y(value), value ? "grid" : "axis");
    picture.text(left - 8, y(value) + 4, number(value), "end");
  }
  return y;
}

/* Where each phase of the timeline begins and ends, in Unix seconds. */
function spans(timeline, until) {
  return timeline.steps.map((step, index) => ({
    phase: step.phase, from: step.at, to: index + 1 < timeline.steps.length ? timeline.steps[index + 1].at : until,
  }));
}

const margin = (most) => 16 + 7.5 * number(most).length;

function drawRecent(svg, state) {
  const counts = state.recent.connections, known = counts.filter((count) => count !== null);
  const length = [60, 120, 300, 600].find((candidate) => counts.length <= candidate) || 600;
  const limit = state.limit && state.limit.connections;
  let most = Math.max(0, ...known);
  if (limit && most > limit / 2) most = Math.max(most, limit * 1.05);
  const picture = new Picture(svg, 210), top = 10, bottom = 182, left = margin(most), right = picture.width - 10;
  const x = (ago) => right - (ago / length) * (right - left);
  for (const span of spans(state.timeline, state.now)) {
    const from = Math.max(x(state.now - span.from), left), to = Math.max(x(state.now - span.to), left);
    if (span.phase !== "serving") picture.rect(from, top, to - from, bottom - top, "band", { "data-phase": span.phase });
  }
  const y = upright(picture, most, top, bottom, 4, left, right);
  const apart = LENGTHS.find((step) => length / step <= Math.max(2, picture.width / 110));
  for (let ago = 0; ago <= length; ago += apart) {
    const said = ago === 0 ? "now" : length <= 120 ? `−${ago} s` : `−${ago / 60} min`;
    picture.text(x(ago), bottom + 20, said, ago === 0 ? "end" : ago === length ? "start" : "middle");
  }
  picture.curve(counts.map((count, index) => count === null ? null : [x(counts.length - 1 - index), y(count)]), bottom);
  if (limit && limit <= most) {
    picture.line(left, y(limit), right, y(limit), "limit");
    picture.text(left + 6, y(limit) - 5, `limit ${number(limit)}`, "start", "red halo");
  }
  const last = counts[counts.length - 1];
  if (typeof last === "number") picture.put("circle", { class: "dot", cx: x(0), cy: y(last), r: 5 });
  return { length, known };
}

/* The drain: its phases as a strip, who remained, and how many left in each second, above one axis of time. */
function drawCourse(svg, state, now) {
  const { timeline, course } = state, began = course.began;
  const ended = timeline.steps.find((step) => step.phase === "done" || step.phase === "serving");
  const until = ended ? ended.at : now, length = Math.max(timeline.deadline - began, until - began, 1);
  const most = Math.max(...course.remaining, timeline.planned ? timeline.planned.connections : 0, 1);
  const per = Math.max(1, Math.round(Math.max(1, (length * 5) / svg.clientWidth) / course.step));
  const rates = paces(course, per, until - began), planned = timeline.planned;
  const fastest = Math.max(1, planned ? planned.rate_per_second : 0, ...rates.map((bar) => bar.rate));
  const picture = new Picture(svg, 318), left = margin(Math.max(most, fastest)), right = picture.width - 10;
  const x = (at) => left + ((at - began) / length) * (right - left);

  picture.rect(x(began), 20, right - left, 24, "ahead");
  for (const span of spans(timeline, until)) {
    if (span.from >= until) break;
    picture.rect(x(span.from), 20, Math.max(1.5, x(span.to) - x(span.from) - 1), 24, "segment", { "data-phase": span.phase });
    if (x(span.to) - x(span.from) > span.phase.length * 7.5 + 16) picture.text(x(span.from) + 8, 36, span.phase, "start", "inside");
  }
  picture.text(left, 66, "remaining");
  picture.text(left, 226, "leaving per second");
  const y = upright(picture, most, 76, 200, 3, left, right), z = upright(picture, fastest, 236, 290, 1, left, right);
  const apart = LENGTHS.find((step) => length / step <= Math.max(2, picture.width / 90)) || 86400;
  for (let at = 0; at <= length; at += apart) {
    if (length - at < apart * 0.4 && at < length) continue;
    picture.text(x(began + at), 310, apart < 60 ? `${at} s` : `${at / 60} min`, at ? (at > length * 0.97 ? "end" : "middle") : "start");
  }
  for (const bar of rates) {
    const width = x(began + bar.to) - x(began + bar.from);
    picture.rect(x(began + bar.from), z(bar.rate), Math.max(1, width - 1), 290 - z(bar.rate), "bar");
  }
  // A number is of some moment of its step; the last one is of now.
  const points = course.remaining.map((count, index) => [x(Math.min(began + (index + 0.5) * course.step, until)), y(count)]);
  points[points.length - 1][0] = x(until);
  picture.curve([[x(began), y(course.remaining[0])], ...points], 200);
  if (planned) {
    const end = planned.at + planned.closing_seconds, stop = Math.min(end, began + length);
    picture.put("path", { class: "plan", d: `M${x(planned.at)} ${y(planned.connections)}L${x(stop)} ${y(planned.connections * (1 - (stop - planned.at) / Math.max(1e-9, end - planned.at)))}` });
    picture.line(x(planned.at), z(planned.rate_per_second), x(stop), z(planned.rate_per_second), "plan");
    const isFree = x(planned.at) > left + 120 && right - x(planned.at) > 120;
    picture.text(isFree ? x(planned.at) : right - 8, 226, `planned: ${short(planned.rate_per_second)}/s`, isFree ? "start" : "end", "violet");
  }
  picture.line(x(timeline.deadline), 18, x(timeline.deadline), 290, "deadline");
  picture.text(x(timeline.deadline), 13, "deadline", "end", "red");
  const last = points[points.length - 1];
  if (!ended) picture.put("circle", { class: "dot", cx: last[0], cy: last[1], r: 5 });
}

/* How many left in a second, `per` steps at a time. */
function paces(course, per, until) {
  const bars = [];
  for (let index = 0; index < course.left.length; index += per) {
    const next = Math.min(index + per, course.left.length);
    const from = index * course.step, to = Math.min(next * course.step, Math.max(until, from));
    const left = course.left[next - 1] - (index ? course.left[index - 1] : 0);
    if (to - from >= course.step) bars.push({ from, to, rate: left / (to - from) });
  }
  return bars;
}
