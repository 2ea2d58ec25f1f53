/**
 * What the matrix is worth: each of the two layers is switched off, here and nowhere else, and just the cells that this
 * layer refuses turn red. A cell that stays green then would be one that nobody watches.
 */
import { afterEach, expect, test, vi } from "vitest";
import type { IncomingCall } from "../../proto/rpc/handlers.ts";
import type { Core } from "../../server/core/core.ts";
import { Access } from "../../server/core/identity/access.ts";
import type { Caller } from "../../server/core/identity/principal.ts";
import type { AuthorizeDeps } from "../../server/rpc/authorize.ts";
import { actionOf, ruleOf } from "../../server/rpc/contract.ts";
import { type Cell, nameOf, type Outcome } from "../access/cell.ts";
import { EXPECTED } from "../access/expected-access.ts";
import { NAMES, Peers } from "../access/identities.ts";
import { ROWS, walk } from "../access/matrix.ts";
import { openRig, ROOT } from "../access/rig.ts";

const off = vi.hoisted(() => ({ interceptor: false }));

vi.mock(import("../../server/rpc/authorize.ts"), async (load) => {
  const real = await load();
  const createAuthorize = (deps: AuthorizeDeps) => {
    const strict = real.createAuthorize(deps);
    return async (call: IncomingCall) => (off.interceptor ? await letIn(deps, call) : await strict(call));
  };
  return { ...real, createAuthorize };
});

/** Asks who it is and nothing else. */
async function letIn({ principals }: AuthorizeDeps, { method, peer }: IncomingCall): Promise<Caller> {
  if (method === undefined) throw new Error("no such method");
  const principal = await principals.resolve(peer.certificateChain).catch(() => ({ kind: "nobody" }) as const);
  return { principal, action: actionOf(method), address: peer.address, needs: ruleOf(method).needs };
}

/** Finds the object and lets everyone have it. */
class OpenAccess extends Access {
  override cluster(_: Caller, name: string) {
    return super.cluster(ROOT, name);
  }
  override host(_: Caller, reference: string) {
    return super.host(ROOT, reference);
  }
  override installation(_: Caller, id: string) {
    return super.installation(ROOT, id);
  }
  override session(_: Caller, id: string) {
    return super.session(ROOT, id);
  }
  override grant(_: Caller, id: string) {
    return super.grant(ROOT, id);
  }
  override shared() {
    return super.shared(ROOT);
  }
  override visible(_: Caller, cluster: string) {
    return super.visible(ROOT, cluster);
  }
}

/** The shells' own check asks for someone who may. */
function openAdmission({ admission }: Core): void {
  const { join, may, open } = admission;
  admission.open = (_, hostId, opening) => open.call(admission, ROOT, hostId, opening);
  admission.may = (_, hostId, wish) => may.call(admission, ROOT, hostId, wish);
  admission.join = (_, session, wish) => join.call(admission, ROOT, session, wish);
}

function withoutAccess(core: Core): Core {
  openAdmission(core);
  return { ...core, access: new OpenAccess(core.store, core.refusals) };
}

const isRefused = (cell: Cell) => cell !== "ok";
const red = (outcomes: readonly Outcome[]) =>
  outcomes.filter(({ problems }) => problems.length > 0).map(({ name }) => name);

/** The cells of the matrix that these letters are in. */
function cellsOf(...cells: readonly Cell[]): string[] {
  const has = (name: string) => NAMES.filter((who) => cells.some((cell) => cell === EXPECTED.get(name)?.get(who)));
  return ROWS.flatMap((row) => has(row.name).map((who) => nameOf(row, who)));
}

afterEach(() => {
  off.interceptor = false;
});

test("without the interceptor every cell it refuses is red, and no cell of the core", {
  timeout: 120_000,
}, async () => {
  await using rig = await openRig();
  off.interceptor = true;
  // Let in, some streams have nothing to tell this caller. To be silent is not to be refused.
  const limitMs = (expected: Cell) => (expected === "U" || expected === "D" ? 150 : undefined);
  const outcomes = await walk(await Peers.open(rig), { which: isRefused, limitMs });
  expect(red(outcomes)).toEqual(cellsOf("U", "D"));
});

test("without the core's check every cell it refuses or filters is red, and no other", {
  timeout: 120_000,
}, async () => {
  await using rig = await openRig(withoutAccess);
  expect(red(await walk(await Peers.open(rig), { which: isRefused }))).toEqual(cellsOf("d", "N", "-"));
});
