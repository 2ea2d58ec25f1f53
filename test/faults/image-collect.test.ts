/** Eight agents install one image from a real hpsd, while it collects: what they read from is made anew, and is old for hours. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeDebianTree } from "../../client/testing/debian-tree.ts";
import type { PacksOrder } from "../../installer-agent/install/install-order.ts";
import type { Files } from "../../installer-agent/link/files.ts";
import { differences, noise } from "../../installer-agent/testing/unpack-rig.ts";
import { makeScratch } from "../../proto/tree/testing/scratch.ts";
import { openHpsStore } from "../../server/store/database.ts";
import { makeManyFiles } from "./image-trees.ts";
import { armHost } from "./load-agents.ts";
import { verified } from "./packs-library.ts";
import { type RealHpsd, startHpsd } from "./real-hpsd.ts";
import { makeUnpackAgent } from "./unpack-agent.ts";

const MIB = 1 << 20;
const HOUR_MS = 3_600_000;
/** The first four break off after so many bytes, and go on when told; the next two begin then, and the last two ask then what to read. */
const MIDDLE = [2, 5, 9, 14].map((mib) => mib * MIB);
const AGENTS = 8;
const ASKS_LATE = 6;

const image = (root: string, files: number) => {
  mkdirSync(root);
  const tree = makeDebianTree(root);
  makeManyFiles(join(tree, "small"), 300, 0);
  mkdirSync(join(tree, "data"));
  for (let at = 100; at < 100 + files; at += 1) writeFileSync(join(tree, "data", `${at}`), noise(MIB, `${at}`));
  return tree;
};

/** Files that after so many bytes come no more, until `gate` opens. */
function heldAfter(bytes: number, { gate, reached }: { readonly gate: Promise<void>; readonly reached: () => void }) {
  let left = bytes;
  return (files: Files): Files => ({
    ...files,
    open: (baseUrls) => {
      const spans = files.open(baseUrls);
      return {
        ...spans,
        async *read(file, span, options) {
          for await (const chunk of spans.read(file, span, options)) {
            left -= chunk.bytes.length;
            if (left <= 0) {
              reached();
              await gate;
            }
            yield chunk;
          }
        },
      };
    },
  });
}

/** As if all that hpsd retired, and all that is being installed, were so much older. It does not run. */
async function makeOlder({ state }: RealHpsd, ms: number): Promise<void> {
  const store = await openHpsStore(`${state}/hpsd.db`);
  try {
    await store.write(async (tx) => {
      const retired = tx.updateTable("pack").where("retired_at", "is not", null);
      await retired.set((eb) => ({ retired_at: eb("retired_at", "-", ms) })).execute();
      await tx
        .updateTable("installation")
        .set((eb) => ({ created_at: eb("created_at", "-", ms) }))
        .execute();
    });
  } finally {
    await store.close();
  }
}

test("eight agents install an image while its packs are made anew and their hour passes: each has it, and then the old packs go", async () => {
  using scratch = makeScratch();
  await using hpsd = await startHpsd();
  const { admin } = hpsd;
  const words = async (text: string) => expect(await hpsd.hpsctl(...text.split(" "))).toMatchObject({ code: 0 });
  const [large, tree] = [image(scratch.under("large"), 48), image(scratch.under("wanted"), 20)];
  await words(`image import large:1 ${large}`);
  await words(`image import debian:12 ${tree}`);
  const hosts = [];
  for (let number = 0; number < AGENTS; number += 1) hosts.push(await armHost(admin, number, "debian:12"));
  const agents = await Promise.all(hosts.map((host) => makeUnpackAgent(host, scratch.under("agents"))));
  const root = (at: number) => scratch.under(`root-${at}`);
  const early = await Promise.all(agents.slice(0, ASKS_LATE).map((agent) => agent.order()));

  const { promise: gate, resolve: goOn } = Promise.withResolvers<void>();
  const reached = MIDDLE.map(() => Promise.withResolvers<void>());
  const unpacking = agents.map(async ({ order, unpack }, at) => {
    const [bytes, place] = [MIDDLE[at], reached[at]];
    if (bytes === undefined || place === undefined) await gate;
    const held = heldAfter(bytes ?? Number.POSITIVE_INFINITY, { gate, reached: () => place?.resolve() });
    await unpack(root(at), early[at] ?? (await order()), held);
  });
  const all = Promise.all(unpacking);
  await Promise.race([all, Promise.all(reached.map(({ promise }) => promise))]);

  await words("image rm large:1 --yes");
  const collected = await admin.images.collectImages({ cluster: "lab" }, { timeoutMs: 60_000 });
  expect(collected).toMatchObject({ madePacks: 1, retiredPacks: 1, damagedPacks: [] });
  rmSync(join(large, "small"), { recursive: true });
  await words(`image import debian:12 ${large} --move`);
  const packs = (order?: PacksOrder) => order?.files.packs.map(({ digest }) => digest) ?? [];
  const late = await agents[ASKS_LATE]?.order();
  const old = packs(early[0]).filter((digest) => !packs(late).includes(digest));
  expect(old).toHaveLength(1);
  expect(late?.files.manifest).toEqual(early[0]?.files.manifest);
  const isThere = () => old.map((digest) => existsSync(join(hpsd.state, "images/packs", digest)));
  await hpsd.program().stop();
  await makeOlder(hpsd, 2 * HOUR_MS);
  await hpsd.start();
  expect(isThere()).toEqual([true]);
  goOn();
  await all;
  for (const at of agents.keys()) expect(differences(tree, root(at)), `agent ${at}`).toEqual([]);

  const again = await hpsd.connect();
  await again.images.collectImages({ cluster: "lab" }, { timeoutMs: 60_000 });
  expect(isThere()).toEqual([true]);
  for (const { installation } of hosts) await again.installations.cancelInstallation({ installation });
  await again.images.collectImages({ cluster: "lab" }, { timeoutMs: 60_000 });
  expect(isThere()).toEqual([false]);
  expect(await verified(hpsd, again)).not.toEqual([]);
  for (const agent of agents) agent[Symbol.dispose]();
});
