import { ImageService } from "../../proto/gen/hps/v1/image_pb.ts";
import { keySetBytes, keySetMessage, signatureMessage } from "../../proto/image/signed-message.ts";
import { parseSignedStatement } from "../../proto/image/statement.ts";
import { testKey, testKeySet, testSignature } from "../../proto/image/testing/test-keys.ts";
import { addTestImage } from "../../server/core/testing/test-rows.ts";
import { insertKeySet } from "../../server/store/image-trust.ts";
import type { Rig } from "./rig.ts";
import { type Row, row, type Try } from "./row.ts";
import { ofClusterA } from "./rows-hosts.ts";
import { fresh } from "./subject.ts";

const image = ImageService.method;
const KEY = testKey(1);

function setOf(serial: number) {
  return testKeySet(serial, [KEY], { by: KEY, cluster: "a" });
}

/** One more key set of cluster a; its number. */
async function someSet({ core, clusters }: Rig): Promise<string> {
  const serial = fresh();
  const row = { clusterId: clusters.a, serial, signed: keySetBytes(setOf(serial)), setBy: "test", createdAt: 1 };
  await core.store.write((tx) => insertKeySet(tx, row));
  return String(serial);
}

/** An image of packs of a library, where signatures count; its name. */
async function signable(rig: Rig, library: string): Promise<string> {
  await someSet(rig);
  const name = `${library === "shared" ? "shared/" : ""}signed:${fresh()}`;
  await addTestImage(rig.core.store, library, { name, format: "packs" });
  return name;
}

function signatureOf({ subject }: Try, cluster: string) {
  const found = parseSignedStatement(testSignature(KEY, { cluster, name: subject.extra }));
  return { cluster, name: subject.extra, signature: signatureMessage(found.bytes, found) };
}

const isSigned = ({ rig, subject }: Try) =>
  rig.book.value("SELECT name FROM image_signature WHERE name = ?", subject.extra) === subject.extra;

export const TRUST_ROWS: readonly Row[] = [
  row(image.addImageSignature, {
    extra: async (rig) => await signable(rig, rig.clusters.a),
    request: (t) => signatureOf(t, "a"),
    shows: (_reply, t) => isSigned(t),
    target: ofClusterA,
    changes: true,
  }),
  row(image.addImageSignature, {
    ...{ variant: "of all clusters", target: () => "library:shared", shared: true },
    extra: async (rig) => await signable(rig, "shared"),
    request: (t) => signatureOf(t, ""),
    shows: (_reply, t) => isSigned(t),
    changes: true,
  }),
  row(image.getImageKeys, {
    extra: someSet,
    request: () => ({ cluster: "a" }),
    shows: ({ cluster, keySet }) => cluster === "a" && keySet !== undefined,
    target: ofClusterA,
  }),
  row(image.setImageKeys, {
    request: ({ number }) => ({ cluster: "a", keySet: keySetMessage([setOf(number)]) ?? {} }),
    shows: (_reply, { rig, number }) =>
      rig.book.value("SELECT serial FROM image_key_set WHERE serial = ?", String(number)) === number,
    target: ofClusterA,
    changes: true,
  }),
];
