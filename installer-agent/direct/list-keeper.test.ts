import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writePrivateKeyFile } from "../../certs/files.ts";
import { privateKeyPem } from "../../certs/key.ts";
import { RenewDirectAccessResponseSchema } from "../../proto/gen/hps/v1/agent_pb.ts";
import { createLog } from "../log.ts";
import { ListKeeper } from "./list-keeper.ts";
import { type ListRig, openListRig } from "./testing/list-rig.ts";

const MINUTE = 60_000;

let rig: ListRig;
let folder: string;
let wall: number;
/** What hpsd says before it answers. */
let beforeAnswer: () => Promise<void>;
let counter: bigint;

beforeEach(async () => {
  rig = await openListRig();
  folder = await mkdtemp(join(tmpdir(), "hps-list-"));
  await writePrivateKeyFile(join(folder, "door.key"), privateKeyPem(rig.doorKey));
  [wall, counter, beforeAnswer] = [rig.chain.now, 5n, async () => undefined];
});
afterEach(async () => await rm(folder, { recursive: true, force: true }));

function keeperOf(): ListKeeper {
  return new ListKeeper({
    ...{ folder, hostId: rig.hostId, roots: rig.roots, log: createLog("error", () => undefined) },
    clocks: () => ({ wall, uptime: wall, boot: "boot-1" }),
    ask: async () => {
      const { list, signature, ...chains } = await rig.sign({ counter, issueTime: timestampFromMs(wall) });
      await beforeAnswer();
      const bytes = { list: Uint8Array.from(list), signature: Uint8Array.from(signature) };
      return create(RenewDirectAccessResponseSchema, { ...bytes, ...chains });
    },
  });
}

/** As the agent after this one finds it. */
async function next(): Promise<ListKeeper> {
  const keeper = keeperOf();
  await keeper.open();
  return keeper;
}

const counterOf = ({ current }: ListKeeper) => (typeof current === "string" ? undefined : current.counter);

test("a list outlives its agent; an older one takes it away", async () => {
  const keeper = await next();
  expect(keeper.current).toMatch(/has given this host no list/);
  await keeper.renew();
  expect([counterOf(keeper), counterOf(await next())]).toEqual([5n, 5n]);
  counter = 4n;
  await expect(keeper.renew()).rejects.toMatchObject({ code: "precondition" });
  expect([counterOf(keeper), counterOf(await next())]).toEqual([undefined, undefined]);
});

test("a list that was on its way when all was forgotten is not taken", async () => {
  const keeper = await next();
  beforeAnswer = async () => await keeper.forget();
  await expect(keeper.renew()).rejects.toMatchObject({ code: "aborted" });
  expect([counterOf(keeper), counterOf(await next())]).toEqual([undefined, undefined]);
});

test("whatever happens at one time, the disk has what the keeper has in the end", async () => {
  const keeper = await next();
  await keeper.renew();
  wall += 10 * MINUTE;
  counter = 6n;
  // The note is written while the newer list comes.
  await Promise.all([keeper.note(), keeper.renew()]);
  expect([counterOf(keeper), counterOf(await next())]).toEqual([6n, 6n]);
  wall += 10 * MINUTE;
  await Promise.all([keeper.note(), keeper.forget()]);
  expect([keeper.hasList, (await next()).hasList]).toEqual([false, false]);
  counter = 7n;
  const renewing = keeper.renew().catch(() => undefined);
  while (!keeper.hasList) await new Promise((resolve) => setImmediate(resolve));
  await Promise.all([renewing, keeper.forget()]);
  expect([keeper.hasList, (await next()).hasList]).toEqual([false, false]);
  expect(await readdir(folder)).toEqual(["door.key"]);
});
