import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { defaultServerConfig } from "../../proto/config/default-server-config.ts";
import { writePrivateFile } from "../../proto/config/private-file.ts";
import { publicAddresses, readServerConfig, type ServerConfig } from "../../proto/config/server-config.ts";
import { parseAbsolutePath } from "../../proto/values/absolute-path.ts";
import { parseDomainName } from "../../proto/values/domain-name.ts";
import { parseServerName } from "../../proto/values/endpoint.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseObjectName } from "../../proto/values/object-name.ts";
import { Clusters } from "../core/clusters/clusters.ts";
import { initAuthority, refuseRootKeyIn } from "../core/identity/init-authority.ts";
import { openIdentity } from "../core/identity/open-identity.ts";
import { DEFAULT_VALIDITY_MS } from "../core/identity/operators.ts";
import { EVERYWHERE } from "../core/identity/principal.ts";
import { CONVENIENCE, makeConvenienceKey } from "../core/images/convenience-key.ts";
import { openHpsStore } from "../store/database.ts";
import { type CommandContext, type ConfigFlags, readConfig, storeFile } from "./command-context.ts";
import { makeState, refuseUsedState } from "./new-state.ts";
import { readText } from "./read-text.ts";
import { withRootKeyFile } from "./root-key-file.ts";

export interface InitFlags extends ConfigFlags {
  /** For a configuration that does not exist yet. */
  readonly state?: string;
  readonly name?: readonly string[];
  readonly trustDomain?: string;
  readonly cluster?: string;
  readonly domain?: string;
  readonly admission?: string;
  readonly imageSigning?: string;
  readonly operator?: string;
  readonly rootKeyOut?: string;
  readonly rootPassphraseFile?: string;
  readonly invitationOut?: string;
}

const WHO = { actor: "hpsd", action: "init", address: "" };

const ADMISSION_QUESTION = `How may a machine of this cluster become a host?
  armed    whoever boots with the MAC of an armed host: trusts everyone on that segment for the window
  approve  an operator compares a fingerprint with the machine's console first
armed or approve: `;

/** Makes everything a first `hpsd serve` needs, or nothing: configuration and state folder appear when all is whole. */
export async function init(flags: InitFlags, context: CommandContext): Promise<void> {
  const answers = await askForMissing(flags, context);
  const { text, config } = await configOf(flags, context);
  const { state } = config;
  await refuseUsedState(state);
  refuseRootKeyIn(state, answers.rootKeyOut);
  const passphrase = await passphraseOf(flags, context);
  const token = await withRootKeyFile(answers.rootKeyOut, state, () =>
    makeState(state, "init", async (made) => {
      const token = await fill({ ...config, state: parseAbsolutePath(made) }, answers, passphrase);
      if (text !== undefined) await writeConfig(flags.config, text);
      return token;
    }),
  );
  await report({ flags, config, answers, token }, context);
}

interface Answers {
  readonly trustDomain: string;
  readonly cluster: string;
  readonly domain: string;
  readonly admission: "armed" | "approve";
  readonly imageSigning: "none" | "convenience";
  readonly operator: string;
  readonly rootKeyOut: string;
}

async function askForMissing(flags: InitFlags, { ask }: CommandContext): Promise<Answers> {
  const need = async (flag: string, given: string | undefined, question: string) => {
    if (given !== undefined) return given;
    if (ask === undefined)
      throw new HpsError("invalid", `hpsd init needs ${flag}`, { hint: "hpsd init --help explains it" });
    return (await ask(question)).trim();
  };
  const cluster = parseObjectName(
    await need("--cluster", flags.cluster, "Name of the first cluster: "),
    "cluster name",
  );
  const domain = parseDomainName(await need("--domain", flags.domain, "DNS domain of its hosts: "));
  const admission = await need("--admission", flags.admission, ADMISSION_QUESTION);
  if (admission !== "armed" && admission !== "approve") {
    throw new HpsError("invalid", "the admission is armed or approve", { hint: ADMISSION_QUESTION });
  }
  const imageSigning = parseImageSigning(flags.imageSigning);
  const operator = parseObjectName(
    await need("--operator", flags.operator, "Name of the first operator: "),
    "operator name",
  );
  const rootKeyOut = await need(
    "--root-key-out",
    flags.rootKeyOut,
    "Where to write the root key (removable or offline storage): ",
  );
  return { trustDomain: flags.trustDomain ?? domain, cluster, domain, admission, imageSigning, operator, rootKeyOut };
}

/** No key at hpsd unless it is asked for by its name. */
function parseImageSigning(how = "none"): Answers["imageSigning"] {
  if (how === "none" || how === CONVENIENCE) return how;
  throw new HpsError("invalid", "images are signed by none at hpsd, or by convenience", {
    hint: "keys that hpsd never sees are set later: hpsctl cluster set-keys",
  });
}

interface WantedConfig {
  readonly config: ServerConfig;
  /** Of the file that is still to be written. */
  readonly text?: string;
}

async function configOf(flags: InitFlags, context: CommandContext): Promise<WantedConfig> {
  const { config: file, state, name } = flags;
  if (await exists(file)) return { config: await readConfig(flags, context) };
  if (state === undefined || name === undefined || name.length === 0) {
    throw new HpsError("invalid", `there is no ${file} yet: --state and --name say what to write into it`, {
      hint: "hpsd init --state /var/lib/hpsd --name hpsd.example.org …",
    });
  }
  const given = { state: parseAbsolutePath(path.resolve(state)), names: name.map(parseServerName) };
  const text = defaultServerConfig(given);
  return { config: readServerConfig({ text, file, environment: context.environment, sets: flags.set }), text };
}

/** Whole or not at all: an attempt that is killed leaves no half of it to the next. */
async function writeConfig(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const beside = `${file}.new-${process.pid}`;
  await writeFile(beside, text, { flag: "wx", mode: 0o644, flush: true });
  await rename(beside, file);
}

async function passphraseOf({ rootPassphraseFile }: InitFlags, { ask }: CommandContext): Promise<string> {
  if (rootPassphraseFile !== undefined) return (await readText(rootPassphraseFile)).replace(/\n$/, "");
  if (ask === undefined)
    throw new HpsError("invalid", "hpsd init needs --root-passphrase-file when no one can be asked");
  const passphrase = await ask("Passphrase for the root key: ", { hidden: true });
  if ((await ask("The same again: ", { hidden: true })) !== passphrase)
    throw new HpsError("invalid", "the passphrases differ");
  return passphrase;
}

/** Answers with the first operator's invitation. */
async function fill(config: ServerConfig, answers: Answers, passphrase: string): Promise<string> {
  const store = await openHpsStore(storeFile(config));
  try {
    const clock = Date.now;
    const stateFolder = config.state;
    const { trustDomain, rootKeyOut } = answers;
    const rootPem = await initAuthority({ store, stateFolder, clock, trustDomain, rootKeyOut, passphrase });
    await writeFile(`${rootKeyOut}.pem`, rootPem, { flag: "wx" });
    const identity = await openIdentity({ store, stateFolder, clock });
    const settings = { description: "", domain: parseDomainName(answers.domain), admission: answers.admission };
    const cluster = await new Clusters(identity).create(WHO, parseObjectName(answers.cluster), settings);
    if (answers.imageSigning === CONVENIENCE) await makeConvenienceKey({ store, stateFolder, clock }, cluster);
    const roles = [{ cluster: EVERYWHERE, role: "admin" }] as const;
    const invite = { name: parseObjectName(answers.operator), roles, validityMs: DEFAULT_VALIDITY_MS };
    return (await identity.operators.invite(WHO, invite)).token;
  } finally {
    await store.close();
  }
}

interface Made {
  readonly flags: InitFlags;
  readonly config: ServerConfig;
  readonly answers: Answers;
  readonly token: string;
}

async function report({ flags, config, answers, token }: Made, { print }: CommandContext): Promise<void> {
  print(
    `made      ${config.state} for trust domain ${answers.trustDomain}, cluster ${answers.cluster} (admission ${answers.admission})`,
  );
  print(
    `root key  ${answers.rootKeyOut}, its certificate beside it as ${answers.rootKeyOut}.pem: take both off this machine`,
  );
  if (answers.admission === "armed") {
    print("warning   armed trusts every machine on the boot segment while a host is armed; see docs/security.md");
  }
  if (answers.imageSigning === CONVENIENCE) {
    print(
      "warning   hpsd signs images itself, for convenience: whoever has hpsd has that key; see docs/image-signatures.md",
    );
  }
  print(`start     hpsd serve --config ${flags.config}`);
  const url = publicAddresses(config).https;
  if (flags.invitationOut === undefined) {
    print(`log in    hpsctl login ${url} --cluster ${answers.cluster} --token -`);
    print(`token     ${token} (asked for then; good for one login)`);
  } else {
    await writePrivateFile(flags.invitationOut, `${token}\n`);
    print(`log in    hpsctl login ${url} --cluster ${answers.cluster} --token - < ${flags.invitationOut}`);
  }
}

async function exists(file: string): Promise<boolean> {
  return await stat(file).then(
    () => true,
    () => false,
  );
}
