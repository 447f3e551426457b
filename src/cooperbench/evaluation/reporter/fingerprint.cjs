// Prints what is installed for node: every file below the repository's and the system's node_modules, with its digest. What tools
// write there while they work is left out: caches, and the package managers' own notes of when they ran.
const crypto = require("crypto");
const fs = require("fs");
const path = require("path");

const NOTES = new Set([".modules.yaml", ".pnpm-workspace-state.json", ".pnpm-workspace-state-v1.json", ".package-lock.json", ".yarn-integrity"]);
const KEPT = new Set([".bin", ".pnpm"]);

function digest(file) {
  return crypto.createHash("sha1").update(fs.readFileSync(file)).digest("hex");
}

function list(folder, top) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const place = path.join(folder, entry.name);
    if (NOTES.has(entry.name) || (top && entry.name.startsWith(".") && !KEPT.has(entry.name))) continue;
    if (entry.isSymbolicLink()) process.stdout.write(`-> ${fs.readlinkSync(place)} ${place}\n`);
    else if (entry.isDirectory()) list(place, false);
    else if (entry.isFile()) process.stdout.write(`${digest(place)} ${place}\n`);
  }
}

function find(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || entry.name === ".git") continue;
    const place = path.join(folder, entry.name);
    if (entry.name === "node_modules") list(place, true);
    else find(place);
  }
}

find("/workspace/repo");
const system = path.join(path.dirname(process.execPath), "..", "lib", "node_modules");
if (fs.existsSync(system)) list(path.resolve(system), true);
