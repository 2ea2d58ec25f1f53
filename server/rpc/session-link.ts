import { durationMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { CreateSessionLinkRequest } from "../../proto/gen/hps/v1/shell_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import type { HttpsUrl } from "../../proto/values/https-url.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import type { Access } from "../core/identity/access.ts";
import type { Caller } from "../core/identity/principal.ts";
import { LONGEST_LINK_MS, type SessionLinks } from "../core/shells/session-links.ts";
import type { ShellAdmission } from "../core/shells/shell-admission.ts";

export interface SessionLinkDeps {
  readonly access: Access;
  readonly admission: Pick<ShellAdmission, "open" | "may">;
  readonly links: SessionLinks;
  /** Where browsers reach this server. */
  readonly webAddress: () => HttpsUrl;
}

const MOST_REASON = 1024;

/** ShellService.CreateSessionLink. The secret stands in the fragment, which no browser sends anywhere. */
export async function createSessionLink(
  { access, admission, links, webAddress }: SessionLinkDeps,
  caller: Caller,
  { host: name, session, write, reason, validity }: CreateSessionLinkRequest,
) {
  const host = await access.host(caller, name);
  if (reason.length > MOST_REASON) {
    throw new HpsError("invalid", `the reason has ${reason.length} characters, above ${MOST_REASON}`);
  }
  if (session !== "") {
    if (write) throw new HpsError("invalid", "a link to a session that is open only watches it");
    const found = await access.session(caller, session);
    if (found.hostId !== host.id) throw new HpsError("not-found", `no session ${safeText(session)} of that host`);
  }
  // Asked again when the link is used: now only so that nobody is handed one that opens nothing.
  if (write) await admission.open(caller, host.id, { reason });
  else await admission.may(caller, host.id, "watch");
  const validityMs = validity === undefined ? LONGEST_LINK_MS : durationMs(validity);
  const wish = { hostId: host.id, clusterId: host.clusterId, write, session, reason, validityMs };
  const { link, secret } = await links.create(caller, wish);
  return {
    id: link.id,
    url: `${webAddress()}/web/#link=${secret}`,
    expireTime: timestampFromMs(link.expiresAt),
  };
}
