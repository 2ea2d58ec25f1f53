import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { type RequestOptions, request } from "node:https";
import { WebSocket } from "ws";
import { BoundedQueue } from "../../proto/flow/bounded-queue.ts";
import { Access } from "../core/identity/access.ts";
import type { Caller } from "../core/identity/principal.ts";
import type { OperatorOutput, Participant, ShellInput } from "../core/shells/participant.ts";
import { SessionLinks } from "../core/shells/session-links.ts";
import { addTestCluster, addTestHost } from "../core/testing/open-test-store.ts";
import { issueTestPeer, openTestIdentity, type TestIdentity, type TestPeer } from "../core/testing/test-identity.ts";
import { addTestOperator } from "../core/testing/test-rows.ts";
import { openTestDoor, type TestDoor } from "./testing.ts";
import { PAGE_HEADER, type ServerMessage, SUBPROTOCOL, TICKET_PREFIX } from "./web/messages.ts";
import { WebDoor } from "./web-routes.ts";
import type { TerminalLimits } from "./web-terminal.ts";

/** What a session is, for tests of the door alone. */
interface FakeSession {
  readonly output: BoundedQueue<OperatorOutput>;
  readonly input: ShellInput[];
  /** The program reads; replaced by tests of one that does not. */
  reads: () => Promise<unknown>;
  /** `opened lab`, `left: …`, `refused: …`, in the order they came. */
  readonly events: string[];
  readonly caller: Caller;
}

interface Knock {
  readonly origin?: string | null;
  readonly protocols?: readonly string[];
  readonly peer?: TestPeer | null;
  readonly path?: string;
  readonly host?: string;
}

export interface WebDoorRig extends AsyncDisposable {
  readonly identity: TestIdentity;
  readonly door: TestDoor;
  readonly web: WebDoor;
  readonly links: SessionLinks;
  readonly clusterId: string;
  readonly hostId: string;
  readonly wendy: TestPeer;
  readonly sessions: FakeSession[];
  /** What a list shows. */
  readonly running: Partial<Participant["session"]>[];
  readonly get: (path: string) => Promise<Answer>;
  readonly post: (body: unknown, headers?: Readonly<Record<string, string>>, peer?: TestPeer | null) => Promise<Answer>;
  readonly ticket: (ask?: object, peer?: TestPeer | null) => Promise<string>;
  /** The open socket, or the status and text of the refusal. */
  readonly knock: (ticket: string, how?: Knock) => Promise<Line | Answer>;
  /** A ticket, its socket, and its session, begun. */
  readonly open: () => Promise<{ readonly line: Line; readonly session: FakeSession }>;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** A page's end, kept. */
export class Line {
  readonly socket: WebSocket;
  readonly messages: ServerMessage[] = [];
  bytes = 0;
  /** The close code, once closed. */
  readonly closed: Promise<number>;

  constructor(socket: WebSocket) {
    this.socket = socket;
    this.closed = once(socket, "close").then(([code]) => Number(code));
    socket.on("message", (data, isBinary) => {
      if (isBinary && data instanceof Buffer) this.bytes += data.length;
      else this.messages.push(JSON.parse(String(data)));
    });
  }

  say(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  get last(): ServerMessage | undefined {
    return this.messages.at(-1);
  }
}

export const START = { type: "start", rows: 24, columns: 80 };

/** The real door with everything of the web terminal, over TLS; sessions are as they are written down here. */
export async function openWebDoorRig(limits: Partial<TerminalLimits> = {}): Promise<WebDoorRig> {
  const identity = await openTestIdentity();
  const clusterId = await addTestCluster(identity.store);
  const hostId = await addTestHost(identity.store, clusterId, { name: "h1" });
  await addTestOperator(identity.store, "wendy", { "*": "operator" });
  const wendy = await issueTestPeer(identity, { kind: "operator", subject: "wendy" });
  const links = new SessionLinks(identity);
  const sessions: FakeSession[] = [];
  const running: WebDoorRig["running"] = [];
  const { door, web } = await openWebDoor(identity, { links, sessions, running, limits });
  const peers = { door, ca: identity.authority.rootPem, wendy };
  const ticket: WebDoorRig["ticket"] = async (ask = { host: "lab/h1" }, peer = wendy) => {
    const { body } = await post(peers, ask, {}, peer);
    return String(JSON.parse(body).ticket);
  };
  const dispose = async () => {
    await door[Symbol.asyncDispose]();
    await identity[Symbol.asyncDispose]();
  };
  return {
    ...{ identity, door, web, links, clusterId, hostId, wendy, sessions, running, ticket },
    get: async (path) => await ask(peers, { path }),
    post: async (body, headers = {}, peer = wendy) => await post(peers, body, headers, peer),
    knock: async (word, how = {}) => await knock(peers, word, how),
    open: async () => {
      const line = await knock(peers, await ticket(), {});
      if (!(line instanceof Line)) throw new Error(`refused: ${line.status} ${line.body}`);
      line.say(START);
      while (line.messages.length === 0) await once(line.socket, "message");
      const session = sessions.at(-1);
      if (session === undefined) throw new Error("no session was opened");
      return { line, session };
    },
    [Symbol.asyncDispose]: dispose,
  };
}

interface DoorWish extends Pick<WebDoorRig, "links" | "sessions" | "running"> {
  readonly limits: Partial<TerminalLimits>;
}

async function openWebDoor(identity: TestIdentity, { links, sessions, running, limits }: DoorWish) {
  const { store, refusals, principals, live, clock } = identity;
  const take = async (caller: Caller) => fakeParticipant(sessions, caller);
  let own = "";
  const web = new WebDoor({
    ...{ links, live, clock, limits },
    access: new Access(store, refusals),
    shells: {
      list: async () => running.map((row) => ({ ...ROW, ...row })),
      open: take,
      attach: take,
      live: () => undefined,
    },
    origins: () => [own],
    resolve: (chain) => principals.resolve(chain),
    refused: (who, reason) => refusals.refused(who, { reason }),
    onError: ({ error }) => {
      throw error;
    },
  });
  const door = await openTestDoor(identity, { routes: [web.routes] });
  own = door.url;
  return { door, web };
}

interface Peers extends Pick<WebDoorRig, "door" | "wendy"> {
  readonly ca: string;
}

/** A header that is empty is not sent. */
async function post(peers: Peers, body: unknown, headers: object, peer: TestPeer | null): Promise<Answer> {
  const given = { origin: peers.door.url, "content-type": "application/json", [PAGE_HEADER]: "1", ...headers };
  const sent = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ""));
  const how = { path: "/web/tickets", method: "POST", headers: sent, ...keyOf(peer) };
  return await ask(peers, how, typeof body === "string" ? body : JSON.stringify(body));
}

async function ask({ door, ca }: Peers, how: RequestOptions, body?: string): Promise<Answer> {
  const to = { host: "localhost", servername: "localhost", port: door.door.port, ca, agent: false };
  const outgoing = request({ ...to, ...how });
  outgoing.end(body);
  return await new Promise((resolve, reject) => {
    outgoing.once("response", (response) => resolve(answerOf(response)));
    outgoing.once("error", reject);
  });
}

async function knock({ door, ca, wendy }: Peers, ticket: string, how: Knock): Promise<Line | Answer> {
  const { origin = door.url, protocols = [SUBPROTOCOL, TICKET_PREFIX + ticket], peer = wendy, path, host } = how;
  const headers = { ...(origin !== null && { origin }), ...(host !== undefined && { host }) };
  const options = { ca, servername: "localhost", perMessageDeflate: false, headers, ...keyOf(peer) };
  const socket = new WebSocket(`${door.url.replace("https", "wss")}${path ?? "/web/socket"}`, [...protocols], options);
  socket.on("error", () => undefined);
  return await new Promise((resolve) => {
    const line = new Line(socket);
    socket.once("open", () => resolve(line));
    socket.once("unexpected-response", (_request, response) => resolve(answerOf(response)));
  });
}

function keyOf(peer: TestPeer | null): { readonly key?: string; readonly cert?: string } {
  return peer === null ? {} : { key: peer.key, cert: peer.cert };
}

async function answerOf(response: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() };
}

const ROW = {
  ...{ id: "s1", hostId: "", clusterId: "", cluster: "lab", host: "h1", operator: "wendy", command: [], reason: "" },
  ...{
    address: "",
    agentRun: "",
    approver: "",
    endsAt: null,
    idleLimit: 0,
    certificate: "",
    strict: false,
    recorded: true,
    startedAt: 1,
    endedAt: null,
    exitCode: null,
    endReason: "",
    recordingBytes: 0,
    recordingDigest: "",
    recordingRemovedAt: null,
  },
};

function fakeParticipant(sessions: FakeSession[], caller: Caller): Participant {
  const sizeOf = ({ value }: OperatorOutput) => (value instanceof Uint8Array ? value.length : 0);
  const output = new BoundedQueue<OperatorOutput>({ capacity: 512 * 1024, sizeOf });
  const session: FakeSession = { output, input: [], events: [], caller, reads: async () => undefined };
  sessions.push(session);
  return {
    ...{ id: "p1", session: ROW, output },
    send: async (input) => {
      session.input.push(input);
      await session.reads();
    },
    leave: (reason) => {
      session.events.push(`left: ${reason}`);
      void output.return();
    },
    refuse: (error) => {
      session.events.push(`refused: ${error.message}`);
      output.end(error);
    },
  };
}
