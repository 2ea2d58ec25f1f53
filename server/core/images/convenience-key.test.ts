import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { parseKeySet } from "../../../proto/image/key-set.ts";
import { testKey, testKeySet } from "../../../proto/image/testing/test-keys.ts";
import { checkSigned } from "../../../proto/image/trust.ts";
import { parseImageRef } from "../../../proto/values/image-ref.ts";
import { insertKeySet, selectKeySets, selectSignaturesOf } from "../../store/image-trust.ts";
import { Audit } from "../audit/audit.ts";
import { ALICE } from "../operations/testing.ts";
import { addTestImage } from "../testing/test-rows.ts";
import { convenienceSigner, makeConvenienceKey, readConvenienceKey } from "./convenience-key.ts";
import { Images } from "./images.ts";
import { openImageRig } from "./testing.ts";

const DIGEST = "a".repeat(64);

test("with a key at hpsd a name is signed as it is given, where that key counts and nowhere else", async () => {
  await using rig = await openImageRig();
  const stateFolder = await mkdtemp(path.join(tmpdir(), "hps-convenience-"));
  try {
    expect(await readConvenienceKey(stateFolder)).toBeUndefined();
    const { store, time, filing, a, b } = rig;
    const clock = () => time.now;
    await makeConvenienceKey({ store, stateFolder, clock }, { id: a, name: "a" });
    const [file = ""] = await readdir(path.join(stateFolder, "ca"));
    expect((await stat(path.join(stateFolder, "ca", file))).mode & 0o777).toBe(0o600);
    const key = (await readConvenienceKey(stateFolder)) ?? expect.unreachable();
    const limits = { imageSize: 1, librarySize: 1 };
    const sign = convenienceSigner(key, clock);
    const images = new Images({ store, clock, audit: new Audit(store, clock), filing, limits, sign });
    for (const library of [a, b]) await addTestImage(store, library, { name: "os:1", format: "packs" });
    const other = testKeySet(1, [testKey(1)], { cluster: "b" });
    await store.write((tx) =>
      insertKeySet(tx, { clusterId: b, serial: 1, signed: other.bytes, setBy: "", createdAt: 1 }),
    );
    const ref = parseImageRef("os:2");
    for (const library of [a, b])
      await images.tag(ALICE, library, { image: "os:1", name: ref, move: false, expiresAt: null });
    const [signatures, theirs, sets] = await store.read(async (db) => [
      await selectSignaturesOf(db, { library: a, digest: DIGEST }),
      await selectSignaturesOf(db, { library: b, digest: DIGEST }),
      await selectKeySets(db, a),
    ]);
    const set = parseKeySet(sets[0]?.signed ?? expect.unreachable());
    expect(set.keys.map(({ label }) => label)).toEqual(["convenience"]);
    expect(checkSigned({ ref, digest: DIGEST, signatures }, set)).toMatchObject({ cluster: "a", time: time.now });
    expect(theirs).toEqual([]);
    const tags = (await rig.audited()).slice(-2);
    expect(tags.map(({ name, signed }) => [name, signed])).toEqual([
      ["os:2", "convenience"],
      ["os:2", undefined],
    ]);
  } finally {
    await rm(stateFolder, { recursive: true });
  }
});
