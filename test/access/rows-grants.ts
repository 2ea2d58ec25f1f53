import { GrantService, ShellPermission } from "../../proto/gen/hps/v1/grant_pb.ts";
import { type Rig, ROOT } from "./rig.ts";
import { type Row, row, type Try } from "./row.ts";
import { ofClusterA } from "./rows-hosts.ts";
import type { Subject } from "./subject.ts";

const grant = GrantService.method;

const isStored = ({ rig }: Try, id: string) => rig.book.value("SELECT id FROM shell_grant WHERE id = ?", id) === id;

/** To every viewer, on the prepared host alone. */
export async function grantViewers({ core, clusters }: Rig, { hostName }: Pick<Subject, "hostName">): Promise<string> {
  const wish = { to: { role: "viewer" }, on: { host: hostName }, permission: "enter", expiresAt: null } as const;
  return (await core.grants.create(ROOT, clusters.a, { ...wish, reason: "test" })).id;
}

export const GRANT_ROWS: readonly Row[] = [
  row(grant.createGrant, {
    request: ({ subject }) => ({
      grant: {
        ...{ cluster: "a", permission: ShellPermission.ENTER, reason: "test" },
        grantee: { case: "operator" as const, value: "viewer" },
        hosts: { case: "host" as const, value: subject.hostName },
      },
    }),
    shows: ({ id }, t) => isStored(t, id),
    target: ofClusterA,
    changes: true,
  }),
  row(grant.listGrants, {
    extra: grantViewers,
    request: () => ({ cluster: "a", pageSize: 1000 }),
    shows: ({ grants }, { subject }) => grants.some(({ id }) => id === subject.extra),
    target: ofClusterA,
  }),
  row(grant.listGrants, {
    variant: "of all",
    extra: grantViewers,
    request: () => ({ pageSize: 1000 }),
    shows: ({ grants }, { subject }) => grants.some(({ id }) => id === subject.extra),
  }),
  row(grant.deleteGrant, {
    extra: grantViewers,
    request: ({ subject }) => ({ grant: subject.extra }),
    shows: (_reply, t) => !isStored(t, t.subject.extra),
    target: ({ subject }) => `grant:${subject.extra}`,
    changes: true,
  }),
];
