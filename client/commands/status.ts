import { type Component, Health, HealthSchema, type Status, StatusSchema } from "../../proto/gen/hps/v1/system_pb.ts";
import { VERSION } from "../../proto/values/program-version.ts";
import { printOne, protoJson, type View } from "../output/print.ts";
import { formatTable } from "../output/table.ts";
import { enumWord, timeText } from "../output/words.ts";
import type { Call } from "./call.ts";
import { skewWarning } from "./server-version.ts";

const STATUS_VIEW: View<Status> = {
  kind: "status",
  name: ({ serverVersion }) => serverVersion,
  json: protoJson(StatusSchema),
  columns: [
    { title: "HPSD", text: ({ serverVersion }) => serverVersion },
    {
      title: "HPSCTL",
      text: ({ serverVersion }) => (skewWarning(serverVersion) === undefined ? VERSION : `${VERSION} (not served)`),
    },
    { title: "RUNNING SINCE", text: ({ startTime }) => timeText(startTime) },
    { title: "AGENTS ATTACHED", text: ({ agentVersions }) => agentsText(agentVersions) },
  ],
  more: (terminal, { components }) => {
    if (components.length === 0) return "";
    const { text } = formatTable(terminal, COMPONENT_COLUMNS, components, { wide: true, header: true });
    return `\n${text}`;
  },
};

const COMPONENT_COLUMNS: View<Component>["columns"] = [
  { title: "COMPONENT", text: ({ name }) => name },
  {
    title: "HEALTH",
    text: ({ health }) => enumWord(HealthSchema, health),
    colour: ({ health }) => (health === Health.OK ? "green" : "red"),
  },
  { title: "REASON", text: ({ reason }) => reason },
];

/** `12 of 0.1.0, 1 of 0.3.0 (not served)`. */
function agentsText(versions: Status["agentVersions"]): string {
  const each = versions.map(
    ({ version, count, unsupported }) => `${count} of ${version}${unsupported ? " (not served)" : ""}`,
  );
  return each.length === 0 ? "none" : each.join(", ");
}

export async function status(call: Call): Promise<number> {
  const hps = await call.connect();
  await printOne(call, STATUS_VIEW, await hps.system.getStatus({}, call.once));
  return 0;
}
