import { expect, test } from "vitest";
import { parseShellEnvironment, shellEnvironmentOf } from "./shell-environment.ts";

const GOOD = { LANG: "de_DE.UTF-8", LC_ALL: "C.UTF-8", LC_TIME: "en_DK@euro", COLORTERM: "truecolor" };

test("locale and colours go along, nothing else of an environment", () => {
  expect(parseShellEnvironment(GOOD)).toEqual(GOOD);
  const whole = { ...GOOD, LD_PRELOAD: "/tmp/x.so", PATH: "/bin", LC_PAPER: "", LC_NAME: "../../x", HOME: undefined };
  expect(shellEnvironmentOf(whole)).toEqual(GOOD);
});

test.each([
  [{ LD_PRELOAD: "x" }, "LD_PRELOAD"],
  [{ LANG: "../../etc/passwd" }, "LANG"],
  [{ LANG: "" }, "LANG"],
  [{ LC_ALL: "a b" }, "LC_ALL"],
  [{ LC_ALL: "C\nPATH=/tmp" }, "LC_ALL"],
  [{ "LC_ALL=x": "C" }, "LC_ALL=x"],
  [{ __proto__x: "C" }, "__proto__x"],
  [Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`LC_A${String.fromCharCode(65 + at)}`, "C"])), "17"],
])("%j is refused", (environment, message) => {
  expect(() => parseShellEnvironment(environment)).toThrow(message);
});
