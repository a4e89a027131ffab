/* The state, shown: from the document at first, then from the stream, an event at a time. */

const SILENCE = 10_000, AGAIN = 10_000;
const at = (id) => document.getElementById(id);

let state = JSON.parse(at("state").textContent);
let source = null, heardAt = 0, isOver = false, ahead = 0;

const now = () => Date.now() / 1000 + ahead;
const drainRuns = () => state.drain !== null;

/* ------------------------------------------------------------------------------------------------- writing */

/* Only what has changed: a screen reader reads it out, and a selection is lost. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function show(id, isShown) {
  at(id).hidden = !isShown;
}

function make(name, text, kind) {
  const element = document.createElement(name);
  if (text !== undefined) element.textContent = text;
  if (kind) element.className = kind;
  return element;
}

/* Children made anew, unless nothing has changed since the last time. */
function fill(parent, items, build) {
  const key = JSON.stringify(items);
  if (parent.shown === key) return;
  parent.shown = key;
  parent.replaceChildren(...items.map(build));
}

const fact = ([name, value, kind]) => {
  const row = make("div");
  row.append(make("dt", name), make("dd", value, kind));
  return row;
};

const figure = ([value, unit, name]) => {
  const row = make("div"), dd = make("dd", value);
  if (unit) dd.append(" ", make("small", unit));
  row.append(make("dt", name), dd);
  return row;
};

function row(cells) {
  const tr = make("tr", undefined, cells.kind), [first, ...others] = cells.cells;
  if (cells.phase) tr.dataset.phase = cells.phase;
  const th = make("th", first);
  th.scope = "row";
  if (cells.small) th.append(make("small", cells.small));
  tr.append(th, ...others.map((cell) => make("td", cell, cells.bad && "bad")));
  return tr;
}

/* ------------------------------------------------------------------------------------------------- showing */

function showNow() {
  const { phase, drain, timeline } = state, total = state.connections.total, outcome = timeline.outcome;
  document.querySelector(".hero").dataset.phase = phase;
  write(at("phase"), phase);
  write(at("meaning"), MEANING[phase] || "");
  write(at("version"), state.version);
  document.title = `${number(drain ? drain.remaining : total)} ${phase} · drainer`;
  const badges = [state.ready ? ["ready", "good"] : ["not ready", "warn"]];
  if (phase === "done" && outcome) badges.push([outcome.outcome, outcome.outcome === "deadline" ? "bad" : "good"]);
  if (state.limit && state.limit.full) badges.push(["full", "bad"]);
  if (state.health && state.health.well === false) badges.push([`unwell: ${[].concat(state.health.failing || []).join(", ")}`, "bad"]);
  fill(at("badges"), badges, ([text, kind]) => make("li", text, kind));
  if (drain) {
    const remaining = drain.deadline_timestamp_seconds - now();
    fill(at("figures"), [
      [number(drain.remaining), "", drain.remaining === 1 ? "connection remains" : "connections remain"],
      ...[[seconds(remaining), "to the deadline"]].map(split),
      [number(drain.left), `of ${number(drain.connections_at_start + drain.arrived)}`, "have left"],
      [number(pace(), 1), "/s", "leaving now"],
    ], figure);
    return;
  }
  const ports = Object.values(state.connections.by_port), sum = (key) => ports.reduce((all, port) => all + port[key], 0);
  const most = Math.max(0, ...state.recent.connections);
  const figures = [[number(total), "", total === 1 ? "connection" : "connections"], [number(most), "", "most in 10 min"]];
  if (phase === "done" && outcome) {
    const early = timeline.deadline - timeline.steps[0].at - outcome.seconds;
    figures[1] = split([seconds(outcome.seconds), "took the drain"]);
    figures.push(split([seconds(early), "to spare"]), [number(outcome.left), "", "have left"]);
  } else {
    figures.push([number(sum("opened")), "", "opened in all"], [number(sum("closed")), "", "closed in all"]);
  }
  fill(at("figures"), figures, figure);
}

/* "12.4 s" as number and unit; "2 min 04 s" as it is. */
const split = ([text, name]) => /^\S+ \S+$/.test(text) ? [...text.split(" "), name] : [text, "", name];

/* Who left in the last three seconds, per second. */
function pace() {
  const { left, step, began } = state.course, back = Math.ceil(3 / step);
  const since = left.length > back ? left[left.length - 1 - back] : 0;
  return Math.max(0, left[left.length - 1] - since) / Math.min(3, Math.max(step, now() - began));
}

function showRecent() {
  const { length, known } = drawRecent(at("recent"), state);
  write(at("recent-title"), `Connections, last ${length === 60 ? "minute" : `${length / 60} minutes`}`);
  const said = known.length ? `from ${number(Math.min(...known))} to ${number(Math.max(...known))}` : "not counted yet";
  write(at("recent-said"), `live connections on all ports: ${said}`);
}

function showDrain() {
  const { timeline, course } = state;
  show("drain", course !== null && course.remaining.length > 0 && timeline.deadline !== null);
  if (at("drain").hidden) return;
  const { steps, outcome, planned } = timeline, began = steps[0].at;
  const tally = state.drain || outcome;
  write(at("drain-title"), state.drain ? "This drain" : "The last drain");
  let said = `Began at ${clock(began)}, ends by ${clock(timeline.deadline)} at the latest.`;
  if (outcome) {
    const early = timeline.deadline - began - outcome.seconds;
    said = `${ENDED[outcome.outcome]} after ${seconds(outcome.seconds)}`;
    said += outcome.outcome === "drained" && early > 0.05 ? `, ${seconds(early)} before the deadline.` : ".";
    if (timeline.reason) said += ` Why: ${timeline.reason}.`;
  }
  write(at("drain-said"), said);
  drawCourse(at("course"), state, now());
  const moments = spans(timeline, now()).map((span, index) => ({
    cells: [span.phase, clock(span.from), index ? `+${seconds(span.from - began)}` : "", lasted(span, index === steps.length - 1)],
    phase: span.phase,
  }));
  moments.push({ cells: ["deadline", clock(timeline.deadline), `+${seconds(timeline.deadline - began)}`, ""], phase: "deadline" });
  fill(at("moments"), moments, row);
  const facts = [
    ["at the start", number(tally.connections_at_start)],
    ["arrived since, and served", number(tally.arrived)],
    ["left by themselves", number(tally.left_by_themselves)],
    ...Object.entries(tally.closed).map(([closer, count]) => [`closed by ${closer}`, number(count)]),
    ["remaining", number(tally.remaining), outcome && outcome.outcome === "deadline" && tally.remaining ? "bad" : ""],
  ];
  if (planned) {
    facts.push(["pace of closing, planned", `${short(planned.rate_per_second)}/s for ${seconds(planned.closing_seconds)}`]);
    if (!planned.close_rate_kept) facts.push(["close_rate", "exceeded: the deadline needs more", "bad"]);
  }
  fill(at("tally"), facts, fact);
}

function lasted(span, isLast) {
  if (isLast && !drainRuns()) return "";
  return seconds(span.to - span.from);
}

function showParts() {
  const { limit, health, usage } = state, ports = Object.entries(state.connections.by_port);
  show("limit", Boolean(limit));
  if (limit) {
    const facts = [];
    if (limit.connections) {
      facts.push(["connections", `${number(state.connections.total)} of ${number(limit.connections)} (${number(100 * limit.utilization)} %)`]);
      if (limit.resume_below) facts.push(["takes again below", number(limit.resume_below)]);
    }
    if (limit.max_rate) facts.push(["new connections per second", `${short(limit.new_per_second || 0)} of ${short(limit.max_rate)}`]);
    if (limit.room) facts.push(["room", ROOM[limit.room] || limit.room, limit.full ? "bad" : ""]);
    fill(at("limit-facts"), facts, fact);
    const gauge = at("limit-gauge");
    gauge.parentElement.hidden = !limit.connections;
    gauge.style.width = `${Math.min(100, 100 * (limit.utilization || 0))}%`;
    gauge.className = limit.full ? "bad" : "";
  }
  show("health", Boolean(health));
  if (health) {
    write(at("health-said"), health.checks.length ? `looked at ${seconds(health.age_seconds)} ago` : "not looked at yet");
    fill(at("checks"), health.checks.map((check) => ({
      cells: [`${check.passed ? "✓" : "✗"} ${check.name}`, measured(check.value, UNITS[check.name]), measured(check.bound, UNITS[check.name])],
      small: check.detail, bad: !check.passed,
    })), row);
  }
  show("usage", Boolean(usage));
  if (usage) {
    const memory = usage.per_connection && usage.per_connection.memory, facts = [];
    if (usage.memory_bytes != null) facts.push(["memory", bytes(usage.memory_bytes)]);
    if (memory) facts.push(["memory per connection", `${bytes(memory.slope)} ± ${bytes(memory.standard_error)}`]);
    if (usage.cpu_cores != null) facts.push(["CPU", `${short(usage.cpu_cores)} cores`]);
    if (usage.descriptors != null) facts.push(["open descriptors", number(usage.descriptors)]);
    if (usage.missing) facts.push(["missing", String(usage.missing)]);
    fill(at("usage-facts"), facts, fact);
  }
  show("ports", ports.length > 1);
  fill(at("ports-rows"), ports.map(([port, count]) => ({
    cells: [port, number(count.total), number(count.opened), number(count.closed)],
  })), row);
  const reasons = Object.entries(state.connections.excluded).map(([reason, count]) => [count, ...(REASONS[reason] || [reason, ""])]);
  const some = reasons.filter(([count]) => count), none = reasons.filter(([count]) => !count);
  fill(at("excluded"), some.map(([count, name, why]) => ({ cells: [name, number(count)], small: why })), row);
  show("excluded-none", none.length > 0);
  write(at("excluded-said"), some.length ? `nothing for ${many(none.length, "other reason")}` : "nothing: every socket on the app's ports counts");
  fill(at("excluded-why"), none.map(([, name, why]) => [name, why]), fact);
}

function showSource() {
  const { source: from, callers, kubernetes, closers } = state;
  const errors = Object.entries(from.census_errors).filter(([, count]) => count);
  const facts = [
    ["counted", `${seconds(from.census_age_seconds)} ago`, from.census_age_seconds > 60 ? "bad" : ""],
    ["socket table", from.name === "sock_diag" ? "sock_diag (the kernel's own)" : from.name],
  ];
  if (drainRuns()) facts.push(["told of each close", from.notified ? "yes" : "no, counted instead"]);
  facts.push(["censuses that failed", errors.map(([why, count]) => `${number(count)} ${why}`).join(", ") || "none", errors.length ? "bad" : ""]);
  if (callers.held || callers.passive) facts.push(["callers of /drain", `${number(callers.held)} held, ${number(callers.passive)} without effect`]);
  for (const closer of closers) facts.push([`closer ${closer.name}`, closer.usable ? "can work" : closer.missing, closer.usable || closer.missing === "not tried yet" ? "" : "bad"]);
  if (kubernetes.used) facts.push(["is the pod being deleted", DELETION[kubernetes.deletion] || kubernetes.deletion]);
  fill(at("source"), facts, fact);
  fill(at("blind"), from.blind_to, (text) => make("li", `It cannot see ${text}.`));
}

function render() {
  show("drain", true); // measured while it is there
  const main = document.querySelector("main"), recent = at("recent-card"), drain = at("drain");
  main.hidden = false;
  // What goes on comes first; but nothing jumps while it does.
  const [first, second] = drainRuns() || state.phase === "done" ? [drain, recent] : [recent, drain];
  if (first.nextElementSibling !== second) second.before(first);
  showNow();
  showRecent();
  showDrain();
  showParts();
  showSource();
}

/* ----------------------------------------------------------------------------------------------- listening */

function linked(is, text) {
  at("link").dataset.is = is;
  write(at("link-text"), text);
}

function notice(text) {
  write(at("notice"), text);
  show("notice", text !== "");
}

function listen() {
  if (document.hidden || source !== null) return;
  source = new EventSource("/stream");
  source.onmessage = (event) => {
    state = JSON.parse(event.data);
    ahead = state.now - Date.now() / 1000;
    heardAt = Date.now();
    isOver = false;
    linked("live", "live");
    notice("");
    render();
  };
  source.addEventListener("end", () => {
    isOver = true;
    hangUp();
    linked("lost", "the agent has ended");
    notice(`The agent ended at ${clock(now())}. This is the last it said; the page goes on when one is there again.`);
  });
  source.onerror = () => {
    const isRefused = source.readyState === EventSource.CLOSED;
    if (isOver) return;
    linked("lost", isRefused ? "not live: all places are taken" : "connection lost, trying again");
    if (!isRefused) return;
    hangUp();
    notice(`As many people as there are places for watch this agent live. This is its state of ${clock(state.now)}; the page tries again by itself.`);
  };
}

function hangUp() {
  source.close();
  source = null;
}

/* Nobody looks at a hidden page: its place is for somebody else. */
document.addEventListener("visibilitychange", () => {
  if (document.hidden && source !== null) {
    hangUp();
    linked("waiting", "paused while nobody looks");
  }
  listen();
});

setInterval(listen, AGAIN);
setInterval(() => {
  if (source === null || source.readyState !== EventSource.OPEN) return;
  if (heardAt && Date.now() - heardAt > SILENCE) linked("lost", `silent for ${seconds((Date.now() - heardAt) / 1000)}`);
  else if (drainRuns()) showNow();
}, 250);
addEventListener("resize", render);

ahead = state.now - Date.now() / 1000;
render();
listen();
