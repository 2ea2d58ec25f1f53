import type { Call } from "../commands/call.ts";
import { logText } from "../output/log-text.ts";
import { note } from "../output/print.ts";
import { write } from "../output/terminal.ts";
import { timeText } from "../output/words.ts";
import type { Hps } from "../sdk/connect.ts";

/** The log of the host's newest installation as far as it is, on stderr: stdout is the session's. */
export async function printInstallLog(call: Call, hps: Hps, host: string): Promise<void> {
  const { terminal } = call;
  const { installations } = await hps.installations.listInstallations({ host, pageSize: 1 }, call.once);
  const [newest] = installations;
  if (newest === undefined) {
    await note(terminal, `hpsctl: ${host} has had no installation, so there is no log`);
    return;
  }
  for await (const line of hps.watchInstallationLog(newest.id, { ...call.stream, follow: false })) {
    await write(terminal.stderr, `${timeText(line.time)} ${logText(line)}\n`);
  }
}
