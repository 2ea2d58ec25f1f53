import { createPublicKey } from "node:crypto";
import { basename } from "node:path";
import type { Command } from "commander";
import type { ImageKeys } from "../../proto/gen/hps/v1/image_pb.ts";
import { encodeKeySet, type KeySet, parseKeySet, type SignedKeySet } from "../../proto/image/key-set.ts";
import { keySetMessage, keySetsOf } from "../../proto/image/signed-message.ts";
import { publicKeyBytes } from "../../proto/image/signing-key.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";
import { IMAGE_KEYS_VIEW } from "../output/image-keys-view.ts";
import { printOne } from "../output/print.ts";
import type { Hps } from "../sdk/connect.ts";
import { signerOf, signWith } from "../signing/signer.ts";
import { readSmallFile } from "../signing/small-file.ts";
import type { Call } from "./call.ts";
import { confirm } from "./confirm.ts";
import type { Tools } from "./group.ts";
import { withYes } from "./options.ts";
import { withSigner } from "./signer-options.ts";

export function addClusterKeyCommands(group: Command, tools: Tools): void {
  group
    .command("keys")
    .description("show whose signatures of images a cluster believes")
    .argument("<cluster>")
    .action(tools.run(show));
  const set = withYes(group.command("set-keys").description("say whose signatures of images a cluster believes"))
    .argument("<cluster>")
    .argument("<key...>", "public keys of Ed25519 in PEM: FILE or LABEL=FILE");
  withSigner(set, "--signed-by", "a key of the set before, which the new set needs")
    .option(
      "--without-old-key",
      "all old keys are lost; installed hosts refuse the new set until they are wiped by hand",
    )
    .action(tools.run(setKeys));
}

interface Options {
  readonly signedBy?: string;
  readonly pkcs11?: string;
  readonly passphraseFile?: string;
  readonly withoutOldKey?: true;
}

async function show(call: Call): Promise<number> {
  const hps = await call.connect();
  await printOne(call, IMAGE_KEYS_VIEW, await hps.images.getImageKeys({ cluster: call.operand(0) }, call.once));
  return 0;
}

async function setKeys(call: Call): Promise<number> {
  const [cluster = "", ...files] = call.operands;
  const keys = await Promise.all(files.map(readPublicKey));
  const { withoutOldKey = false } = call.options<Options>();
  const hps = await call.connect();
  const before = await currentSet(call, hps, cluster);
  const next = { cluster, serial: (before?.serial ?? 0) + 1, time: call.terminal.now(), keys };
  if (before === undefined) {
    await confirm(call, `take only signed images in cluster ${cluster} from now on, for good`);
  } else if (withoutOldKey) {
    await confirm(call, `give cluster ${cluster} keys that no old key signed: installed hosts will refuse them`);
  }
  const set =
    before === undefined || withoutOldKey ? parseKeySet(encodeKeySet(next)) : await signSet(call, before, next);
  const keySet = keySetMessage([set]) ?? {};
  await printOne(call, IMAGE_KEYS_VIEW, await hps.images.setImageKeys({ cluster, keySet, withoutOldKey }, call.once));
  return 0;
}

async function signSet(call: Call, before: KeySet, next: KeySet): Promise<SignedKeySet> {
  const { signedBy, pkcs11, passphraseFile } = call.options<Options>();
  if (signedBy === undefined && pkcs11 === undefined) {
    throw new HpsError("invalid", `cluster ${next.cluster} has keys already: one of them must sign the new set`, {
      hint: "--signed-by FILE or --pkcs11 URI; when all old keys are lost: --without-old-key",
    });
  }
  const signer = await signerOf(call.terminal, {
    ...(signedBy !== undefined && { key: signedBy }),
    ...(pkcs11 !== undefined && { pkcs11 }),
    ...(passphraseFile !== undefined && { passphraseFile }),
  });
  return parseKeySet(await signWith(signer, encodeKeySet(next), async () => before.keys.map(({ key }) => key)));
}

/** Undefined where the cluster has none yet. */
async function currentSet(call: Call, hps: Hps, cluster: string): Promise<SignedKeySet | undefined> {
  let keys: ImageKeys;
  try {
    keys = await hps.images.getImageKeys({ cluster }, call.once);
  } catch (error) {
    if (!(error instanceof HpsError) || error.code !== "not-found") throw error;
    await hps.clusters.getCluster({ name: cluster }, call.once); // or it is the cluster that is not there
    return undefined;
  }
  return keys.keySet && keySetsOf(keys.keySet).at(-1);
}

async function readPublicKey(word: string) {
  const at = word.indexOf("=");
  const file = word.slice(at + 1);
  const label = at === -1 ? basename(file).replace(/\.(pub|pem|key)$/, "") : word.slice(0, at);
  const pem = await readSmallFile(file, "a public key");
  if (pem.includes("PRIVATE KEY")) {
    throw new HpsError("invalid", `${quote(file, 200)} holds a private key, which hpsd must never see`, {
      hint: `openssl pkey -in ${file} -pubout -out ${file}.pub`,
    });
  }
  try {
    return { label, key: publicKeyBytes(createPublicKey(pem)) };
  } catch (cause) {
    if (cause instanceof HpsError) throw cause;
    throw new HpsError("invalid", `${quote(file, 200)} is no public key in PEM`, { cause });
  }
}
