/** Every method of the server has its row, and what is written of it is the contract's; of each row one cell is tried that may, and one that may not. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { actionOf } from "../../server/rpc/contract.ts";
import { nameOf } from "./cell.ts";
import { cellOfContract } from "./contract-access.ts";
import { EXPECTED } from "./expected-access.ts";
import { NAMES, Peers, WHO } from "./identities.ts";
import { ROWS, walk } from "./matrix.ts";
import { openRig, type Rig } from "./rig.ts";

let rig: Rig;

beforeAll(async () => {
  rig = await openRig();
});

afterAll(async () => await rig[Symbol.asyncDispose]());

test("no method of the server escapes", () => {
  const served = new Set(rig.server.methods.map(actionOf));
  expect(new Set(ROWS.map(({ method }) => actionOf(method)))).toEqual(served);
  expect(ROWS.map(({ name }) => name).sort()).toEqual([...EXPECTED.keys()].sort());
});

test("each method can be called by someone, and each row refuses or filters but health", () => {
  const without = (cell: (each: string) => boolean) =>
    ROWS.filter(({ name }) => ![...(EXPECTED.get(name)?.values() ?? [])].some(cell)).map(({ name }) => name);
  expect(without((cell) => cell === "ok")).toEqual([]);
  expect(without((cell) => cell !== "ok")).toEqual(["Health/Check"]);
});

test("what is written here is what the contract says", () => {
  const differences = ROWS.flatMap((row) =>
    NAMES.flatMap((who) => {
      const said = cellOfContract(row, WHO[who]);
      const written = EXPECTED.get(row.name)?.get(who);
      return said === undefined || said === written
        ? []
        : [`${nameOf(row, who)}: contract ${said}, written ${written}`];
    }),
  );
  expect(differences).toEqual([]);
});

/** The whole walk is access-matrix.slow.test.ts. */
test("in each row, the first who may and the first who may not are answered so", async () => {
  const peers = await Peers.open(rig);
  const first = (name: string, isAllowed: boolean) =>
    NAMES.find((who) => (EXPECTED.get(name)?.get(who) === "ok") === isAllowed);
  const outcomes = await walk(peers, {
    which: (expected, { name }, who) => who === first(name, expected === "ok"),
  });
  peers.close();
  expect(outcomes.length).toBeGreaterThanOrEqual(2 * ROWS.length - 1);
  const red = outcomes.filter(({ problems }) => problems.length > 0);
  expect(red.map(({ name, expected, problems }) => `${name} is not ${expected}: ${problems.join("; ")}`)).toEqual([]);
  expect(rig.incidents).toEqual([]);
});
