import { expect, test } from "vitest";
import { HpsError } from "../../../proto/values/hps-error.ts";
import type { insertChange } from "../../store/changes.ts";
import { OPEN_SHELL_POLICY } from "../../store/clusters.ts";
import { deleteHost } from "../../store/hosts.ts";
import { deleteOperator, replaceBindings, selectOperator } from "../../store/operators.ts";
import { deleteShellGrant, insertShellGrant, type NewShellGrant } from "../../store/shell-grants.ts";
import { Changes } from "../changes/changes.ts";
import { LiveCalls } from "../identity/live-calls.ts";
import type { Role } from "../identity/principal.ts";
import { operatorCaller } from "../testing/callers.ts";
import { addTestCluster, addTestHost, openTestStore } from "../testing/open-test-store.ts";
import { addTestOperator } from "../testing/test-rows.ts";
import type { Seat, SeatRole } from "./participant.ts";
import type { ShellWish } from "./shell-policy.ts";
import { ShellRights } from "./shell-rights.ts";

type Kind = "host" | "cluster" | "operator" | "grant";

async function openRig(roles: Readonly<Record<string, Role>> = { alice: "operator", bob: "operator" }) {
  const store = await openTestStore();
  const changes = new Changes(store, Date.now);
  const live = new LiveCalls();
  const errors: unknown[] = [];
  const faults = { reads: 0 };
  const read: typeof store.read = async (fn) => {
    if (faults.reads > 0) {
      faults.reads -= 1;
      throw new Error("no read today");
    }
    return await store.read(fn);
  };
  const rights = new ShellRights({
    ...{ store: Object.assign(Object.create(store), { read }), changes, live, clock: Date.now },
    onError: (error) => errors.push(error),
  });
  const clusterId = await addTestCluster(store);
  const hostId = await addTestHost(store, clusterId, { name: "h1" });
  const ids = new Map<string, string>();
  for (const [name, role] of Object.entries(roles))
    ids.set(name, await addTestOperator(store, name, { [clusterId]: role }));
  const change = async (
    kind: Kind,
    objectId: string,
    act: (tx: Parameters<typeof insertChange>[0]) => Promise<unknown>,
  ) =>
    await store.write(async (tx) => {
      await act(tx);
      await changes.note(tx, { kind, objectId, clusterId: kind === "operator" ? null : clusterId, deleted: false });
    });
  const grant = async (of: Partial<NewShellGrant> = {}) => {
    const it = {
      id: `g${Math.random()}`,
      clusterId,
      reason: "",
      createdBy: "root",
      createdAt: 1,
      expiresAt: null,
      ...of,
    };
    const to = { operatorId: ids.get("bob") ?? "" };
    const whole = { to, on: { tags: new Map<string, string>() }, permission: "enter" as const, ...it };
    await change("grant", it.id, (tx) => insertShellGrant(tx, whole));
    return it.id;
  };
  const watch = (operator: string, ...seats: readonly (readonly [string, SeatRole])[]) => {
    const said: string[] = [];
    const participants: Seat[] = seats.map(([name, role]) => ({
      id: name,
      operator: name,
      role,
      address: "",
      joinedAt: 1,
    }));
    const session = {
      row: { id: "s", hostId, clusterId, host: "h1", operator, certificate: `first of ${operator}` },
      participants,
      judged: (id: string, verdict: ShellWish | HpsError) => {
        if (!(verdict instanceof HpsError)) return;
        said.push(`${id} ${verdict.code}: ${verdict.message}`);
        participants.splice(0, participants.length, ...participants.filter((seat) => seat.id !== id));
      },
      end: async ({ reason }: { reason: string }) => {
        said.push(`END ${reason}`);
        rights.forget(session);
      },
    };
    rights.watch(session);
    return { said, session };
  };
  return {
    ...{ store, live, rights, errors, faults, clusterId, hostId, ids, change, grant, watch },
    [Symbol.asyncDispose]: async () => {
      rights.stop();
      await store[Symbol.asyncDispose]();
    },
  };
}

const NO_ROLE = "this needs role operator in cluster lab, or a grant";

test("a role that shrinks ends what it began, and takes out who watched; who still may stays", async () => {
  await using rig = await openRig({ alice: "operator", bob: "operator", carol: "operator" });
  const mine = rig.watch("alice", ["alice", "owner"], ["bob", "watcher"], ["carol", "writer"]);
  const other = rig.watch("bob", ["bob", "owner"], ["alice", "watcher"]);
  await rig.change("operator", "bob", (tx) =>
    replaceBindings(tx, rig.ids.get("bob") ?? "", [{ clusterId: rig.clusterId, role: "viewer" }]),
  );
  await expect.poll(() => mine.said).toEqual([`bob denied: bob may no longer watch shells of host lab/h1: ${NO_ROLE}`]);
  await expect.poll(() => other.said).toEqual([`END bob may no longer enter shells of host lab/h1: ${NO_ROLE}`]);
});

test("a session nobody is connected to ends too: its operator is judged, not its client", async () => {
  await using rig = await openRig();
  const detached = rig.watch("bob");
  await rig.change(
    "operator",
    "bob",
    async (tx) => await deleteOperator(tx, (await selectOperator(tx, "bob"))?.id ?? ""),
  );
  await expect.poll(() => detached.said).toEqual(["END operator bob is no more"]);
});

test("the cluster turns to grants: who has one stays", async () => {
  await using rig = await openRig();
  const [of, by] = [rig.watch("alice", ["bob", "watcher"]), rig.watch("bob")];
  const grant = await rig.grant();
  const shell_json = JSON.stringify({ ...OPEN_SHELL_POLICY, access: "grant" });
  await rig.change(
    "cluster",
    rig.clusterId,
    async (tx) => await tx.updateTable("cluster").set({ shell_json }).execute(),
  );
  const why = "cluster lab lets nobody in without a grant, and there is none for this";
  await expect.poll(() => of.said).toEqual([`END alice may no longer enter shells of host lab/h1: ${why}`]);
  expect(by.said).toEqual([]);
  await rig.change("grant", grant, (tx) => deleteShellGrant(tx, grant));
  await expect.poll(() => by.said).toEqual([`END bob may no longer enter shells of host lab/h1: ${why}`]);
});

test("a grant by tag ends with the tag", async () => {
  await using rig = await openRig({ bob: "viewer" });
  const tag = { host_id: rig.hostId, key: "rack", value: "r1" };
  await rig.store.write(async (tx) => void (await tx.insertInto("host_tag").values(tag).execute()));
  await rig.grant({ on: { tags: new Map([["rack", "r1"]]) } });
  const { said } = rig.watch("bob");
  await rig.change("host", rig.hostId, async (tx) => await tx.deleteFrom("host_tag").execute());
  await expect.poll(() => said).toEqual([`END bob may no longer enter shells of host lab/h1: ${NO_ROLE}`]);
});

test("a grant's time is over: the session ends by the clock, and one with a longer grant goes on", async () => {
  await using rig = await openRig({ bob: "viewer", carol: "viewer" });
  await rig.grant({ expiresAt: Date.now() + 300 });
  await rig.grant({ expiresAt: Date.now() + 3_600_000, to: { operatorId: rig.ids.get("carol") ?? "" } });
  const [short, long] = [rig.watch("bob"), rig.watch("carol", ["bob", "watcher"])];
  await expect.poll(() => short.said).toHaveLength(1);
  await expect.poll(() => long.said).toEqual([`bob denied: bob may no longer watch shells of host lab/h1: ${NO_ROLE}`]);
});

test("what changed between the decision and the session's beginning is seen", async () => {
  await using rig = await openRig({ bob: "viewer" });
  const { said } = rig.watch("bob");
  await expect.poll(() => said).toHaveLength(1);
});

test("a host that is deleted ends its sessions", async () => {
  await using rig = await openRig();
  const { said } = rig.watch("alice");
  await rig.change("host", rig.hostId, (tx) => deleteHost(tx, rig.hostId));
  await expect.poll(() => said).toEqual(["END host h1 was deleted"]);
});

test("a revoked certificate ends what was begun by it, and changed roles end nothing by themselves", async () => {
  await using rig = await openRig();
  const alice = operatorCaller("operator", rig.clusterId, "alice");
  const [begun, back, bob] = [rig.watch("alice"), rig.watch("alice"), rig.watch("bob")];
  // Its owner is back by a renewed certificate.
  rig.rights.watch(back.session, alice);
  const revoked = new HpsError("unauthenticated", "your certificate is revoked: stolen");
  rig.live.operatorChanged("alice", new Map([[rig.clusterId, "operator"]]));
  rig.live.operatorChanged("alice", new Map());
  expect(begun.said).toEqual([]);
  const sentence = "END alice was thrown out: its certificate is revoked: stolen";
  rig.live.certificatesEnded(["first of alice"], revoked);
  expect([begun.said, back.said, bob.said]).toEqual([[sentence], [], []]);
  rig.live.certificatesEnded([alice.principal.certificate.fingerprint], revoked);
  expect([back.said, bob.said]).toEqual([[sentence], []]);
});

test("rights that cannot be read are read again", async () => {
  await using rig = await openRig();
  // Before the first judgement begins: one that was under way would see the change without them.
  rig.faults.reads = 2;
  const { said } = rig.watch("bob");
  await rig.change("operator", "bob", (tx) => replaceBindings(tx, rig.ids.get("bob") ?? "", []));
  await expect.poll(() => said).toHaveLength(1);
  expect(rig.errors.length).toBeGreaterThan(0);
});
