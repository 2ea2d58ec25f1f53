import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { create } from "@bufbuild/protobuf";
import type { FastifyRequest } from "fastify";
import { StartSessionSchema } from "../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { WindowSize } from "../../proto/values/terminal.ts";
import type { LiveCalls } from "../core/identity/live-calls.ts";
import type { Principal } from "../core/identity/principal.ts";
import type { Participant } from "../core/shells/participant.ts";
import { parseShellStart } from "../core/shells/shell-start.ts";
import type { Shells } from "../core/shells/shells.ts";
import { type HttpIncident, incidentOf } from "./error-answer.ts";
import { HeldOpen, type HeldOpenLimits } from "./held-open.ts";
import type { DoorApp } from "./https-door.ts";
import type { RecordsRefusal } from "./monitoring.ts";
import { addressOf, chainOf } from "./peer.ts";
import { PAGE_HEADER } from "./web/messages.ts";
import { parseTicketAsk } from "./web-ask.ts";
import { grantFor, type WebGrantsDeps } from "./web-grants.ts";
import { WEB_HEADERS } from "./web-headers.ts";
import { type OwnOrigins, requireOwnOrigin } from "./web-origin.ts";
import { addWebPages } from "./web-pages.ts";
import { TERMINAL_LIMITS, type TerminalLimits, WebTerminal } from "./web-terminal.ts";
import { TICKET_MS, type WebGrant, WebTickets } from "./web-tickets.ts";
import { grantOfUpgrade, peerOf, refuseUpgrade, SOCKET_PATH, upgraded } from "./web-upgrade.ts";

export interface WebDeps extends WebGrantsDeps {
  readonly resolve: (chain: readonly Buffer[]) => Promise<Principal>;
  readonly shells: Pick<Shells, "list" | "open" | "attach" | "live">;
  readonly live: LiveCalls;
  readonly clock: () => number;
  readonly origins: OwnOrigins;
  /** Records the refusal of who got no further than this door; answers with the incident. */
  readonly refused: RecordsRefusal;
  readonly onError: (incident: HttpIncident) => void;
  readonly limits?: Partial<TerminalLimits>;
}

/** What xterm.js is: it speaks UTF-8 alone, whatever the host's own locale, and shows all colours. */
const TERM = "xterm-256color";
const ENVIRONMENT = { LANG: "C.UTF-8", COLORTERM: "truecolor" };
const LIMITED = { config: { rateLimit: {} } };

/** By name and not by certificate: who has several has not more. */
const TERMINALS: HeldOpenLimits = {
  each: 16,
  inAll: 1_000,
  holderOf: ({ principal, address }) => (principal.kind === "operator" ? principal.name : address),
  tooMany: new HpsError("exhausted", "you have too many web terminals open", { hint: "close one of them" }),
};

/** The web terminal: its page, tickets, and the WebSockets that they open. */
export class WebDoor {
  readonly #deps: WebDeps;
  readonly #tickets: WebTickets;
  readonly #open = new HeldOpen(TERMINALS);

  constructor(deps: WebDeps) {
    this.#deps = deps;
    this.#tickets = new WebTickets(deps.clock);
    deps.live.connect((which, reason) => {
      this.#tickets.end(which);
      this.#open.end(which, reason);
    });
  }

  /** Terminals that are open now. */
  get count(): number {
    return this.#open.count;
  }

  /** For the door's list. */
  readonly routes = (app: DoorApp): void => {
    app.addHook("onRequest", (_request, reply, done) => {
      void reply.headers(WEB_HEADERS);
      done();
    });
    app.addContentTypeParser(
      "application/json",
      { parseAs: "string" },
      async (_request: unknown, body: string) => body,
    );
    addWebPages(app);
    // Before a byte of the body is read.
    const onRequest = async (request: FastifyRequest) => void (await this.#requireOwnPage(request));
    app.post("/web/tickets", { ...LIMITED, onRequest }, async (request, reply) => {
      void reply.header("cache-control", "no-store").type("application/json");
      return await reply.send(JSON.stringify(await this.#ticket(request)));
    });
    app.get(SOCKET_PATH, LIMITED, () => {
      throw new HpsError("invalid", "this address speaks WebSocket");
    });
    app.server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      // From here on nobody else listens to it.
      socket.on("error", () => socket.destroy());
      void this.#upgrade(request, socket, head);
    });
    app.addHook("preClose", (done) => {
      this.#open.end(
        () => true,
        new HpsError("unavailable", "hpsd is stopping", { hint: "connect again in a minute" }),
      );
      done();
    });
  };

  async #requireOwnPage(request: FastifyRequest): Promise<void> {
    await this.#refusing(request, "web.ticket", async () => {
      requireOwnOrigin(request.headers, this.#deps.origins);
      if (request.headers[PAGE_HEADER] === undefined) {
        throw new HpsError("denied", `this request comes from no page of this server: it has no ${PAGE_HEADER} header`);
      }
    });
  }

  async #ticket(request: FastifyRequest): Promise<{ readonly ticket: string; readonly seconds: number }> {
    const asker = { address: addressOf(request), principal: () => this.#deps.resolve(chainOf(request)) };
    return await this.#refusing(request, "web.ticket", async () => {
      const grant = await grantFor(this.#deps, asker, parseTicketAsk(String(request.body)));
      const origin = request.headers.origin ?? "";
      const ticket = this.#tickets.give(grant, { origin, peer: peerOf(chainOf(request)) });
      return { ticket, seconds: TICKET_MS / 1000 };
    });
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    try {
      const grant = await this.#refusing(request, "web.upgrade", async () => await this.#grant(request));
      let stop = (_reason: HpsError): void => void socket.destroy();
      const done = this.#open.begin(grant.caller, (reason) => stop(reason));
      socket.once("close", done);
      const { onError, limits, shells } = this.#deps;
      const live = (session: string) => shells.live(session);
      const parts = { enter: this.#enter, live, onError, limits: { ...TERMINAL_LIMITS, ...limits } };
      const webSocket = await upgraded(request, socket, head);
      if (webSocket === undefined) return;
      const terminal = new WebTerminal(webSocket, parts);
      stop = (reason) => terminal.stop(reason);
      await terminal.run(grant);
    } catch (error) {
      refuseUpgrade(socket, error instanceof HpsError ? error : incidentOf("web upgrade", error, this.#deps.onError));
    }
  }

  async #grant(request: IncomingMessage): Promise<WebGrant> {
    if (request.url !== SOCKET_PATH || request.method !== "GET") {
      throw new HpsError("not-found", "there is no WebSocket at this address");
    }
    const grant = grantOfUpgrade(request, this.#tickets, this.#deps.origins);
    // Its ticket is void with its maker's right.
    if (grant.link !== undefined) return grant;
    // As it is now: it may have been revoked since, and the ticket found no call to end.
    const principal = await this.#deps.resolve(chainOf(request));
    return { ...grant, caller: { ...grant.caller, principal } };
  }

  readonly #enter = async (grant: WebGrant, window: WindowSize, signal: AbortSignal): Promise<Participant> => {
    const { shells } = this.#deps;
    const { caller, hostId, wish } = grant;
    if (wish.kind === "attach") {
      const { session, write } = wish;
      return await shells.attach(caller, session, write ? { write, window } : { write }, signal);
    }
    const start = parseShellStart(
      create(StartSessionSchema, { term: TERM, environment: ENVIRONMENT, window, reason: wish.reason }),
    );
    return await shells.open(caller, hostId, start, signal);
  };

  /** What this door itself refuses is an audit event; what the core does has its own. */
  async #refusing<T>(request: FastifyRequest | IncomingMessage, action: string, step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      const isOurs = error instanceof HpsError && (error.code === "denied" || error.code === "unauthenticated");
      if (!isOurs || error.details.incident !== undefined) throw error;
      const address = addressOf(request);
      const actor = error.details.identity ?? (await this.#nameOf(request)) ?? `address:${address}`;
      const incident = await this.#deps.refused({ actor, action, address }, error.message);
      throw new HpsError(error.code, error.message, { hint: error.hint, details: { ...error.details, incident } });
    }
  }

  async #nameOf(request: FastifyRequest | IncomingMessage): Promise<string | undefined> {
    const principal = await this.#deps.resolve(chainOf(request)).catch(() => undefined);
    return principal === undefined || principal.kind === "nobody" ? undefined : principal.certificate.uri;
  }
}
