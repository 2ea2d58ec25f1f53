/** `npm run demo`: an empty machine becomes a host, in the lab, before your eyes. `--keep` leaves it running. */
import { access } from "node:fs/promises";
import { HpsError } from "../../proto/values/hps-error.ts";
import { debianImage, endBuilds, installerSet, VIRTUAL } from "./artifacts.ts";
import { DemoScreen } from "./demo-screen.ts";
import { type InstallRack, startInstallRack } from "./install-rack.ts";
import { limit } from "./vm/calibrate.ts";
import type { Vm } from "./vm/vm.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const HOST = "web01";
const MAC = "52:54:00:de:70:01";
const IMAGE = "debian/demo:12";
const DISK_BYTES = 24 * 1024 ** 3;
/** From the power button to the installed system's agent, and to its console, usually. */
const INSTALL_SECONDS = 180;
const CONSOLE_SECONDS = 30;
const CONSOLE_LINES = 8;

const screen = await DemoScreen.open(process.stdout, process.env);
process.env.HPS_LAB_LOGS ??= screen.logs;
const keep = process.argv.includes("--keep");
let isInterrupted = false;
const interrupted = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      isInterrupted = true;
      resolve();
    });
  }
});

async function build(): Promise<string> {
  screen.stage("Building the installer and a Debian image (kept in ~/.cache/hps-lab for the next time)");
  const [, image] = await Promise.all([
    installerSet({ onOutput: screen.lines("installer") }),
    debianImage({ words: VIRTUAL, onOutput: screen.lines("image") }),
  ]);
  return image;
}

async function demo(): Promise<void> {
  const image = await Promise.race([build(), interrupted]);
  if (image === undefined) return;
  screen.stage("Starting hpsd on a network of its own, with an operator logged in and the installer imported");
  await using rack = await startInstallRack({ image: "none" });
  screen.attend(rack);
  screen.stage("An empty machine: UEFI, one NVMe disk with nothing on it, one network card, 1 GiB of memory");
  const made = await Promise.race([emptyMachine(rack), interrupted]);
  if (made === undefined) return;
  await using machine = made;
  try {
    // What was begun ends before its rack does, also when it is interrupted.
    await Promise.race([show(rack, machine, image), interrupted]);
  } catch (error) {
    await screen.keepLogs(HOST);
    throw error;
  }
}

function emptyMachine(rack: InstallRack): Promise<Vm> {
  return rack.addMachine({
    name: HOST,
    firmware: "uefi",
    memory: 1024,
    disks: [{ bus: "nvme", bytes: DISK_BYTES }],
    nics: [{ mac: MAC }],
    known: false,
  });
}

async function show(rack: InstallRack, machine: Vm, image: string): Promise<void> {
  await screen.hpsctl("image", "import", IMAGE, image);
  await screen.hpsctl("host", "add", HOST, "--mac", MAC);
  await install(machine);
  await prove(machine);
  screen.stage(`${HOST} was an empty machine; now it is a Debian host that reports to hpsd.`);
  if (keep) await stay(rack, machine);
}

async function install(machine: Vm): Promise<void> {
  screen.stage("Arming it, and pressing the power button");
  await screen.hpsctl("install", HOST, "--image", IMAGE);
  await machine.powerOn();
  const end = performance.now() + (await limit(INSTALL_SECONDS));
  const left = () => end - performance.now();
  await screen.hpsctlWithin(left(), "installation", "watch", HOST, "--stop-when-stuck", "--until", "storage");
  screen.stage("A look around while the image is written: a recorded shell on the installer");
  await screen.hpsctlWithin(left(), "installer-shell", HOST, "--", "lsblk");
  await screen.hpsctlWithin(left(), "installation", "watch", HOST, "--stop-when-stuck");
}

async function prove(machine: Vm): Promise<void> {
  screen.stage("The machine restarted from its own disk. Its console says:");
  const prompt = `${HOST} login:`;
  await machine.console.waitFor(new RegExp(prompt), await limit(CONSOLE_SECONDS));
  const text = machine.console.text();
  const said = `${text.slice(0, text.lastIndexOf(prompt))}${prompt}`;
  screen.quote(said.split("\n").slice(-CONSOLE_LINES).join("\n"));
  screen.stage("And its host agent:");
  await screen.hpsctl("host", "get", HOST);
  await screen.hpsctl(
    "installer-shell",
    HOST,
    "--",
    "sh",
    "-c",
    "hostname; uname -r; findmnt -no SOURCE,FSTYPE,SIZE /",
  );
}

async function stay(rack: InstallRack, machine: Vm): Promise<void> {
  const settings = Object.entries(rack.environment).map(([name, value]) => `${name}=${value}`);
  const enter = `nsenter --net=/run/netns/${rack.rack.server.ns} env ${settings.join(" ")}`;
  screen.tell(`
It goes on running; Ctrl-C ends it. In another terminal:

  hpsctl() { ${enter} ${ROOT}scripts/hpsctl "$@"; }
  hpsctl installer-shell ${HOST}
  hpsctl audit ls
  hpsctl install ${HOST} --image ${IMAGE} --wipe --reboot --watch
  tail -f ${machine.consoleLog}
`);
  await interrupted;
}

async function refuseHere(): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new HpsError("precondition", "the demo makes a network namespace and a bridge: it needs root", {
      hint: "sudo npm run demo",
    });
  }
  await access("/usr/share/OVMF/OVMF_CODE_4M.fd").catch((cause: unknown) => {
    throw new HpsError("precondition", "OVMF is not installed", { hint: "npm run setup", cause });
  });
}

try {
  await refuseHere();
  await demo();
} catch (error) {
  if (!isInterrupted) {
    process.exitCode = 1;
    screen.failed(error);
  }
}
// Of two builds one may have failed, and both may have been interrupted.
await endBuilds();
if (process.exitCode === undefined) await screen.removeLogs();
process.exit();
