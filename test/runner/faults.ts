/** Every fault and scenario of docs/fault-matrix.md, in its order. A test bears the key of its row: see `scenario`. */
export const FAULTS = {
  "hpsd-away": {
    done: "hpsd ends in the middle of the step `image`, and is started again 60 s later",
    holds: "the agent waits and goes on; the installation succeeds without a word of an operator",
  },
  "network-away": {
    done: "the machine's cable is pulled in the middle of the step `image`, and put back 60 s later",
    holds: "as above",
  },
  "power-storage": {
    done: "the machine loses its power in the step `storage`",
    holds: "it comes back as `INTERRUPTED` and touches nothing; `retry` completes the installation",
  },
  "power-image": { done: "the same in the step `image`", holds: "as above" },
  "power-bootloader": { done: "the same in the step `bootloader`", holds: "as above" },
  "power-target-network": { done: "the same in the step `target-network`", holds: "as above" },
  "power-finish": { done: "the same in the step `finish`", holds: "as above" },
  "power-resume-once": {
    done: "a host with `resume: once` loses its power twice in the step `image`",
    holds:
      "the first time it goes on by itself, the second time it is `INTERRUPTED`; `retry` completes the installation",
  },
  "failed-stays": {
    done: "the step `image` failed, and the machine is restarted twice",
    holds: "the installation stays `FAILED` and no step is tried again; its disk starts nothing",
  },
  "image-altered": {
    done: "one byte in the middle of the image on hpsd's disk is altered",
    holds: "the step `image` fails and names the image; the disk, started first, starts nothing",
  },
  "image-truncated": { done: "the second half of the image on hpsd's disk is cut off", holds: "as above" },
  "clock-2001": { done: "the machine's clock says 2001", holds: "the installation succeeds" },
  "clock-2040": { done: "the machine's clock says 2040", holds: "the installation succeeds" },
  "proxy-dhcp": {
    done: "another DHCP server gives the addresses, hpsd only answers as a proxy (BIOS)",
    holds: "the installation succeeds, with an address of the other server",
  },
  "http-boot": {
    done: "a UEFI machine boots by HTTP, without PXE",
    holds: "iPXE is loaded by HTTP; the installation succeeds",
  },
  "static-networkd": {
    done: "`hpsctl install --network static`; the image has systemd-networkd",
    holds:
      "the installed system has the host's address, router and name server, finds names, and asks no DHCP server for anything",
  },
  "static-ifupdown": { done: "the same; the image has ifupdown", holds: "as above" },
  "static-networkmanager": { done: "the same; the image has NetworkManager", holds: "as above" },
  "dhcp-ifupdown": {
    done: "`hpsctl install --network dhcp`; the image has ifupdown and a DHCP client",
    holds: "the installed system asks for its address, has the one that is reserved for it, and finds names",
  },
  "dhcp-networkmanager": { done: "the same; the image has NetworkManager", holds: "as above" },
  "secure-boot": {
    done: "a machine with Secure Boot on is told to boot from the network",
    holds:
      "its firmware refuses iPXE; the installation waits as before, its log says what to do, and nothing is written",
  },
  "secure-boot-signed": {
    done: "the same, but iPXE and the kernel bear a signature that its firmware takes",
    holds: "the step `configuration` fails and says that Secure Boot is on, on the console too; nothing is written",
  },
  "many-links": {
    done: "a machine has a dead cable, one on which nobody answers, and two that lead to hpsd; all cards are known and one address is reserved",
    holds:
      "the installer attaches over one that works, says of the others what is wrong with them, and stays attached when either of the two loses its cable",
  },
  "firmware-missing": {
    done: "a network card's driver asks for firmware that the installer does not have",
    holds: "card, file and Debian's package are named on the console; the installer attaches over its other card",
  },
  firmware: {
    done: "the same, with an installer that was built with that package",
    holds: "the driver has its firmware, and the card gets an address",
  },
  undionly: {
    done: "a BIOS loads `undionly.kpxe` by TFTP and runs it on its own PXE driver",
    holds: "it boots the installer over that driver",
  },
  "three-hosts": {
    done: "three machines are installed at once from one image",
    holds: "all succeed; names, machine-ids, SSH host keys and certificates all differ",
  },
  "two-disks-bios": {
    done: "a BIOS machine whose other disk bears an older installation of HPS is told by serial number to use the empty one, which is the firmware's first",
    holds:
      "the new system comes up, from the network first and from the disk first; not a byte of the older disk is changed",
  },
  "two-disks-uefi": {
    done: "the same with UEFI, from the network first with either disk before the other, and from the disk first with the new one before the older",
    holds: "as above, by `grub.efi` and by the firmware's entry `HPS`",
  },
  "order-bios": {
    done: "a BIOS host is switched on with the network first and with its disk first, twice each",
    holds: "from the network first its system is up within twice the time from the disk first",
  },
  "order-uefi": { done: "the same with UEFI", holds: "as above" },
  "boot-entry": {
    done: "a UEFI host that was installed from the network first is switched on with its disk first",
    holds: "the firmware starts the entry `HPS` that the installer wrote",
  },
  "again-bios": {
    done: "a BIOS host whose system runs is to be installed again, with `--reboot` and without, then power-cycled",
    holds:
      "`--reboot` is refused, arms nothing and says what to do; without it hpsctl says `power-cycle it now`; from the network the installer comes",
  },
  "again-uefi": {
    done: "a UEFI host whose system runs is installed again with `--reboot`, with its disk first and with the network first",
    holds: "it restarts into the installer by itself; the new system comes up",
  },
  rescue: {
    done: "`hpsctl host rescue` of an installed host, `lsblk` in its shell, then the rescue is cancelled",
    holds: "not a byte of its disk is changed; restarted, its own system is back",
  },
  "equal-uefi": {
    done: "an image that holds one of everything is installed on a UEFI machine (on a BIOS: in `npm test`)",
    holds: "the root on its disk equals the image entry by entry, but for what the installer owns",
  },
  "unknown-approved": {
    done: "an unknown machine is switched on, and let in by `host approve` after its first lease is over; nobody touches it",
    holds:
      "the first-contact menu and nothing else before; then it boots the installer, whose fingerprint is approved, and the installation succeeds",
  },
  "log-kept": {
    done: "hpsd's gRPC port answers nothing until the machine's beacon is heard; later the step `image` fails",
    holds:
      "step, reason and last lines of the agent that cannot attach are in the log; then all from its first second, while it works and after it failed",
  },
  cancelled: {
    done: "the installation is cancelled in the middle of the step `image`; in the next one the agent is killed while the restart is held",
    holds:
      "the machine says so and rests, and its disk starts nothing; the agent is started again and holds the machine too; `resume-reboot` restarts it, and that installation succeeds",
  },
  "hpsd-power": {
    done: "hpsd's own machine loses its power while operators write; its disk keeps what was flushed and nothing else",
    holds: "nothing that hpsd acknowledged is lost, and its store is sound",
  },
  "hpsd-power-sabotage": {
    done: "the same with a store that does not sync (`synchronous = OFF`)",
    holds: "acknowledged changes are lost: the test above would see it",
  },
  "shell-bulk": {
    done: "five times 1 GiB of noise through `hpsctl installer-shell HOST -- cat`, each with a reader that stops for 60 s",
    holds:
      "it comes back with the same SHA-256; hpsd holds at most 4 MiB a session, and in all no more than 192 MiB above idle, after the fifth no more than after the first; an installation and a watched terminal go on meanwhile",
  },
  "shell-sessions": {
    done: "500 terminals on 32 hosts, through one hpsd",
    holds: "each has its own answers and exit code; at the end no session, byte or open recording is left",
  },
  "shell-watchers": { done: "50 operators watch one terminal", holds: "all are shown every byte of it" },
  "shell-cable-host": {
    done: "the cable of a host in whose shell somebody is, is pulled and put back 60 s later",
    holds: "the person is told that the host is out of reach, and that it is back; the shell goes on",
  },
  "shell-cable-operator": {
    done: "the cable of somebody who is in a shell is pulled and put back 60 s later",
    holds: "the person is told that hpsd does not answer, and is back in the session by itself",
  },
  "shell-reset": {
    done: "a machine is reset, as by its button, while somebody has a shell in its installer",
    holds:
      "the person is told that the host is out of reach, and then that it was restarted; nothing of the session is left and its recording is whole; a new shell opens",
  },
  "shell-restart": {
    done: "an installation comes to its end while somebody has a shell; SIGTSTP and SIGCONT to its agent follow each other three times",
    holds:
      "the restart waits, the terminal says so and until when; each signal holds it or lets it go, here and at hpsd; it restarts when the shell is left",
  },
  "shell-direct": {
    done: "hpsd is killed, and an installed host is entered directly; it is switched off and on, and entered again; then hpsd is started",
    holds:
      "nobody comes in before a minute is over; both sessions are delivered as kept by the agent and verify; nobody listens on the port any more",
  },
  "image-small-files": {
    done: "an image of 100 000 small files is unpacked to ext4, and killed four times on the way",
    holds: "it goes on each time with what is right; the tree is the image's, from less than 256 MiB of memory",
  },
  "image-sparse": {
    done: "an image with one file of 8 GiB, 24 MiB of which are data, is unpacked to ext4",
    holds: "24 MiB are written; the file is the image's, holes and all",
  },
  "image-debian": {
    done: "an image of Debian with a kernel is unpacked to ext4 with `/boot` on a file system of its own, and killed five times on the way",
    holds: "as above",
  },
  "round-trip-small-files": {
    done: "a tree of 100 000 small files is imported into an hpsd by hpsctl, and unpacked to ext4 from there by the agent of an armed host",
    holds: "the tree on the disk is the one that was imported, to the last byte, name and attribute",
  },
  "round-trip-sparse": { done: "the same with one file of 8 GiB, 24 MiB of which are data", holds: "as above" },
  "round-trip-names": {
    done: "the same with hostile names and links, and one of each thing that a tree can hold",
    holds: "as above",
  },
  "round-trip-debian": { done: "the same with Debian and its kernel", holds: "as above" },
  "image-power": {
    done: "the machine of an hpsd into which overlapping images are imported two at a time, and removed and collected meanwhile, loses its power; its disk is what each of many of its flushes left, with none or some of what was written after it",
    holds:
      "hpsd starts on each; its file system, its store and its images are whole; what was acknowledged is there; it collects and takes the missing images again",
  },
  "image-power-sabotage": {
    done: "the same with an hpsd that syncs no pack before its rows",
    holds: "images are damaged: the test above would see it",
  },
  "unpack-power": {
    done: "a machine that unpacks an image to ext4 loses its power; its disk is what each of many of its flushes left, with none or some of what was written after it",
    holds: "the disk mounts; the agent goes on with what is right of it, and the tree becomes the image's",
  },
  "image-signed": {
    done: "a cluster with a key installs an image that the key signed; the same disk is then to bear an image that another key signed, and an unsigned one, from an hpsd whose store was altered",
    holds:
      "the installation succeeds and the key set is on `state`; the others are refused with not a byte of the disk changed, console and hpsctl say what to do; after `wipefs` by hand, as documented, the disk is taken",
  },
  "image-mirror": {
    done: "a machine is installed from a mirror: nginx as it is documented",
    holds: "nginx sent the packs and hpsd the manifest alone",
  },
  "image-mirror-away": {
    done: "the same, and nginx is killed in the middle of the step `image`",
    holds: "the installation succeeds without a word of an operator; hpsd sent what was lacking, and no more",
  },
  "image-capture": {
    done: "an image is captured of a running host on which somebody worked, and installed on another machine",
    holds:
      "what was put there is there, its attributes too; no secret, log or lease of the first; the second has a name, machine-id and SSH host keys of its own",
  },
  "image-again": {
    done: "a machine that was installed is cut off and installed again with `--wipe`, with an image in which a fifth of the larger files are otherwise; then with a third for which there is a delta",
    holds:
      "less than half of the image is fetched, with the delta less than half of that; each system comes up; nothing on `root-b` can be mounted afterwards",
  },
} as const satisfies Record<string, Fault>;

interface Fault {
  /** What is done. */
  readonly done: string;
  /** What must hold then. */
  readonly holds: string;
}

export type FaultKey = keyof typeof FAULTS;

export const FAULT_KEYS = Object.keys(FAULTS).filter(isFaultKey);

export function isFaultKey(text: unknown): text is FaultKey {
  return typeof text === "string" && Object.hasOwn(FAULTS, text);
}
