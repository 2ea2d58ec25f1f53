import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { constants } from "node:http2";
import { create, toBinary } from "@bufbuild/protobuf";
import { afterEach, expect, test } from "vitest";
import { EchoRequestSchema } from "../gen/rpc/testing/echo_pb.ts";
import { HpsError } from "../values/hps-error.ts";
import type { IncomingCall } from "./handlers.ts";
import { type Leaf, makeAuthority, makeLeaf } from "./testing/certificates.ts";
import type { Rig } from "./testing/echo-rig.ts";
import { frame, rawCall, rawSession } from "./testing/raw-peer.ts";
import { failure, useRigs } from "./testing/rigs.ts";

const startRig = useRigs();
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) {
    close();
  }
});

async function session(rig: Rig, leaf?: Leaf) {
  const opened = await rawSession(rig, leaf);
  closers.push(() => opened.destroy());
  return opened;
}

const UNARY = "/rpc.testing.EchoService/Unary";
const MALFORMED = frame(Buffer.from([0xff, 0xff, 0xff]));
const INVALID_UTF8 = frame(Buffer.from([0x0a, 0x02, 0xc3, 0x28]));
const GOOD = frame(toBinary(EchoRequestSchema, create(EchoRequestSchema, { text: "x" })));
const OVERSIZED = frame(Buffer.alloc(1024 * 1024 + 1));
const KINDS = ["Unary", "Download", "Upload", "Chat"].map((name) => `/rpc.testing.EchoService/${name}`);
const UNKNOWN = ["/rpc.testing.EchoService/Nothing", "/no.Service/Unary", "/", "/__proto__/constructor"];

test("nobody without a principal learns which methods exist or whether bytes are well formed", async () => {
  let handled = 0;
  const rig = await startRig({
    unary: async () => {
      handled += 1;
      return {};
    },
  });
  const stranger = await session(rig);
  for (const path of [...KINDS, ...UNKNOWN]) {
    for (const body of [GOOD, MALFORMED, OVERSIZED, Buffer.alloc(0)]) {
      expect(await rawCall(stranger, path, body)).toEqual({ status: 16, message: "no client certificate" });
    }
  }
  expect(handled).toBe(0);
});

test("who is let in is told what is wrong with the bytes", async () => {
  const rig = await startRig();
  const known = await session(rig, rig.clientLeaf);
  const message = "the bytes received are not a valid rpc.testing.EchoRequest";
  for (const path of KINDS) {
    expect(await rawCall(known, path, MALFORMED)).toEqual({ status: 3, message });
    expect(await rawCall(known, path, INVALID_UTF8)).toEqual({ status: 3, message });
    expect(await rawCall(known, path, OVERSIZED)).toMatchObject({ status: 8 });
  }
  for (const body of [Buffer.alloc(0), Buffer.concat([GOOD, GOOD])]) {
    expect(await rawCall(known, UNARY, body)).toEqual({ status: 3, message: "Unary takes exactly one request" });
  }
  for (const path of UNKNOWN) {
    expect(await rawCall(known, path, GOOD)).toEqual({ status: 12, message: "this server has no such method" });
  }
  expect(rig.incidents).toEqual([]);
});

test("authorize sees every call, its method only when there is one, and its error is the answer", async () => {
  const seen: IncomingCall[] = [];
  const authorize = async (call: IncomingCall) => {
    seen.push(call);
    if (call.metadata.get("x-pass") !== "yes") {
      throw new HpsError("denied", "a viewer may not do that", { hint: "ask an admin" });
    }
    return "someone";
  };
  const rig = await startRig({}, { authorize });
  expect(await failure(rig.echo.unary({}))).toMatchObject({ code: "denied", hint: "ask an admin" });
  await rig.echo.unary({}, { metadata: { "x-pass": "yes" } });
  await rawCall(await session(rig), "/no.Such/Method", GOOD);
  expect(seen.map(({ method, path }) => [method?.name, path])).toEqual([
    ["Unary", UNARY],
    ["Unary", UNARY],
    [undefined, "/no.Such/Method"],
  ]);
  expect(rig.observations.map(({ method, code }) => `${method} ${code}`)).toEqual([
    `${UNARY} denied`,
    `${UNARY} ok`,
    "unknown denied",
  ]);
});

test("an authorize that throws by accident lets nobody in, one that hangs is not waited for", async () => {
  const broken = await startRig(
    {},
    {
      authorize: async () => {
        throw new TypeError("secret");
      },
    },
  );
  expect(String(await failure(broken.echo.unary({})))).toMatch(/internal error, incident/);
  const authorize = () => new Promise<string>(() => undefined);
  const hanging = await startRig({}, { authorize, limits: { authorizeMs: 50 } });
  expect(await failure(hanging.echo.unary({}))).toMatchObject({ code: "unavailable" });
});

test("the chain arrives leaf first, with its intermediate, whoever signed it", async () => {
  const chains: string[][] = [];
  const authorize = async ({ peer }: IncomingCall) => {
    chains.push(peer.certificateChain.map((der) => new X509Certificate(der).subject));
    return "";
  };
  const rig = await startRig({}, { authorize });
  const intermediate = await makeAuthority("intermediate", rig.root);
  const below = await makeLeaf(intermediate, { name: "agent" });
  const foreign = await makeLeaf(await makeAuthority("elsewhere"), { name: "foreign", hours: -1 });
  for (const leaf of [below, foreign]) {
    await rawCall(await session(rig, leaf), UNARY, GOOD);
  }
  expect(chains).toEqual([["CN=agent", "CN=intermediate"], ["CN=foreign"]]);
});

test("a peer that is let in and sends no request is not waited for, one that reads no end is reset", async () => {
  const data = new Uint8Array(512 * 1024);
  const endless = async function* () {
    for (;;) {
      yield { data };
    }
  };
  const rig = await startRig({ download: () => endless() }, { limits: { requestMs: 100, flushMs: 100 } });
  const known = await session(rig, rig.clientLeaf);
  const headers = { ":method": "POST", ":path": UNARY, "content-type": "application/grpc" };
  const silent = known.request(headers);
  const answer = await once(silent, "response");
  expect(answer[0]).toMatchObject({ "grpc-status": "4" });
  // Its other half is still open: a reset ends that too.
  await expect.poll(() => silent.rstCode).toBe(constants.NGHTTP2_CANCEL);
  const deaf = known.request({ ...headers, ":path": "/rpc.testing.EchoService/Download" });
  deaf.end(GOOD);
  await once(deaf, "response");
  rig.server.endCalls(() => true, new HpsError("aborted", "enough"));
  await expect.poll(() => deaf.rstCode).toBe(constants.NGHTTP2_CANCEL);
  expect(await rawCall(known, UNARY, GOOD)).toMatchObject({ status: 0 });
});

test("headers no client of ours sends leave the server up", async () => {
  const rig = await startRig();
  const odd: readonly Record<string, string>[] = [
    { "content-type": "text/plain" },
    { "grpc-timeout": "soon" },
    { "grpc-timeout": "99999999H" },
    { "grpc-encoding": "rot13" },
    { "x-bin-bin": "%%%" },
    { "x-big": "x".repeat(100_000) },
    Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`x-${index}`, "y"])),
  ];
  for (const extra of odd) {
    const known = await session(rig, rig.clientLeaf);
    const headers = { ":method": "POST", ":path": UNARY, "content-type": "application/grpc", ...extra };
    const stream = known.request(headers);
    stream.on("error", () => undefined);
    stream.resume();
    // Flag 1 claims that the message is compressed.
    stream.end(Buffer.concat([Buffer.from([1]), GOOD.subarray(1)]));
    await new Promise((resolve) => stream.once("close", resolve));
  }
  await rig.echo.unary({});
  expect(rig.incidents).toEqual([]);
  await expect.poll(() => rig.server.activeCalls).toBe(0);
});
