// Loaded by node before a test runner: asks jest and vitest for a JSON report beside this file, whatever started them.
const path = require("path");
const report = path.join(__dirname, "report.json");
const program = process.argv[1] || "";
const name = path.basename(program);
const is = (tool) => new RegExp(`(^|[\\\\/])${tool}([\\\\/]|$|\\.)`).test(program) || name === tool;
if (!process.env.COOPERBENCH_GUARD_SEEN && (is("jest") || is("vitest"))) {
  process.env.COOPERBENCH_GUARD_SEEN = "1"; // workers inherit it and stay as they are
  const wanted = is("jest")
    ? ["--json", `--outputFile=${report}`]
    : ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const end = process.argv.indexOf("--"); // what stands behind it are names of tests
  process.argv.splice(end < 0 ? process.argv.length : end, 0, ...wanted);
}
