// The counterpart of ledger.py: the same lines, the same pushes.
"use strict";
const { openSync, writeSync } = require("node:fs");

const PUSH_EVERY = 1000; // milliseconds
const PADDING = ".".repeat(80);
const file = openSync(process.env.ROLLOUT_LEDGER, "a", 0o600);

function write(life, number) {
  // CLOCK_MONOTONIC, as Python's time.monotonic().
  const at = Number(process.hrtime.bigint()) / 1e9;
  writeSync(file, `${life} ${number} ${at.toFixed(4)}\n`);
}

// Pushes until the returned function is called; `send` says whether the library has taken it.
exports.pushing = function pushing(life, send) {
  let number = 0;
  let timer = setTimeout(next, Math.random() * PUSH_EVERY);
  write(life, 0);
  function next() {
    if (!send(number + 1, PADDING)) return;
    number += 1;
    write(life, number);
    timer = setTimeout(next, PUSH_EVERY);
  }
  return () => clearTimeout(timer);
};
