/** `ssh -J`: OpenSSH's client, a relay and a target, with keys, ports and settings of their own on the loopback network. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { type Program, startProgram } from "../lab/program.ts";

const SSHD = "/usr/sbin/sshd";
/** sshd wants it, and Debian's service would have made it. */
const PRIVILEGE_FOLDER = "/run/sshd";

export interface SshPath {
  readonly terminal: () => readonly string[];
  readonly command: (...words: readonly string[]) => readonly string[];
  /** The relay with all that it has started. */
  readonly relay: () => readonly number[];
  readonly stop: () => Promise<void>;
}

/** Starts both servers. */
export async function startSshPath(folder: string): Promise<SshPath> {
  mkdirSync(folder, { mode: 0o700 });
  if (process.getuid?.() === 0) mkdirSync(PRIVILEGE_FOLDER, { recursive: true, mode: 0o755 });
  for (const name of ["host", "user"]) {
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", join(folder, name)]);
  }
  writeFileSync(join(folder, "authorized"), readFileSync(join(folder, "user.pub")), { mode: 0o600 });
  const ports = { relay: await freePort(), target: await freePort() };
  const servers = await Promise.all(
    Object.entries(ports).map(async ([name, port]) => await startSshd(folder, name, port)),
  );
  const config = writeClient(folder, ports);
  const ssh = ["ssh", "-F", config, "-J", "relay"];
  return {
    terminal: () => [...ssh, "-tt", "target"],
    command: (...words) => [...ssh, "-T", "target", ...words],
    relay: () => servers.slice(0, 1).flatMap(({ pid }) => [pid, ...descendantsOf(pid)]),
    stop: async () => {
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

async function startSshd(folder: string, name: string, port: number): Promise<Program> {
  const config = join(folder, `${name}.config`);
  const lines = [
    ...[`ListenAddress 127.0.0.1:${port}`, `HostKey ${join(folder, "host")}`, "PidFile none"],
    ...[`AuthorizedKeysFile ${join(folder, "authorized")}`, "StrictModes no", "PermitRootLogin prohibit-password"],
    ...["PasswordAuthentication no", "KbdInteractiveAuthentication no", "UsePAM no", "PrintMotd no"],
    ...["PrintLastLog no", "MaxStartups 1000", "MaxSessions 1000"],
  ];
  writeFileSync(config, `${lines.join("\n")}\n`);
  return await startProgram({ argv: [SSHD, "-D", "-e", "-f", config], readyLine: /Server listening/ });
}

function writeClient(folder: string, ports: Readonly<Record<string, number>>): string {
  const config = join(folder, "client.config");
  const known = join(folder, "known");
  const key = readFileSync(join(folder, "host.pub"), "utf8").trim();
  writeFileSync(
    known,
    Object.values(ports)
      .map((port) => `[127.0.0.1]:${port} ${key}\n`)
      .join(""),
  );
  const hosts = Object.entries(ports).map(([name, port]) => `Host ${name}\n  HostName 127.0.0.1\n  Port ${port}\n`);
  const common = [
    ...["Host *", `User ${userInfo().username}`, `IdentityFile ${join(folder, "user")}`, "IdentitiesOnly yes"],
    ...["StrictHostKeyChecking yes", `UserKnownHostsFile ${known}`, "GlobalKnownHostsFile none", "LogLevel ERROR"],
  ];
  writeFileSync(config, `${hosts.join("")}${common.join("\n  ")}\n`);
  return config;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function descendantsOf(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
  return children.flatMap((child) => [child, ...descendantsOf(child)]);
}
