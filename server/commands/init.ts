import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { defaultServerConfig } from "../../proto/config/default-server-config.ts";
import { writePrivateFile } from "../../proto/config/private-file.ts";
import { publicAddresses, type ServerConfig } from "../../proto/config/server-config.ts";
import { parseAbsolutePath } from "../../proto/values/absolute-path.ts";
import { parseDomainName } from "../../proto/values/domain-name.ts";
import { parseServerName } from "../../proto/values/endpoint.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseObjectName } from "../../proto/values/object-name.ts";
import { Clusters } from "../core/clusters/clusters.ts";
import { initAuthority } from "../core/identity/init-authority.ts";
import { openIdentity } from "../core/identity/open-identity.ts";
import { DEFAULT_VALIDITY_MS } from "../core/identity/operators.ts";
import { EVERYWHERE } from "../core/identity/principal.ts";
import { openHpsStore } from "../store/database.ts";
import { type CommandContext, type ConfigFlags, readConfig, storeFile } from "./command-context.ts";

export interface InitFlags extends ConfigFlags {
  /** For a configuration that does not exist yet. */
  readonly state?: string;
  readonly name?: readonly string[];
  readonly trustDomain?: string;
  readonly cluster?: string;
  readonly domain?: string;
  readonly admission?: string;
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

/** Makes everything a first `hpsd serve` needs, or nothing: the state folder appears when it is whole. */
export async function init(flags: InitFlags, context: CommandContext): Promise<void> {
  const answers = await askForMissing(flags, context);
  await writeConfigIfAbsent(flags);
  const config = await readConfig(flags, context);
  await refuseUsedState(config.state);
  const passphrase = await passphraseOf(flags, context);
  const made = `${config.state}.init-${process.pid}`;
  await mkdir(made, { recursive: true, mode: 0o700 });
  try {
    const token = await fill({ ...config, state: parseAbsolutePath(made) }, answers, passphrase);
    await rm(config.state, { recursive: true, force: true });
    await rename(made, config.state);
    await report({ flags, config, answers, token }, context);
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    throw error;
  }
}

interface Answers {
  readonly trustDomain: string;
  readonly cluster: string;
  readonly domain: string;
  readonly admission: "armed" | "approve";
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
  const operator = parseObjectName(
    await need("--operator", flags.operator, "Name of the first operator: "),
    "operator name",
  );
  const rootKeyOut = await need(
    "--root-key-out",
    flags.rootKeyOut,
    "Where to write the root key (removable or offline storage): ",
  );
  return { trustDomain: flags.trustDomain ?? domain, cluster, domain, admission, operator, rootKeyOut };
}

async function writeConfigIfAbsent({ config, state, name }: InitFlags): Promise<void> {
  if (await exists(config)) return;
  if (state === undefined || name === undefined || name.length === 0) {
    throw new HpsError("invalid", `there is no ${config} yet: --state and --name say what to write into it`, {
      hint: "hpsd init --state /var/lib/hpsd --name hpsd.example.org …",
    });
  }
  await mkdir(path.dirname(config), { recursive: true });
  const given = { state: parseAbsolutePath(path.resolve(state)), names: name.map(parseServerName) };
  await writeFile(config, defaultServerConfig(given), { flag: "wx", mode: 0o644 });
}

async function refuseUsedState(state: string): Promise<void> {
  if (!(await exists(`${state}/hpsd.db`))) return;
  throw new HpsError("exists", `${state} holds an hpsd already`, {
    hint: "start it with hpsd serve, or name another folder",
  });
}

async function passphraseOf({ rootPassphraseFile }: InitFlags, { ask }: CommandContext): Promise<string> {
  if (rootPassphraseFile !== undefined) return (await readFile(rootPassphraseFile, "utf8")).replace(/\n$/, "");
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
    await new Clusters(identity).create(WHO, parseObjectName(answers.cluster), settings);
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
  print(`start     hpsd serve --config ${flags.config}`);
  const url = publicAddresses(config).https;
  if (flags.invitationOut === undefined)
    print(`log in    hpsctl login ${url} --cluster ${answers.cluster} --token ${token}`);
  else {
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
