/** Unary calls per second: hpsd's, with authorisation and store, beside a bare grpc-js method that answers as many bytes. */
import { once } from "node:events";
import type { ClientHttp2Session } from "node:http2";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { GetHostRequestSchema, ListHostsRequestSchema } from "../../proto/gen/hps/v1/host_pb.ts";
import { startBare } from "./bare-server.ts";
import { initState, makeBundles, startHpsd, temporaryFolder } from "./bench-hpsd.ts";
import { type Fleet, fillStore } from "./fleet.ts";
import { framed, onMessages, openConnection, startCall } from "./grpc-connection.ts";
import { threadSeconds, type Use, useBetween } from "./process-use.ts";
import { median, quantile } from "./quantiles.ts";
import { type Measured, type Row, row } from "./row.ts";

const HOSTS = 1_000;
const CONNECTIONS = 4;
/** Calls open at one time, on all connections. */
const AT_ONCE = 32;
const ROUND_MS = 4_000;
/** Ours and the peer's by turns, so that what else the machine does hits both. */
const ROUNDS = 5;
const PEER = "grpc-js";

export async function unary(): Promise<Measured> {
  makeBundles();
  using folder = temporaryFolder();
  const state = initState(folder.path);
  const fleet = await fillStore(state.state, { hosts: HOSTS, withAgents: false });
  const hpsd = await startHpsd(state);
  const bare = await startBare(folder.path, fleet);
  const ours = await connections(fleet, hpsd.grpcPort);
  const peers = await connections(fleet, bare.port);
  try {
    const rows: Row[] = [];
    const notes: string[] = [];
    for (const call of callsOf(fleet)) {
      const answer = await callOnce(ours[0], call.path, call.request(0));
      const size = Buffer.alloc(4);
      size.writeUInt32BE(answer.length);
      const echo = { path: "/bare.Bare/Unary", request: () => size };
      const rounds = await byTurns(
        () => round(ours, call, hpsd.program.pid),
        () => round(peers, echo, bare.program.pid),
      );
      rows.push(...rowsOf(call.name, rounds));
      notes.push(noteOf(call.name, answer.length, rounds));
    }
    return {
      rows,
      notes: [
        ...notes,
        `${AT_ONCE} calls at a time on ${CONNECTIONS} connections; a store of ${HOSTS} hosts; medians of ${ROUNDS} rounds.`,
      ],
    };
  } finally {
    for (const session of [...ours, ...peers]) session.destroy();
    await hpsd.program.stop();
    await bare.program.stop();
  }
}

interface Call {
  readonly path: string;
  readonly request: (number: number) => Uint8Array;
}

function callsOf({ hostIds }: Fleet): readonly (Call & { readonly name: string })[] {
  const encoded = <D extends DescMessage>(schema: D, init: MessageInitShape<D>) =>
    toBinary(schema, create(schema, init));
  const one = (number: number) => encoded(GetHostRequestSchema, { host: hostIds[number % hostIds.length] ?? "" });
  const page = encoded(ListHostsRequestSchema, { pageSize: 100 });
  return [
    { name: "GetHost", path: "/hps.v1.HostService/GetHost", request: one },
    { name: "ListHosts of 100", path: "/hps.v1.HostService/ListHosts", request: () => page },
  ];
}

async function connections({ ca, operator }: Fleet, port: number): Promise<readonly ClientHttp2Session[]> {
  const open = Array.from({ length: CONNECTIONS }, () => openConnection({ ...operator, ca, port }));
  await Promise.all(open.map((session) => once(session, "connect")));
  return open;
}

/** The answer's bytes; throws when there is none. */
async function callOnce(session: ClientHttp2Session | undefined, path: string, request: Uint8Array): Promise<Buffer> {
  if (session === undefined) throw new Error("no connection");
  const stream = startCall(session, path);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  let answer: Buffer | undefined;
  let status = "";
  onMessages(stream, (message) => {
    answer = message;
  });
  stream.on("trailers", (trailers) => {
    status = `${trailers["grpc-status"]} ${trailers["grpc-message"] ?? ""}`;
  });
  stream.on("error", reject);
  stream.on("close", () => (answer === undefined ? reject(new Error(`${path}: status ${status}`)) : resolve(answer)));
  stream.end(framed(request));
  return await promise;
}

interface Round {
  readonly perSecond: number;
  readonly latencies: readonly number[];
  readonly use: Use;
}

async function round(sessions: readonly ClientHttp2Session[], { path, request }: Call, pid: number): Promise<Round> {
  const latencies: number[] = [];
  const before = threadSeconds(pid);
  const start = performance.now();
  const caller = async (_: unknown, index: number) => {
    const session = sessions[index % sessions.length];
    for (let number = index; performance.now() - start < ROUND_MS; number += AT_ONCE) {
      const at = performance.now();
      await callOnce(session, path, request(number));
      latencies.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, caller));
  const seconds = (performance.now() - start) / 1000;
  return { latencies, perSecond: latencies.length / seconds, use: useBetween(before, threadSeconds(pid), seconds) };
}

interface Rounds {
  readonly ours: readonly Round[];
  readonly peers: readonly Round[];
}

/** The first pair warms both up and does not count. */
async function byTurns(our: () => Promise<Round>, peer: () => Promise<Round>): Promise<Rounds> {
  const [ours, peers]: [Round[], Round[]] = [[], []];
  for (let count = 0; count <= ROUNDS; count += 1) {
    ours.push(await our());
    peers.push(await peer());
  }
  return { ours: ours.slice(1), peers: peers.slice(1) };
}

function rowsOf(name: string, { ours, peers }: Rounds): Row[] {
  const of = (rounds: readonly Round[], value: (round: Round) => number) => median(rounds.map(value));
  const beside = (value: (round: Round) => number) => ({ peer: { name: PEER, value: of(peers, value) } });
  const rate = ({ perSecond }: Round) => perSecond;
  const p99 = ({ latencies }: Round) => quantile(latencies, 0.99);
  const cost = ({ use, perSecond }: Round) => (use.total / perSecond) * 1_000_000;
  return [
    row(name, of(ours, rate), "calls/s", beside(rate)),
    row(`${name}: answer p99`, of(ours, p99), "ms", beside(p99)),
    row(`${name}: processor time of the server`, of(ours, cost), "µs/call", beside(cost)),
  ];
}

function noteOf(name: string, bytes: number, { ours, peers }: Rounds): string {
  const threads = [...(ours.at(-1)?.use.cores ?? [])].filter(([, share]) => share >= 0.01);
  const shares = threads.map(([thread, share]) => `${thread} ${(share * 100).toFixed(0)} %`).join(", ");
  const peer = ((peers.at(-1)?.use.total ?? 0) * 100).toFixed(0);
  return `${name}: answers of ${bytes} bytes; threads of hpsd, of one core: ${shares}; grpc-js in all ${peer} %.`;
}
