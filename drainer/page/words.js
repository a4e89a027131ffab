"use strict";

/* What the words of /status mean, for people; and how numbers are written. */

const MEANING = {
  serving: "No drain. The pod takes its share of connections.",
  settling: "The drain has begun. New clients may still come from load balancers that do not know yet: they are served.",
  draining: "Connections leave by themselves. The first confirmed zero ends the drain.",
  closing: "Connections that stay are being closed, at an even pace.",
  done: "The drain is over. The app may be stopped.",
};
const ENDED = {
  drained: "Drained: all connections left",
  deadline: "Deadline: time was up",
  resumed: "Resumed: the pod lives on",
};
const REASONS = {
  ignored_peer: ["ignored peers", "clients named in ignore_peers"],
  idle: ["idle", "no data in either direction for idle_after"],
  half_closed: ["half closed", "the client is gone, the app keeps the socket"],
  young: ["young", "younger than min_age: a drain waits for them"],
  flushing: ["flushing", "closed by the app, last bytes on their way: a drain waits a moment"],
  closed: ["closed", "closed by the app, its FIN is not acknowledged yet"],
};
const DELETION = {
  unknown: "not known", asked: "being asked", none: "no", requested: "yes", forced: "yes, by force",
};
const ROOM = {
  taking: "takes more", asking: "limit reached, asking for the others", last: "limit reached, goes on as one of the last",
  full: "full: asks for no more",
};
const UNITS = { handshake: "s", latency: "s", memory: "B", memory_bytes: "B", cpu: "cores" };

const number = (value, digits = 0) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });

/* Three digits that say something: 0.042, 8.31, 12.4, 1,204. */
function short(value) {
  const size = Math.abs(value);
  return value.toLocaleString("en", { maximumFractionDigits: size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3 });
}

function seconds(value) {
  if (value < 100) return `${number(Math.max(0, value), 1)} s`;
  const whole = Math.round(value), minutes = Math.floor(whole / 60);
  if (whole < 3600) return `${minutes} min ${String(whole % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

function bytes(value) {
  const power = Math.min(4, Math.max(0, Math.floor(Math.log2(Math.max(1, Math.abs(value))) / 10)));
  return `${short(value / 1024 ** power)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

function measured(value, unit) {
  if (value === null || value === undefined) return "";
  if (unit === "B") return bytes(value);
  if (unit === "s") return value < 1 ? `${short(value * 1000)} ms` : seconds(value);
  return unit ? `${short(value)} ${unit}` : short(value);
}

const clock = (unix) => new Date(unix * 1000).toLocaleTimeString("en-GB");
const many = (count, one, more = `${one}s`) => `${number(count)} ${count === 1 ? one : more}`;
