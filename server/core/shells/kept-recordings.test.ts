import { mkdir, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { chainLink, chainStart, type DirectEvent, digestText } from "../../../proto/direct/chain.ts";
import { newUuid, parseUuid } from "../../../proto/values/uuid.ts";
import { selectAudit } from "../../store/audit.ts";
import { selectSession } from "../../store/sessions.ts";
import { hostCaller } from "../testing/callers.ts";
import { addTestCluster, addTestHost } from "../testing/open-test-store.ts";
import { issueTestPeer, openTestIdentity, type TestIdentity } from "../testing/test-identity.ts";
import { addTestOperator } from "../testing/test-rows.ts";
import { KeptRecordings } from "./kept-recordings.ts";
import { RecordingRoom } from "./recording-room.ts";
import { Recordings } from "./recordings.ts";

let identity: TestIdentity;
let kept: KeptRecordings;
let room: RecordingRoom;
let hostId: string;
let clusterId: string;
let folder: string;
let certificate: Uint8Array<ArrayBuffer>;

beforeEach(async () => {
  identity = await openTestIdentity();
  clusterId = await addTestCluster(identity.store);
  hostId = await addTestHost(identity.store, clusterId, { name: "web01" });
  await addTestOperator(identity.store, "ann", { "*": "operator" });
  const ann = await issueTestPeer(identity, { kind: "operator", subject: "ann" });
  certificate = new Uint8Array(ann.chain[0] ?? []);
  folder = path.join(identity.folder, "sessions");
  await mkdir(folder);
  room = new RecordingRoom({ sessionBytes: 1e9, totalBytes: 1e9, keepMs: 1e12 }, async () => undefined);
  const spool = path.join(identity.folder, "delivered");
  kept = new KeptRecordings({ ...identity, folder, spool, room, mostOfHost: 100_000 });
});
afterEach(async () => await identity[Symbol.asyncDispose]());

const caller = () => hostCaller({ hostId, clusterId });
const END: DirectEvent = { case: "end", value: { exit: { code: 7, signal: 0, reason: "" } } };

function chainOf(session: string, events: readonly DirectEvent[]): { readonly bytes: Buffer; readonly digest: string } {
  let previous = chainStart(session);
  const frames = events.map((event, index) => {
    const { frame, digest } = chainLink(previous, index * 100, event);
    previous = digest;
    return frame;
  });
  return { bytes: Buffer.concat(frames), digest: digestText(previous) };
}

const begin = (session: string, more: object = {}): DirectEvent => ({
  case: "begin",
  value: {
    ...{ session, hostId, operator: "ann", certificate, counter: 5n, address: "192.0.2.9", reason: "hpsd is down" },
    ...{ term: "xterm", window: { rows: 24, columns: 80 }, ...more },
  },
});

async function deliver(session: string, { bytes, digest }: ReturnType<typeof chainOf>, until = bytes.length) {
  const delivery = await kept.begin(caller(), { session: parseUuid(session), bytes: bytes.length, digest });
  if (delivery === undefined) return "here";
  try {
    if (delivery.offset < until) await delivery.append(bytes.subarray(delivery.offset, until));
    if (until === bytes.length) await delivery.finish();
    return delivery.offset;
  } finally {
    await delivery.close();
  }
}

const auditOf = async () =>
  await identity.store.read((db) => selectAudit(db, { clusters: "all", after: 0, limit: 100 }));

test("a delivery that was cut goes on, and becomes a recording like any other, marked and audited", async () => {
  const session = newUuid();
  const output = Buffer.from("four bytes: 😀\r\n");
  const events = [begin(session), { case: "output", value: new Uint8Array(output) } as const, END];
  const chain = chainOf(session, events);
  expect(await deliver(session, chain, 40)).toBe(0);
  expect(await deliver(session, chain)).toBe(40);
  const row = await identity.store.read((db) => selectSession(db, session));
  expect(row).toMatchObject({
    operator: "ann",
    keptByAgent: true,
    exitCode: 7,
    reason: "hpsd is down",
    address: "192.0.2.9",
  });
  expect(await readFile(path.join(folder, `${session}.raw`))).toEqual(output);
  expect(await readFile(path.join(folder, `${session}.cast`), "utf8")).toContain(
    '[0.100000, "o", "four bytes: 😀\\r\\n"]',
  );
  const quotas = { sessionBytes: 1e9, totalBytes: 1e9, keepMs: 1e12 };
  const admission = { join: async () => true };
  const recordings = new Recordings({ ...identity, folder, quotas, admission, onError: () => undefined });
  const verdict = await recordings.verify(session);
  expect(verdict.problems).toEqual([]);
  const [event] = (await auditOf()).filter(({ action }) => action === "session.end");
  expect(event).toMatchObject({ details: { kept: "by the agent", chain: chain.digest, operator: "ann", session } });
  expect(await readdir(path.join(identity.folder, "delivered"))).toEqual([]);
  // An acknowledgement that was lost is no second session.
  expect(await deliver(session, chain)).toBe("here");
});

test("what came of another announcement of it is not gone on with", async () => {
  const session = newUuid();
  const output = { case: "output", value: new Uint8Array(500) } as const;
  // Its last link was torn, and the agent mended it before it announced it again.
  await deliver(session, { bytes: Buffer.alloc(900, 1), digest: `sha256:${"0".repeat(64)}` }, 800);
  expect(await deliver(session, chainOf(session, [begin(session), output, END]))).toBe(0);
  expect(await readdir(path.join(identity.folder, "delivered"))).toEqual([]);
});

test("the room knows of all that a delivered recording holds", async () => {
  const session = newUuid();
  const output = { case: "output", value: new Uint8Array(5_000) } as const;
  await deliver(session, chainOf(session, [begin(session), output, END]));
  const files = await Promise.all((await readdir(folder)).map((name) => readFile(path.join(folder, name))));
  expect(room.held).toBe(files.reduce((sum, { length }) => sum + length, 0));
});

test("what was altered, left out, added or is another's is refused, said and audited, and leaves nothing", async () => {
  const output = { case: "output", value: new Uint8Array(Buffer.from("rm -rf /precious\r\n")) } as const;
  const good = (session: string) => chainOf(session, [begin(session), output, END]);
  const attempts: ((session: string) => ReturnType<typeof chainOf>)[] = [
    (session) => {
      const { bytes, digest } = good(session);
      bytes.write("cious", bytes.indexOf("precious") + 3);
      bytes.write("ls -l  /", bytes.indexOf("rm -rf /"));
      return { bytes, digest };
    },
    (session) => ({ ...good(session), digest: chainOf(session, [begin(session), END]).digest }),
    (session) => chainOf(session, [begin(session), output]),
    (session) => chainOf(session, [output, END]),
    (session) => chainOf(session, [begin(session), END, output]),
    (session) => chainOf(session, [begin(newUuid()), END]),
    (session) => chainOf(session, [begin(session, { hostId: newUuid() }), END]),
    (session) => chainOf(session, [begin(session, { operator: "bob" }), END]),
    (session) => chainOf(session, [begin(session, { address: "\u001b]0;192.0.2.9" }), END]),
    (session) => chainOf(session, [begin(session, { certificate: new Uint8Array(3) }), END]),
    (session) => ({ ...good(session), bytes: good(session).bytes.subarray(0, -1) }),
  ];
  for (const [index, attempt] of attempts.entries()) {
    const session = newUuid();
    await expect(deliver(session, attempt(session)), String(index)).rejects.toMatchObject({ code: "data-loss" });
    expect(await identity.store.read((db) => selectSession(db, session))).toBeUndefined();
  }
  expect(await readdir(folder)).toEqual([]);
  const refused = (await auditOf()).filter(({ outcome }) => outcome === "refused");
  expect(refused.length).toBe(attempts.length);
  expect(refused[0]?.reason).toContain("chain is broken");
});

test("an id that is another session's is not taken, nor two at a time, nor more than was announced", async () => {
  const session = newUuid();
  await deliver(session, chainOf(session, [begin(session), END]));
  const stranger = await addTestHost(identity.store, clusterId, { name: "web02" });
  const wish = { session: parseUuid(session), bytes: 1, digest: `sha256:${"0".repeat(64)}` };
  await expect(kept.begin(hostCaller({ hostId: stranger, clusterId }), wish)).rejects.toMatchObject({ code: "exists" });
  const first = await kept.begin(caller(), { ...wish, session: newUuid() });
  await expect(kept.begin(caller(), { ...wish, session: newUuid() })).rejects.toMatchObject({ code: "unavailable" });
  await expect(first?.append(new Uint8Array(2))).rejects.toMatchObject({ code: "invalid" });
  await first?.close();
  await expect(kept.begin(caller(), { ...wish, session: newUuid(), bytes: 1e12 })).rejects.toMatchObject({
    code: "invalid",
  });
});

test("of one host no more is held than its share, so that it pushes nobody else's out", async () => {
  const output = { case: "output", value: new Uint8Array(60_000) } as const;
  const first = newUuid();
  await deliver(first, chainOf(first, [begin(first), output, END]));
  const second = newUuid();
  const chain = chainOf(second, [begin(second), output, END]);
  await expect(deliver(second, chain)).rejects.toMatchObject({ code: "exhausted" });
});
