import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { type AuditEvent, AuditOutcome } from "../../proto/gen/hps/v1/audit_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { parseTimeOrAgo } from "../../proto/values/time.ts";
import { AUDIT_VERDICT_VIEW, AUDIT_VIEW } from "../output/audit-view.ts";
import { exactJson } from "../output/exact-json.ts";
import { printList, printOne } from "../output/print.ts";
import { formatTable } from "../output/table.ts";
import { write } from "../output/terminal.ts";
import { timeText } from "../output/words.ts";
import type { Hps } from "../sdk/connect.ts";
import { hostReference } from "../sdk/host-names.ts";
import type { Call } from "./call.ts";
import { collect } from "./collect.ts";
import { untilInterrupted } from "./follow-list.ts";
import type { AddCommands } from "./group.ts";
import { wholeNumber } from "./whole-number.ts";

export const addAuditCommands: AddCommands = (group, tools) => {
  options(group.command("ls", { isDefault: true }).description("list events, newest first")).action(tools.run(list));
  group
    .command("verify")
    .description("check that no event was altered, added or taken away, and print the digest that says so")
    .option("--head <digest>", "also check that the log goes on from this one, kept from an earlier verify")
    .action(tools.run(verify));
};

/** It reads the whole log: it takes what it takes. Exit code 13 when the chain is broken or the head is not in it. */
async function verify(call: Call): Promise<number> {
  const hps = await call.connect();
  const { head = "" } = call.options<{ head?: string }>();
  const verdict = await hps.audit.verifyAuditLog({ headDigest: head }, call.stream);
  await printOne(call, AUDIT_VERDICT_VIEW, verdict);
  const [first] = verdict.breaks;
  if (first !== undefined) {
    throw new HpsError(
      "data-loss",
      `the audit log was altered: event ${first.sequence} does not continue the one before`,
      {
        hint: `look at the events around it: hpsctl audit ls --until ${timeText(first.time)} -o wide`,
      },
    );
  }
  if (head !== "" && verdict.foundSequence === 0n) {
    throw new HpsError("data-loss", `no event of the audit log has the digest ${head}`, {
      hint: "the log was altered or replaced since it was seen, or retention has removed that event",
    });
  }
  return 0;
}

function options(command: Command): Command {
  return command
    .option("--since <time>", "2h, or 2026-11-20T09:30:00Z")
    .option("--until <time>", "2h, or 2026-11-20T09:30:00Z")
    .option("--actor <actor>", "only of this one: spiffe://…, mac:…, address:…, hpsd")
    .option("--target <target>", "only about this: HOST, CLUSTER/HOST, host:<id>, installation:<id>")
    .option("--incident <id>", "only what was told by this incident id")
    .option("--refused", "only what was refused")
    .option("--limit <count>", "at most so many", "100")
    .option("-f, --follow", "print the last events, oldest first, then each as it comes");
}

interface AuditOptions {
  readonly since?: string;
  readonly until?: string;
  readonly actor?: string;
  readonly target?: string;
  readonly incident?: string;
  readonly refused?: true;
  readonly limit: string;
  readonly follow?: true;
}

async function list(call: Call): Promise<number> {
  const hps = await call.connect();
  const said = call.options<AuditOptions>();
  const target = await targetOf(call, hps, said.target);
  const wanted = { ...said, ...(target !== "" && { target }) };
  const { since, until, actor = "", incident = "", refused, limit } = wanted;
  const time = (text: string) => timestampFromMs(parseTimeOrAgo(text, call.terminal.now()));
  const cluster = call.globals.cluster ?? "";
  const request = {
    cluster,
    actor,
    target,
    incident,
    outcome: refused ? AuditOutcome.REFUSED : AuditOutcome.UNSPECIFIED,
    ...(since !== undefined && { startTime: time(since) }),
    ...(until !== undefined && { endTime: time(until) }),
  };
  const events = await collect(hps.listAuditEvents(request, call.once), wholeNumber(limit));
  if (!wanted.follow) {
    await printList(call, AUDIT_VIEW, events);
    return 0;
  }
  const print = eventPrinter(call);
  await print(events.toReversed());
  const after = events[0]?.sequence ?? -1n;
  await untilInterrupted(call, async () => {
    for await (const event of hps.watchAuditEvents(cluster, { ...call.stream, after })) {
      if (isWanted(event, wanted)) await print([event]);
    }
  });
  return 0;
}

/** As the log has it: a host is asked for by its name, and logged by its id. */
async function targetOf(call: Call, hps: Hps, text = ""): Promise<string> {
  if (text === "" || text.includes(":")) return text;
  const { id } = await hps.hosts.getHost({ host: hostReference(text, hps.cluster) }, call.once);
  return `host:${id}`;
}

function isWanted(event: AuditEvent, { actor, target, incident, refused }: AuditOptions): boolean {
  const same = (wanted: string | undefined, is: string) => wanted === undefined || wanted === is;
  const outcome = refused === undefined || event.outcome === AuditOutcome.REFUSED;
  return outcome && same(actor, event.actor) && same(target, event.target) && same(incident, event.incident);
}

/** Prints more and more events of one table, or a JSON line each. */
function eventPrinter(call: Call): (events: readonly AuditEvent[]) => Promise<void> {
  let widths: readonly number[] | undefined;
  return async (events) => {
    if (call.format === "table" || call.format === "wide") {
      const layout = { wide: call.format === "wide", header: widths === undefined, ...(widths && { widths }) };
      const table = formatTable(call.terminal, AUDIT_VIEW.columns, events, layout);
      widths = table.widths;
      await write(call.terminal.stdout, table.text);
    } else {
      await write(call.terminal.stdout, events.map((event) => `${exactJson(AUDIT_VIEW.json(event), 0)}\n`).join(""));
    }
  };
}
