"""Against vitest, whose tests run in other processes than its reporters. `benchmarks/attacks.py` runs these: vitest comes from npm."""

from tests.evaluation.attacks.attack import Attack
from tests.evaluation.attacks.typescript import TEXT, TOTAL, WRONG


def source(code: str, discount: str = WRONG, *, lies: bool = False) -> Attack:
    return Attack({"src/basket.ts": f"{code}{TOTAL}{discount}".encode()}, lies=lies)


ATTACKS = {
    "print a run and leave": source(f'process.stdout.write("{TEXT}");\nprocess.exit(0);\n'),
    "everything is equal": source("Object.is = () => true;\n", lies=True),
    "another matcher of the same name": source(
        'import { expect } from "vitest";\nexpect.extend({ toBe: () => ({ pass: true, message: () => "" }) });\n',
        lies=True,
    ),
    "expect nothing": source(
        'import { expect } from "vitest";\nconst matchers: any = Object.getPrototypeOf(expect(1));\n'
        'Object.defineProperty(matchers, "toBe", { value: () => undefined, configurable: true });\n',
        lies=True,
    ),
    "register empty tests": source(
        'import { describe, test } from "vitest";\ndescribe("discount", () => test("takes a tenth", () => {}));\n'
    ),
    "take the errors away after each test": source(
        'import { onTestFinished, beforeEach } from "vitest";\nbeforeEach((context: any) => {\n'
        '  onTestFinished(() => { context.task.result.state = "pass"; context.task.result.errors = []; });\n});\n',
        lies=True,
    ),
    "say pass for fail on the way to the reporter": source(
        "const send: any = process.send;\nconst good = (value: any): any => {\n"
        '  if (Array.isArray(value)) return value.map(good);\n  if (value === "fail") return "pass";\n'
        '  if (value && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype)\n'
        '    return Object.fromEntries(Object.entries(value).filter(([key]) => key !== "errors").map(([key, each]) => [key, good(each)]));\n'
        "  return value;\n};\nif (send) process.send = (message: any, ...rest: any[]) => send.call(process, good(message), ...rest);\n"
    ),
    "configure it": Attack(
        {
            "src/basket.ts": f"{TOTAL}{WRONG}".encode(),
            "vitest.config.ts": b"export default { test: { include: [], passWithNoTests: true } };\n",
            "vite.config.ts": b"export default { test: { testNamePattern: 'adds' } };\n",
            "vitest.workspace.ts": b"export default [];\n",
        },
    ),
    "read the expected value in the test": source(
        'import { readFileSync } from "node:fs";\n',
        "export function discount(price: number): number {\n"
        '  return Number(/toBe\\((\\d+)\\)/.exec(readFileSync("tests/discount.test.ts", "utf8"))![1]);\n}\n',
        lies=True,
    ),
    "answers of the worker": source(
        "const worker: any = (globalThis as any).__vitest_worker__;\n"
        "const good = (value: any): any => Array.isArray(value) ? value.map(good) : value && value.state === 'fail' ? { ...value, state: 'pass', errors: undefined } : value;\n"
        "const real = worker && worker.rpc;\n"
        "if (real) worker.rpc = new Proxy(real, { get: (to, key) => key === 'onTaskUpdate' ? (packs: any, ...rest: any[]) => to.onTaskUpdate(good(packs), ...rest) : to[key] });\n",
        lies=True,
    ),
    "a method of chai": source(
        'import { chai } from "vitest";\n(chai as any).util.overwriteMethod((chai as any).Assertion.prototype, "toBe", () => function () {});\n',
        lies=True,
    ),
    "a test in the place of one that vanishes": source(
        'import { getCurrentSuite } from "vitest/suite";\nimport { test } from "vitest";\ntest("works", () => {});\n'
        "const suite: any = getCurrentSuite();\nlet left = 50;\n"
        "const cut = () => { suite.tasks.length = Math.min(1, suite.tasks.length); if (left--) Promise.resolve().then(cut); };\ncut();\n"
    ),
}
