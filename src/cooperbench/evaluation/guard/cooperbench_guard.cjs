// Loaded by node before a test runner: asks jest and vitest for a JSON report beside this file, whatever started them.
const path = require("path");
const report = path.join(__dirname, "report.json");
const program = process.argv[1] || "";
const name = path.basename(program);
const is = (tool) => new RegExp(`(^|[\\\\/])${tool}([\\\\/]|$|\\.)`).test(program) || name === tool;
if (!process.env.COOPERBENCH_GUARD_SEEN && (is("jest") || is("vitest"))) {
  process.env.COOPERBENCH_GUARD_SEEN = "1"; // workers inherit it and stay as they are
  if (is("jest")) process.argv.push("--json", `--outputFile=${report}`);
  else process.argv.push("--reporter=default", "--reporter=json", `--outputFile.json=${report}`);
}
