import type { Command } from "commander";
import { keySetsOf, signatureMessage } from "../../proto/image/signed-message.ts";
import { encodeStatement, parseSignedStatement } from "../../proto/image/statement.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { imageWanted, parseImageName, parseImageRef } from "../../proto/values/image-ref.ts";
import { safeText } from "../../proto/values/safe-text.ts";
import { note } from "../output/print.ts";
import type { Hps } from "../sdk/connect.ts";
import { clusterOr } from "../sdk/host-names.ts";
import { type SignerOptions, signerOf, signWith } from "../signing/signer.ts";
import type { Call } from "./call.ts";
import type { Tools } from "./group.ts";
import { withSigner } from "./signer-options.ts";

export function addImageSignCommand(group: Command, tools: Tools): void {
  const command = group.command("sign").description("sign what a name stands for, with a key that hpsd never sees");
  withSigner(command.argument("<image>", "name:tag or shared/name:tag"), "--key", "what signs")
    .option("--digest <digest>", "sign only this: sha256:DIGEST, as import said on your machine")
    .action(tools.run(sign));
}

async function sign(call: Call): Promise<number> {
  const options = call.options<SignerOptions & { readonly digest?: string }>();
  const { name, shared } = parseImageName(call.operand(0));
  const hps = await call.connect();
  const cluster = shared ? "" : clusterOr(hps.cluster);
  const digest = await digestOf(call, hps, { cluster, name }, options.digest);
  const signer = await signerOf(call.terminal, options);
  const bytes = encodeStatement({ cluster, name, digest, time: call.terminal.now() });
  const found = parseSignedStatement(await signWith(signer, bytes, () => keysOf(call, hps)));
  const signature = signatureMessage(found.bytes, found);
  await hps.images.addImageSignature({ cluster, name, signature }, call.once);
  await note(call.terminal, `signed ${name}, sha256:${digest}, with key ${found.keyId.toString("hex")}`);
  return 0;
}

/** What is to be signed is hpsd's word, unless it was said. */
async function digestOf(
  call: Call,
  hps: Hps,
  request: { readonly cluster: string; readonly name: string },
  said: string | undefined,
): Promise<string> {
  const { source } = await hps.images.getImage(request, call.once);
  if (source?.manifest === undefined) {
    throw new HpsError("precondition", `image ${request.name} is an archive, which cannot be signed`, {
      hint: "import it without --archive",
    });
  }
  const { digest } = source.manifest;
  if (said === undefined) return digest;
  const wanted = imageWanted(parseImageRef(said));
  if (wanted.kind !== "digest") throw new HpsError("invalid", "--digest is sha256: and 64 digits");
  if (wanted.digest === digest) return digest;
  throw new HpsError("denied", `${request.name} is sha256:${safeText(digest)} at hpsd, not what was said`, {
    hint: "the name may have moved since: look at hpsctl image get; nothing was signed",
  });
}

async function keysOf(call: Call, hps: Hps): Promise<readonly Uint8Array[]> {
  const { keySet } = await hps.images.getImageKeys({ cluster: clusterOr(hps.cluster) }, call.once);
  return keySet === undefined ? [] : (keySetsOf(keySet).at(-1)?.keys ?? []).map(({ key }) => key);
}
