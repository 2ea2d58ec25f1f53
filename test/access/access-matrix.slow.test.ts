/** Every method of the server x every identity, with a valid request at a prepared object. */
import { createSecureServer } from "node:http2";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HostService } from "../../proto/gen/hps/v1/host_pb.ts";
import { makeAuthority, makeLeaf } from "../../proto/rpc/testing/certificates.ts";
import { nameOf, type Outcome } from "./cell.ts";
import { NAMES, Peers, WHO, type Who } from "./identities.ts";
import { ROWS, walk } from "./matrix.ts";
import { openRig, type Rig } from "./rig.ts";
import { prepare, type Subject, until } from "./subject.ts";
import { Wire } from "./wire.ts";

let rig: Rig;
let peers: Peers;
let installing: Subject;
let outcomes: readonly Outcome[] = [];

beforeAll(async () => {
  rig = await openRig();
  peers = await Peers.open(rig);
  // Before the rows: those that set keys leave a cluster in which nothing unsigned is armed.
  installing = await prepare(rig, { state: "installing" });
  outcomes = await walk(peers);
}, 120_000);

afterAll(async () => {
  peers.close();
  await rig[Symbol.asyncDispose]();
});

test("every method was tried by everyone", () => {
  expect(outcomes.map(({ name }) => name)).toEqual(ROWS.flatMap((row) => NAMES.map((who) => nameOf(row, who))));
});

test("every cell is what is written", () => {
  const red = outcomes.filter(({ problems }) => problems.length > 0);
  expect(red.map(({ name, expected, problems }) => `${name} is not ${expected}: ${problems.join("; ")}`)).toEqual([]);
  expect(rig.incidents).toEqual([]);
});

test("a call to no method of ours says so to those with a good certificate, and only to them", async () => {
  const method = { ...HostService.method.getHost, name: "NoSuchMethod" };
  for (const name of NAMES) {
    const { certificate }: Who = WHO[name];
    const { wire, actor } = await peers.connect(name, installing, false);
    const tables = rig.book.touched();
    const last = rig.book.last("audit");
    const { code } = await wire.call({ method, requests: [new Uint8Array()], isLast: () => false });
    const events = rig.book.eventsAfter(last).map((event) => `${event.actor} ${event.action} ${event.outcome}`);
    const expected = certificate === "good" ? [12] : [16, `${actor} unknown method refused`];
    expect([code, ...events], name).toEqual(expected);
    expect(rig.book.touched(), name).toEqual(tables);
  }
  await installing.dispose();
});

test("the client that comes back with a TLS session is resumed by a server that allows it", async () => {
  const authority = await makeAuthority("root");
  const { key, cert } = await makeLeaf(authority, { name: "s" });
  const lax = createSecureServer({ key, cert });
  await new Promise<void>((resolve) => lax.listen(0, "127.0.0.1", resolve));
  const address = lax.address();
  const options = { port: typeof address === "object" && address !== null ? address.port : 0, ca: authority.pem };
  const before = await Wire.open(options);
  await until("a ticket came", () => before.hasTicket);
  const { session } = before;
  const after = await Wire.open({ ...options, ...(session && { session }) });
  expect([before.socket.isSessionReused(), after.socket.isSessionReused()]).toEqual([false, true]);
  before.close();
  after.close();
  lax.close();
});
