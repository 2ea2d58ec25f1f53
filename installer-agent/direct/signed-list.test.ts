import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { beforeAll, expect, test } from "vitest";
import { makeChain, makePeer, PEERS } from "../../certs/test-chain.ts";
import { newUuid } from "../../proto/values/uuid.ts";
import { admitOperator } from "./admission.ts";
import { readSignedList } from "./signed-list.ts";
import { keyOf, type ListRig, openListRig } from "./testing/list-rig.ts";

let rig: ListRig;
beforeAll(async () => {
  rig = await openListRig();
});

const HOUR = 3_600_000;

test("what hpsd signed for this host is taken", async () => {
  const list = readSignedList(await rig.sign({ timeLimit: { seconds: 60n } }), rig);
  expect(list).toMatchObject({ host: "web01", cluster: "lab", counter: 5n, timeLimit: 60_000, idleLimit: 0 });
  expect([...list.entries.values()]).toEqual([{ name: "alice", until: undefined }]);
});

test("what is altered, another's, too long, or signed by anybody else is not", async () => {
  const { chain } = rig;
  const good = await rig.sign();
  const altered = Buffer.from(good.list);
  altered.write("malic", altered.indexOf("alice"));
  const other = await makeChain();
  const strange = await makePeer(other, PEERS.server);
  const cases: readonly [string, Promise<typeof good> | typeof good, RegExp][] = [
    ["altered", { ...good, list: new Uint8Array(altered) }, /signature is not by/],
    ["no signature", { ...good, signature: new Uint8Array() }, /signature is not by/],
    ["a host's own signature", rig.sign({}, await makePeer(chain, PEERS.host)), /is not for a server/],
    ["an operator's", rig.sign({}, rig.operator), /is not for a server/],
    ["another authority's", rig.sign({}, strange), /not signed by a trusted/],
    ["another host's", rig.sign({ hostId: newUuid() }), /the list is for host/],
    ["13 h", rig.sign({ expireTime: timestampFromMs(chain.now + 13 * HOUR) }), /how long it is good/],
    ["without an end", rig.sign({ expireTime: undefined }), /how long it is good/],
    ["ended before it began", rig.sign({ expireTime: timestampFromMs(chain.now - 1) }), /how long it is good/],
    [
      "another certificate to answer with",
      { ...good, certificateChain: rig.pairOf(rig.operator).cert },
      /not for this private key/,
    ],
  ];
  for (const [name, signed, problem] of cases) {
    const list = await signed;
    expect(() => readSignedList(list, rig), name).toThrow(problem);
  }
  // The signature of the door's own certificate, which is a server's by its use, says nothing either.
  const door = { ...good, signerChain: good.certificateChain };
  expect(() => readSignedList(door, rig)).toThrow(/signature is not by/);
});

test("operators alone come in, by a key on the list, as long as it says", async () => {
  const { chain, roots, operator } = rig;
  const list = readSignedList(await rig.sign(), rig);
  const enter = (peer: typeof operator | undefined, now = chain.now, of = list) =>
    admitOperator(of, {
      chain: peer === undefined ? [] : [peer.certificate.raw, chain.intermediate.certificate.raw],
      roots,
      now,
    });
  expect(enter(operator)).toMatchObject({ name: "alice", until: list.expiresAt });
  expect(() => enter(undefined)).toThrow(/no client certificate/);
  const second = await makePeer(chain, PEERS.operator);
  expect(() => enter(second), "the same name with another key").toThrow(
    /does not let alice with this key enter lab\/web01/,
  );
  const bob = await makePeer(chain, { kind: "operator", name: "bob" });
  const swapped = readSignedList(await rig.sign({ operators: [{ name: "alice", keys: [keyOf(bob)] }] }), rig);
  expect(() => enter(bob, chain.now, swapped), "the key under another name").toThrow(/does not let bob/);
  expect(() => enter(operator, chain.now + 2 * 24 * HOUR)).toThrow(/expired/);
  const short = readSignedList(
    await rig.sign({
      operators: [{ name: "alice", keys: [keyOf(operator)], expireTime: timestampFromMs(chain.now + 1000) }],
    }),
    rig,
  );
  expect(() => enter(operator, chain.now + 1001, short)).toThrow(/the right of alice to enter directly ended/);
  for (const kind of ["host", "installer"] as const) {
    const peer = await makePeer(chain, PEERS[kind]);
    expect(() => enter(peer)).toThrow(/may not enter a host/);
  }
  expect(() => admitOperator(list, { chain: [Buffer.from("x")], roots, now: chain.now })).toThrow(/malformed/);
  expect(() =>
    admitOperator(list, { chain: [operator.certificate.raw, Buffer.from("x")], roots, now: chain.now }),
  ).toThrow(/chain is malformed/);
});
