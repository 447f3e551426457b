// Reports for jest, from the process that runs a file of tests: which functions were registered as tests, which of them ran, how they
// ended, and what was replaced meanwhile. jest-circus tells each step to the environment of a file; jest-jasmine2 tells the end only.
"use strict";
const { changedFiles, claim, line } = require("./chain.cjs");
const { apply } = Reflect;
const { getOwnPropertyDescriptor, getOwnPropertyNames } = Object;
const TESTING = ["test", "it", "xit", "fit", "xtest", "describe", "xdescribe", "fdescribe", "expect", "beforeEach", "afterEach", "beforeAll", "afterAll"];
const LANGUAGE = ["Object", "Array", "JSON", "Reflect", "Number", "String", "Math", "Promise", "Error", "Map", "Set", "RegExp", "Function"];
const MATCHERS = Symbol.for("$$jest-matchers-object");
const HANDLERS = Symbol.for("EVENT_HANDLERS"); // since jest 30

// Every function that tests are made of and that assertions use, where it is now.
function snapshot(global) {
  const found = [];
  const add = (name, owner) => {
    for (const key of owner ? getOwnPropertyNames(owner) : []) {
      const value = getOwnPropertyDescriptor(owner, key).value;
      if (typeof value === "function" && key !== "constructor") found.push([`${name}.${key}`, owner, key, value]);
    }
  };
  for (const key of TESTING) {
    if (!global[key]) continue;
    found.push([key, global, key, global[key]]);
    add(key, global[key]);
  }
  for (const key of LANGUAGE) {
    add(key, global[key]);
    add(`${key}.prototype`, global[key] && global[key].prototype);
  }
  const list = (name, items) => {
    for (const key of items ? getOwnPropertyNames(items) : []) found.push([name, items, key, items[key]]);
  };
  const { matchers, customEqualityTesters } = global[MATCHERS] || {};
  add("expect()", matchers);
  list("expect.addEqualityTesters", customEqualityTesters);
  list("event handlers", global[HANDLERS]);
  return found;
}

function changedSince(taken) {
  let found = "";
  for (const [name, owner, key, value] of taken) {
    const now = getOwnPropertyDescriptor(owner, key);
    if (!now || now.value !== value) found += line("changed", name);
  }
  return found;
}

function fullName(test) {
  const names = [test.name];
  for (let block = test.parent; block && block.parent; block = block.parent) names.unshift(block.name);
  return names.join(" ");
}

// Notes what the test framework says while it runs, in `body`.
function watch(environment, runtime, testPath, file) {
  const seen = { body: "jest-guard\n", events: false };
  const registered = new Map();
  const failed = new Set();
  const ran = new Set();
  const ended = new Set();
  let taken = [];
  for (const name of ["requireModule", "unstable_importModule"]) {
    const real = runtime[name];
    if (typeof real !== "function") continue;
    runtime[name] = function (path) {
      if (path === testPath && !taken.length) {
        taken = snapshot(environment.global);
        seen.body += changedFiles();
      }
      return apply(real, this, arguments);
    };
  }
  const steps = {
    add_test(event, state) {
      const block = state.currentDescribeBlock;
      const tests = block.children || block.tests;
      const test = tests[tests.length - 1];
      registered.set(test, event.fn);
      // Of `test.failing` and the like the framework makes another function before it tells.
      if (test.fn !== event.fn) seen.body += line("changed", `${file}:${fullName(test)}`);
    },
    test_retry: ({ test }) => failed.delete(test),
    test_fn_start({ test }) {
      ran.add(test);
      if (registered.get(test) !== test.fn) seen.body += line("changed", `${file}:${fullName(test)}`);
      seen.body += changedSince(taken);
    },
    test_fn_failure: ({ test }) => failed.add(test),
    hook_failure: ({ test }) => test && failed.add(test),
    test_done({ test }) {
      ended.add(test);
      const status = failed.has(test) || test.errors.length ? "failed" : ran.has(test) ? "passed" : "skipped";
      seen.body += line(status, `${file}:${fullName(test)}`) + changedSince(taken);
    },
  };
  const theirs = environment.handleTestEvent;
  environment.handleTestEvent = function (event, state) {
    seen.events = true;
    if (steps[event.name]) steps[event.name](event, state);
    return theirs && apply(theirs, environment, [event, state]);
  };
  // Skipped, or taken away before it could run: no other test stands for it.
  seen.leftOut = () => [...registered.keys()].filter((test) => !ended.has(test));
  return seen;
}

// The function that jest calls for each file of tests, with ours around it.
module.exports = (real) =>
  async function (globalConfig, config, environment, runtime, testPath, ...more) {
    const sign = claim();
    const file = testPath.replace(/^\/workspace\/repo\//, "");
    const seen = watch(environment, runtime, testPath, file);
    // A snapshot that is not there is not written: whatever the code gives would be right.
    const strict = { ...globalConfig, updateSnapshot: globalConfig.updateSnapshot === "new" ? "none" : globalConfig.updateSnapshot };
    const result = await apply(real, this, [strict, config, environment, runtime, testPath, ...more]);
    for (const test of result.testResults) {
      // The framework's last word counts where it is worse: a failed `afterAll` is known after the tests.
      if (test.status === "failed" || !seen.events) {
        const status = test.status === "passed" || test.status === "failed" ? test.status : "skipped";
        seen.body += line(status, `${file}:${[...test.ancestorTitles, test.title].join(" ")}`);
      }
    }
    for (const test of seen.leftOut()) seen.body += line("skipped", `${file}:${fullName(test)}`);
    if (result.testExecError) seen.body += line("error", file);
    sign(seen.body);
    return result;
  };
