// What the reporters for node share: a key of the chain, the hidden tests' digests, and signing. See `sign.sh`, which does the same.
// Loaded before any code of the repository: everything that it needs later is taken now, for that code can reach the same objects.
"use strict";
const { createHash, Hash } = require("crypto");
const { appendFileSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } = require("fs");
const { apply } = Reflect;
const { update, digest } = Hash.prototype;
const { wait } = Atomics;
const folder = require("path").dirname(__dirname);
const pause = new Int32Array(new SharedArrayBuffer(4));

const sha256 = (data) => apply(digest, apply(update, createHash("sha256"), [data]), ["hex"]);

function locked(act) {
  for (;;) {
    try {
      mkdirSync(folder + "/lock");
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      wait(pause, 0, 0, 20);
    }
  }
  try {
    return act();
  } finally {
    rmdirSync(folder + "/lock");
  }
}

// Takes the next key, and leaves the one that follows from it. Gives the function that signs with it.
function claim() {
  let place, key;
  locked(() => {
    [place, key] = readFileSync(folder + "/state", "utf8").trim().split(" ");
    writeFileSync(folder + "/state", `${Number(place) + 1} ${sha256(key)}\n`);
  });
  return (body) => {
    const signature = sha256(key + sha256(body));
    locked(() => appendFileSync(folder + "/report", `${place} ${signature} ${Buffer.byteLength(body)}\n${body}`));
  };
}

// One line for each hidden test whose content is another by now.
function changedFiles() {
  let found = "";
  for (const line of readFileSync(folder + "/files", "utf8").split("\n")) {
    const path = line.slice(66);
    let now = "";
    if (!path) continue;
    try {
      now = sha256(readFileSync(path));
    } catch {} // it is gone
    if (now !== line.slice(0, 64)) found += `changed ${path}\n`;
  }
  return found;
}

const line = (status, name) => `${status} ${name.replace(/\n/g, "\\n")}\n`;

module.exports = { changedFiles, claim, line };
