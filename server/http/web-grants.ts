import { HpsError } from "../../proto/values/hps-error.ts";
import type { Access } from "../core/identity/access.ts";
import type { Caller, Principal } from "../core/identity/principal.ts";
import type { SessionLink, SessionLinks } from "../core/shells/session-links.ts";
import type { Shells } from "../core/shells/shells.ts";
import type { TicketAsk } from "./web/messages.ts";
import type { WebGrant } from "./web-tickets.ts";

export interface WebGrantsDeps {
  readonly access: Pick<Access, "host" | "session">;
  readonly links: SessionLinks;
  readonly shells: Pick<Shells, "list">;
}

/** Who asks: as its connection proves it, which a link does not ask for, and from where. */
export interface Asker {
  readonly principal: () => Promise<Principal>;
  readonly address: string;
}

/** Whoever sees a host or a session may ask: whether it may enter or watch, by its role or a grant, is the sessions' to say. */
const SEES = "viewer";
/** Of sessions that are looked through for one to watch. */
const MOST_OPEN = 500;

/** What the asker may have of what it asks for. Errors say why not; what is refused is in the audit log. */
export async function grantFor(deps: WebGrantsDeps, asker: Asker, ask: TicketAsk): Promise<WebGrant> {
  if (ask.link !== undefined) return await grantOfLink(deps, asker, ask.link);
  const principal = await asker.principal();
  const { address } = asker;
  if (principal.kind !== "operator") throw notForThem(principal);
  const caller = (action: string): Caller => ({ principal, address, action, needs: SEES });
  if (ask.session === undefined) {
    const who = caller("web.open");
    const { id } = await deps.access.host(who, ask.host ?? "");
    return { caller: who, hostId: id, wish: { kind: "open", reason: ask.reason ?? "" } };
  }
  const who = caller("web.attach");
  const { id, hostId = "" } = await deps.access.session(who, ask.session);
  return { caller: who, hostId, wish: { kind: "attach", session: id, write: ask.write === true } };
}

/** In its maker's name, from the address of who uses it. What it is for is looked for first: only then is it used up. */
async function grantOfLink(deps: WebGrantsDeps, { address }: Asker, secret: string): Promise<WebGrant> {
  const link = await deps.links.find(secret, address);
  const caller: Caller = { ...link.issuer, address, action: link.write ? "web.open" : "web.attach", needs: SEES };
  const { id: hostId, clusterId } = await deps.access.host(caller, link.hostId);
  const wish = link.write
    ? ({ kind: "open", reason: link.reason } as const)
    : ({ kind: "attach", session: await toWatch(deps, caller, link, clusterId), write: false } as const);
  if (!deps.links.use(link)) {
    throw new HpsError("unauthenticated", "this link was used or taken back a moment ago");
  }
  return { caller, hostId, wish, link: link.id };
}

async function toWatch(deps: WebGrantsDeps, caller: Caller, link: SessionLink, clusterId: string): Promise<string> {
  if (link.session !== "") return (await deps.access.session(caller, link.session)).id;
  const open = await deps.shells.list({ clusters: [clusterId], openOnly: true, limit: MOST_OPEN });
  const terminal = open.find(({ hostId, command }) => hostId === link.hostId && command.length === 0);
  if (terminal !== undefined) return terminal.id;
  throw new HpsError("precondition", "nobody has a terminal open on this host now, so there is nothing to watch", {
    hint: "try again when somebody has: the link is not used up",
  });
}

function notForThem({ kind }: Principal): HpsError {
  return kind === "nobody"
    ? new HpsError("unauthenticated", "no client certificate", {
        hint: "import your certificate into the browser, or use a link: hpsctl session link HOST",
      })
    : new HpsError("denied", `a web terminal is not for ${kind === "host" ? "a host" : "an installer"}`);
}
