import { expect, test } from "vitest";
import type { NameRow } from "../../store/image-names.ts";
import { planPassing } from "./passing-plan.ts";

const NOW = 1_000;
/** Of names as `name:tag`, the newest first; each of its own image where nothing else is said. */
const rows = (...names: readonly (readonly [name: string, row?: Partial<NameRow>])[]) =>
  names.map(([name, row], at): NameRow => {
    return { id: `${name}-${at}`, library: "c", name, digest: name, namedAt: 100 - at, expiresAt: null, ...row };
  });

async function passing(names: readonly NameRow[], keep: number, used: readonly string[] = []) {
  const plan = await planPassing(names, { now: NOW, keep, isUsed: async ({ digest }) => used.includes(digest) });
  return plan.map(({ name, reason, last }) => `${name} ${reason}${last ? " last" : ""}`);
}

test("of each name the newest tags stay, and of others nothing is counted", async () => {
  const names = rows(["web:4"], ["db:2"], ["web:3"], ["web/a:1"], ["web:2"], ["db:1"], ["web:1"]);
  expect(await passing(names, 2)).toEqual(["web:1 surplus last", "web:2 surplus last"]);
  expect(await passing(names, 1)).toEqual([
    "web:1 surplus last",
    "db:1 surplus last",
    "web:2 surplus last",
    "web:3 surplus last",
  ]);
  expect(await passing(names, 4)).toEqual([]);
  expect(await passing(names, 0)).toEqual([]);
});

test("the last name of an image that is used stays, its other names go, and it takes no newer tag's place", async () => {
  const names = rows(["web:4"], ["web:3"], ["web:2", { digest: "old" }], ["web:1", { digest: "old" }]);
  expect(await passing(names, 1, ["old"])).toEqual(["web:1 surplus", "web:3 surplus last"]);
  expect(await passing(names, 1)).toEqual(["web:1 surplus", "web:2 surplus last", "web:3 surplus last"]);
});

test("what expires goes first, and what is left is counted; what must stay all the same is counted too", async () => {
  const names = rows(["web:4", { expiresAt: NOW }], ["web:3"], ["web:2", { expiresAt: NOW + 1 }], ["web:1"]);
  expect(await passing(names, 2)).toEqual(["web:4 expired last", "web:1 surplus last"]);
  expect(await passing(names, 2, ["web:4"])).toEqual(["web:1 surplus last", "web:2 surplus last"]);
  expect(await passing(names, 0)).toEqual(["web:4 expired last"]);
});

test("an image with a name elsewhere is not gone with this one", async () => {
  const names = rows(
    ["web:stable", { digest: "two" }],
    ["web:3"],
    ["db:1", { digest: "one" }],
    ["web:2", { digest: "two" }],
    ["web:1", { digest: "one" }],
  );
  expect(await passing(names, 1)).toEqual(["web:1 surplus", "web:2 surplus", "web:3 surplus last"]);
});
