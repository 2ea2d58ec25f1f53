import {
  type ClientConfig,
  type ClientContext,
  clientConfigPath,
  readClientConfig,
  selectContext,
  withContext,
  withoutContext,
  writeClientConfig,
} from "../../proto/config/client-config.ts";
import { parseObjectName } from "../../proto/values/object-name.ts";
import { note, printList, type View } from "../output/print.ts";
import type { Call } from "./call.ts";
import { confirm } from "./confirm.ts";
import type { AddCommands } from "./group.ts";
import { withYes } from "./options.ts";

export const addContextCommands: AddCommands = (group, tools) => {
  group.command("ls").description("list contexts").action(tools.run(list));
  group
    .command("use")
    .description("choose the context commands use from now on; with --cluster, also the cluster it is about")
    .argument("<context>")
    .action(tools.run(use));
  withYes(
    group.command("rm").description("forget a context; its key and certificate files stay").argument("<context>"),
  ).action(tools.run(remove));
};

/** Contexts as a list; the one in use is marked. */
function viewOf({ currentContext }: ClientConfig): View<ClientContext> {
  return {
    kind: "context",
    name: ({ name }) => name,
    json: ({ https = null, cluster = null, ...context }) => ({
      ...context,
      https,
      cluster,
      current: context.name === currentContext,
    }),
    columns: [
      { title: "CURRENT", text: ({ name }) => (name === currentContext ? "*" : "") },
      { title: "NAME", text: ({ name }) => name },
      { title: "SERVER", text: ({ server }) => server },
      { title: "CLUSTER", text: ({ cluster }) => cluster ?? "" },
      { title: "HTTPS", wide: true, text: ({ https }) => https ?? "" },
      { title: "CERTIFICATE", wide: true, text: ({ certificate }) => certificate },
    ],
  };
}

async function list(call: Call): Promise<number> {
  const config = await readClientConfig(clientConfigPath(call.terminal.environment));
  await printList(call, viewOf(config), config.contexts);
  return 0;
}

async function use(call: Call): Promise<number> {
  const path = clientConfigPath(call.terminal.environment);
  const config = await readClientConfig(path);
  const chosen = selectContext(config, call.operand(0), {});
  const { cluster } = call.globals;
  const used = cluster === undefined ? chosen : { ...chosen, cluster: parseObjectName(cluster, "cluster name") };
  await writeClientConfig(path, { ...withContext(config, used), currentContext: used.name });
  const about = used.cluster === undefined ? "" : `, cluster ${used.cluster}`;
  await note(call.terminal, `commands now use context ${used.name} (${used.server}${about})`);
  return 0;
}

async function remove(call: Call): Promise<number> {
  const name = parseObjectName(call.operand(0), "context name");
  await confirm(call, `forget context ${name}`);
  const path = clientConfigPath(call.terminal.environment);
  await writeClientConfig(path, withoutContext(await readClientConfig(path), name));
  await note(call.terminal, `context ${name} forgotten`);
  return 0;
}
