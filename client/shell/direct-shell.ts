import { HpsError } from "../../proto/values/hps-error.ts";
import type { WindowSize } from "../../proto/values/terminal.ts";
import type { Call } from "../commands/call.ts";
import { note } from "../output/print.ts";
import { connectDirect, type DirectTarget, directTarget } from "../sdk/direct.ts";
import { readProfile } from "../sdk/profile.ts";
import { commandSession, NO_CODE } from "./command-session.ts";
import { Connection, type SessionStart } from "./connection.ts";
import { withoutCode } from "./session-call.ts";
import { terminalSession } from "./terminal-session.ts";

export interface DirectWish {
  /** What the user named. */
  readonly text: string;
  /** Where it is, when that is not to be had from the name. */
  readonly address: string | undefined;
  readonly start: (host: string) => SessionStart;
  /** Set: this terminal. Else standard input as it is, or none. */
  readonly terminal?: { readonly escapeKey: number | undefined; readonly window: WindowSize };
  readonly input: "all" | "end";
}

/** A session through a host's own agent, past hpsd. Nothing falls back to it, and it falls back to nothing. */
export async function directShell(call: Call, { text, address, start, terminal, input }: DirectWish): Promise<number> {
  const profile = await readProfile(call.contextChoice);
  const target = directTarget(text, profile.cluster, address);
  using hps = connectDirect(profile, target);
  await note(
    call.terminal,
    `hpsctl: NOT through hpsd: ${text} at ${target.endpoint} itself, which records the session`,
  );
  using connection = await Connection.open(hps, start(target.host), call.stream).catch((error: unknown) => {
    throw explained(error, text, target);
  });
  return await withoutCode(call.terminal, async () =>
    terminal === undefined
      ? await commandSession(call.terminal, connection, { input })
      : await terminalSession(connection, { ...terminal, ...ONE_CONNECTION, terminal: call.terminal, write: true }),
  );
}

/** Nobody comes back into such a session: it ends with its connection. */
const ONE_CONNECTION = {
  attach: () => Promise.reject(new HpsError("precondition", "a session past hpsd ends with its connection")),
  ended: async () => ({
    code: NO_CODE,
    signal: 0,
    reason: "the connection to the host was lost, and a session past hpsd ends with it",
  }),
};

function explained(error: unknown, text: string, { endpoint }: DirectTarget): unknown {
  // What the host itself says names no address.
  if (!(error instanceof HpsError) || error.code !== "unavailable" || !error.message.includes(endpoint)) return error;
  const { details } = error;
  if (error.message.includes("certificate")) {
    return new HpsError("unauthenticated", `what answers at ${endpoint} is not host ${text}: ${error.message}`, {
      ...{ details, cause: error },
      hint: "another machine may have its address now: look where the host is, and name that with --address",
    });
  }
  return new HpsError("unavailable", `no host lets anybody in at ${endpoint}: ${error.message}`, {
    ...{ details, cause: error },
    hint: "a host's agent does so once hpsd is lost for a minute, where its cluster has it on (hpsctl cluster edit --shell-direct on)",
  });
}
