// Loaded by node before anything else, in every process: puts ours around the function that runs a file of tests for jest, and adds
// our reporter to vitest.
"use strict";
const Module = require("module");
const chain = require("./chain.cjs");
const aroundJest = require("./jest.cjs");
const { apply } = Reflect;
for (const path of Object.keys(require.cache)) if (path.startsWith(__dirname)) delete require.cache[path];

const JEST = /[\\/]jest-(circus|jasmine2)[\\/](build[\\/])?(runner|index)\.js$/;
// Where a test is broken, those of other files have to run, too.
const neverBails = (exported) => {
  const readConfigs = async (...given) => {
    const read = await exported.readConfigs(...given);
    return { ...read, globalConfig: Object.freeze({ ...read.globalConfig, bail: 0 }) };
  };
  return Object.defineProperty({ ...exported, readConfigs }, "__esModule", { value: true });
};

const load = Module._load;
Module._load = function (request, parent, isMain) {
  const exported = apply(load, this, [request, parent, isMain]);
  if (request === "jest-config" && exported && typeof exported.readConfigs === "function") return neverBails(exported);
  if (!JEST.test(request)) return exported;
  const real = exported.default || exported;
  return typeof real === "function" && real.length >= 4 ? { __esModule: true, default: aroundJest(real) } : exported;
};

const program = process.argv[1] || "";
if (/(^|[\\/])vitest([\\/.]|$)/.test(program) && !process.env.COOPERBENCH_VITEST) {
  process.env.COOPERBENCH_VITEST = "1"; // what it starts stays as it is
  globalThis[Symbol.for("cooperbench")] = chain;
  const end = process.argv.indexOf("--"); // what stands behind it are names of tests
  const given = process.argv.slice(2, end < 0 ? undefined : end);
  const bails = (word, at) => /^--bail(=|$)/.test(word) || (given[at - 1] === "--bail" && /^\d+$/.test(word));
  const wanted = ["--bail=0", "--reporter=default", `--reporter=${__dirname}/vitest.mjs`];
  process.argv.splice(2, given.length, ...given.filter((word, at) => !bails(word, at)), ...wanted);
}
