import { stringify } from "yaml";
import { z } from "zod";
import { parseAbsolutePath } from "../values/absolute-path.ts";
import { parseEndpoint } from "../values/endpoint.ts";
import { HpsError } from "../values/hps-error.ts";
import { parseHttpsUrl } from "../values/https-url.ts";
import { type ObjectName, parseObjectName } from "../values/object-name.ts";
import { textOf } from "../values/parsed.ts";
import { quote } from "../values/safe-text.ts";
import type { Environment } from "./overrides.ts";
import { readSmallFile, writePrivateFile } from "./private-file.ts";
import { listOf } from "./scalars.ts";
import { readYaml } from "./yaml-file.ts";

const contextName = textOf((text) => parseObjectName(text, "context name"));

const contextSchema = z.strictObject({
  name: contextName,
  /** hpsd's gRPC address. */
  server: textOf(parseEndpoint),
  /** hpsd's HTTPS address, where certificates are enrolled and renewed. */
  https: textOf(parseHttpsUrl).optional(),
  /** PEM files: the root that signs hpsd's certificate, the operator's certificate chain, its key. */
  ca: textOf(parseAbsolutePath),
  certificate: textOf(parseAbsolutePath),
  key: textOf(parseAbsolutePath),
  /** The cluster meant when a command names none. */
  cluster: textOf((text) => parseObjectName(text, "cluster name")).optional(),
});

const clientSchema = z
  .strictObject({ currentContext: contextName.optional(), contexts: listOf(contextSchema, 1000).prefault([]) })
  .superRefine(({ contexts }, context) => {
    const names = contexts.map(({ name }) => name);
    for (const [index, name] of names.entries()) {
      if (names.indexOf(name) < index) {
        context.addIssue({ code: "custom", path: ["contexts", index, "name"], message: `${name} is there twice` });
      }
    }
  });

/** One server as one operator sees it. */
export type ClientContext = z.output<typeof contextSchema>;
/** hpsctl's contexts file. */
export type ClientConfig = z.output<typeof clientSchema>;

/** Where the contexts file is: HPSCONFIG, else `hps/config.yaml` in XDG_CONFIG_HOME or `~/.config`. */
export function clientConfigPath(environment: Environment): string {
  const { HPSCONFIG: named = "", XDG_CONFIG_HOME: xdg = "", HOME: home = "" } = environment;
  if (named !== "") return named;
  if (xdg.startsWith("/")) return `${xdg}/hps/config.yaml`;
  if (home.startsWith("/")) return `${home}/.config/hps/config.yaml`;
  throw new HpsError("precondition", "no home folder to keep contexts in", {
    hint: "set HOME, or HPSCONFIG to a file",
  });
}

export function parseClientConfig(text: string, file: string): ClientConfig {
  return readYaml(clientSchema, { text, file });
}

/** The file at `path`; without one, no contexts. */
export async function readClientConfig(path: string): Promise<ClientConfig> {
  return parseClientConfig((await readSmallFile(path)) ?? "", path);
}

/** Writes the file whole (0600), or leaves the old one. */
export async function writeClientConfig(path: string, config: ClientConfig): Promise<void> {
  await writePrivateFile(path, formatClientConfig(config));
}

/** YAML that `parseClientConfig` reads back; every text is quoted. */
export function formatClientConfig(config: ClientConfig): string {
  return stringify(config, {
    defaultStringType: "QUOTE_DOUBLE",
    defaultKeyType: "PLAIN",
    doubleQuotedAsJSON: true,
    lineWidth: 0,
    aliasDuplicateObjects: false,
  });
}

/** The context a command uses: the one its flag names, else HPS_CONTEXT, else the current one. */
export function selectContext(config: ClientConfig, flag: string | undefined, environment: Environment): ClientContext {
  const variable = environment.HPS_CONTEXT || undefined;
  const name = flag ?? variable ?? config.currentContext;
  if (name === undefined) {
    throw new HpsError("precondition", "no context is chosen", {
      hint: "join a server with `hpsctl login`, or choose with `hpsctl context use`",
    });
  }
  const found = config.contexts.find((context) => context.name === name);
  if (found !== undefined) return found;
  const source = flag === undefined && variable !== undefined ? " (from HPS_CONTEXT)" : "";
  throw new HpsError("not-found", `no context ${quote(name)}${source}`, {
    hint: `known: ${config.contexts.map((context) => context.name).join(", ") || "none"}`,
  });
}

/** `config` with `context` added, or put in the place of the one of its name, and made the current one. */
export function withContext(config: ClientConfig, context: ClientContext): ClientConfig {
  const others = config.contexts.filter(({ name }) => name !== context.name);
  return { contexts: [...others, context], currentContext: context.name };
}

/** `config` without the context `name`; when it was the current one, none is. */
export function withoutContext(config: ClientConfig, name: ObjectName): ClientConfig {
  const contexts = config.contexts.filter((context) => context.name !== name);
  if (contexts.length === config.contexts.length) throw new HpsError("not-found", `no context ${name}`);
  const current = config.currentContext;
  return current === undefined || current === name ? { contexts } : { contexts, currentContext: current };
}
