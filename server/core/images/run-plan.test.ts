import { expect, test } from "vitest";
import { planRuns } from "./run-plan.ts";
import { changed, fresh, Library, lengthOf, numbers, packOf, plannedOf } from "./testing-runs.ts";

test("into an empty library everything is new, and nothing is read in vain", () => {
  const random = numbers(1);
  const image = Array.from({ length: 3000 }, () => fresh(random));
  const { plan, cost, long } = new Library().add(image);
  expect(plan.fresh).toEqual(image.map((_, number) => number));
  expect(plan).toMatchObject({ again: [], packs: [] });
  expect(cost).toBe(1);
  expect(long).toBe(1);
});

test("what is there already as a whole is stored no second time", () => {
  const random = numbers(2);
  const library = new Library();
  const image = Array.from({ length: 3000 }, () => fresh(random));
  library.add(image);
  expect(library.add([...image]).plan).toEqual({ fresh: [], again: [], packs: [0] });
  expect(library.add(image.slice(500)).plan).toMatchObject({ fresh: [], again: [], packs: [0] });
});

test("what changes here and there in every frame costs room, and a bound of it, but not much time", () => {
  const random = numbers(3);
  const library = new Library();
  let image = Array.from({ length: 8000 }, () => fresh(random));
  library.add(image);
  let changedBytes = 0;
  for (let round = 1; round < 12; round += 1) {
    const before = new Set(image);
    image = changed(image, 0.03, random, true);
    changedBytes += image.filter((name) => !before.has(name)).reduce((sum, name) => sum + lengthOf(name), 0);
    const { cost, long } = library.add(image);
    expect(cost).toBeLessThanOrEqual(1.126);
    expect(long).toBeGreaterThanOrEqual(0.9);
  }
  expect(library.storedAgain).toBeLessThanOrEqual(8 * changedBytes);
});

test("whatever packs there are, each object is found once: kept, stored again or new", () => {
  const random = numbers(7);
  for (let round = 0; round < 200; round += 1) {
    const pool = Array.from({ length: 1 + Math.floor(random() * 400) }, () => fresh(random));
    const some = () => pool.filter(() => random() < 0.5);
    const packs = Array.from({ length: Math.floor(random() * 6) }, () => packOf(some()));
    const image = some();
    const planned = plannedOf(image, packs);
    const { fresh: isNew, again, packs: kept } = planRuns(image.map(lengthOf), planned);
    const sent = new Set([...isNew, ...again]);
    expect(sent.size).toBe(isNew.length + again.length);
    const stored = new Set(planned.flat().flatMap(({ objects }) => objects));
    expect(isNew.filter((number) => stored.has(number))).toEqual([]);
    expect(again.filter((number) => !stored.has(number))).toEqual([]);
    const read = new Set(kept.flatMap((pack) => planned[pack] ?? []).flatMap(({ objects }) => objects));
    expect(image.map((_, number) => number).filter((number) => !sent.has(number) && !read.has(number))).toEqual([]);
  }
});
