import { readFile, writeFile } from "node:fs/promises";
import type { Command } from "commander";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote, safeText } from "../../proto/values/safe-text.ts";
import { CERTIFICATE_VIEW } from "../output/identity-view.ts";
import { note, printList, printOne } from "../output/print.ts";
import { write } from "../output/terminal.ts";
import type { Call } from "./call.ts";
import { collect } from "./collect.ts";
import { confirm } from "./confirm.ts";
import type { AddCommands, Tools } from "./group.ts";
import { withYes } from "./options.ts";
import { wholeNumber } from "./whole-number.ts";

export const addCertCommands: AddCommands = (group, tools) => {
  group
    .command("ls")
    .description("list the certificates hpsd has issued, newest first")
    .option("--identity <uri>", "only of spiffe://…")
    .option("--valid", "only those that open something now")
    .option("--limit <count>", "at most so many", "100")
    .action(tools.run(list));
  withYes(group.command("revoke").description("end a certificate, at once").argument("<serial>"))
    .option("--reason <text>", "goes to the audit log")
    .action(tools.run(revoke));
  addRotation(group, tools);
};

function addRotation(group: Command, tools: Tools): void {
  group
    .command("rotate-server")
    .description("give hpsd a new certificate; open connections go on")
    .action(tools.run(rotateServer));
  group
    .command("prepare-intermediate")
    .description("make a key for a new intermediate and give the request to sign with `hpsd ca sign`")
    .option("--out <file>", "write the request there, into a new file, instead of printing it")
    .action(tools.run(prepareIntermediate));
  group
    .command("install-intermediate")
    .description("take the signed intermediate into use")
    .argument("<file>", "PEM")
    .action(tools.run(installIntermediate));
}

async function list(call: Call): Promise<number> {
  const hps = await call.connect();
  const { identity = "", valid = false, limit } = call.options<{ identity?: string; valid?: true; limit: string }>();
  const source = hps.listCertificates({ identity, validOnly: valid }, call.once);
  await printList(call, CERTIFICATE_VIEW, await collect(source, wholeNumber(limit)));
  return 0;
}

async function revoke(call: Call): Promise<number> {
  const serial = call.operand(0).toLowerCase();
  await confirm(call, `revoke certificate ${serial}`);
  const hps = await call.connect();
  const { reason = "" } = call.options<{ reason?: string }>();
  await printOne(call, CERTIFICATE_VIEW, await hps.identity.revokeCertificate({ serial, reason }, call.once));
  return 0;
}

async function rotateServer(call: Call): Promise<number> {
  const hps = await call.connect();
  await printOne(call, CERTIFICATE_VIEW, await hps.identity.rotateServerCertificate({}, call.once));
  return 0;
}

async function prepareIntermediate(call: Call): Promise<number> {
  const hps = await call.connect();
  const { certificateRequest } = await hps.identity.prepareIntermediate({}, call.once);
  const request = safeText(certificateRequest, { keepLayout: true });
  const { out } = call.options<{ out?: string }>();
  if (out === undefined) {
    await write(call.terminal.stdout, request);
    return 0;
  }
  await writeFile(out, request, { flag: "wx" }).catch((cause: unknown) => {
    throw new HpsError("invalid", `cannot make the file ${out}`, { hint: "name one that does not exist yet", cause });
  });
  await note(call.terminal, `wrote ${out}: where the root key is, hpsd ca sign ${out} --root-key FILE --out FILE`);
  return 0;
}

async function installIntermediate(call: Call): Promise<number> {
  const certificate = await readSmallText(call.operand(0));
  const hps = await call.connect();
  const { serverCertificate } = await hps.identity.installIntermediate({ certificate }, call.once);
  await note(call.terminal, "hpsd signs with the new intermediate from now on; its own certificate is now this one:");
  if (serverCertificate !== undefined) await printOne(call, CERTIFICATE_VIEW, serverCertificate);
  return 0;
}

async function readSmallText(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new HpsError("invalid", `cannot read ${quote(path, 200)}`, { hint: "hpsd ca sign writes it", cause });
  });
  if (text.length > 65_536) throw new HpsError("invalid", `${quote(path, 200)} is too long for a certificate`);
  return text;
}
