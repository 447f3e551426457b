// A reporter for vitest, which runs in its main process; the tests do not.
const { claim, line } = globalThis[Symbol.for("cooperbench")];
delete globalThis[Symbol.for("cooperbench")];
const sign = claim();
const ENDS = { pass: "passed", fail: "failed" };

function* results(file, task, ancestors) {
  for (const child of task.tasks || []) {
    const names = [...ancestors, child.name];
    if (child.tasks) yield* results(file, child, names);
    else yield line((child.result && ENDS[child.result.state]) || "skipped", `${file}:${names.join(" ")}`);
  }
  if (task.result && task.result.state === "fail" && !(task.tasks || []).length) yield line("error", file);
}

export default class {
  onFinished(files = []) {
    let body = "vitest-guard\n";
    for (const file of files) body += [...results(file.filepath.replace(/^\/workspace\/repo\//, ""), file, [])].join("");
    sign(body);
  }

  onTestRunEnd(modules) {
    this.onFinished(modules.map((module) => module.task));
  }
}
