/** What of a running host is no part of an image of it. */

/** `*` stands for any characters but a slash, a first double star and slash for any folders, `/**` at the end for all in a folder, which stays. */
interface ScrubRule {
  readonly paths: readonly string[];
  readonly why: string;
  /** Folders stay, with their owners and modes: what runs there needs them. */
  readonly files?: true;
}

export const SCRUB_LIST: readonly ScrubRule[] = [
  {
    why: "what HPS wrote for this host alone, its keys among it",
    paths: [
      "var/lib/hps/**",
      "etc/fstab",
      "etc/hostname",
      "etc/hosts",
      "etc/resolv.conf",
      "etc/systemd/network/10-hps.network",
      "etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
      "etc/network/interfaces.d/hps",
      "etc/NetworkManager/system-connections/hps.nmconnection",
      "etc/systemd/system/hps-agent.service",
      "etc/systemd/system/multi-user.target.wants/hps-agent.service",
      "boot/slot.cfg",
      "boot/efi/**",
    ],
  },
  {
    why: "who this machine is",
    paths: [
      "etc/machine-id",
      "var/lib/dbus/machine-id",
      "etc/ssh/ssh_host_*",
      "etc/krb5.keytab",
      "etc/iscsi/initiatorname.iscsi",
      "etc/nvme/hostid",
      "etc/nvme/hostnqn",
      "etc/udev/rules.d/70-persistent-net.rules",
      "var/lib/cloud/**",
      "var/lib/NetworkManager/secret_key",
    ],
  },
  {
    why: "seeds of random numbers and keys made of them",
    paths: [
      "var/lib/systemd/random-seed",
      "var/lib/systemd/credential.secret",
      "var/lib/random-seed",
      "var/lib/urandom/random-seed",
      "boot/loader/random-seed",
    ],
  },
  {
    why: "private keys and credentials",
    paths: [
      "etc/ssl/private/**",
      "etc/letsencrypt/**",
      "etc/wireguard/**",
      "etc/openvpn/**/*.key",
      "etc/ipsec.secrets",
      "etc/ipsec.d/private/**",
      "etc/swanctl/private/**",
      "etc/corosync/authkey",
      "etc/salt/pki/**",
      "etc/puppet/ssl/**",
      "etc/puppetlabs/puppet/ssl/**",
      "etc/NetworkManager/system-connections/*",
      "var/lib/puppet/ssl/**",
      "var/lib/hpsd/**",
      "**/.ssh/id_*",
      "**/.ssh/identity",
      "**/.ssh/known_hosts*",
      "**/.gnupg/private-keys-v1.d/**",
      "**/.gnupg/secring.gpg",
      "**/.config/hps/**",
      "**/.aws/credentials",
      "**/.azure/**",
      "**/.config/gcloud/**",
      "**/.docker/config.json",
      "**/.kube/config",
      "**/.netrc",
      "**/.git-credentials",
      "**/.pgpass",
      "**/.my.cnf",
      "**/.vault-token",
    ],
  },
  {
    why: "histories",
    paths: ["**/.*_history", "**/.local/share/fish/fish_history", "**/.lesshst", "**/.viminfo", "**/.wget-hsts"],
  },
  {
    why: "logs and mail",
    files: true,
    paths: ["var/log/**", "var/mail/**", "var/spool/mail/**", "var/crash/**", "var/lib/systemd/coredump/**"],
  },
  { why: "the journal, in a folder named after the machine", paths: ["var/log/journal/**"] },
  {
    why: "leases of addresses",
    paths: [
      "var/lib/dhcp/**",
      "var/lib/dhcpcd/**",
      "var/lib/dhclient/**",
      "var/lib/misc/dnsmasq.leases",
      "var/lib/NetworkManager/*.lease",
      "var/lib/NetworkManager/internal-*",
      "var/lib/NetworkManager/seen-bssids",
      "var/lib/NetworkManager/timestamps",
    ],
  },
  {
    why: "what is there for the moment, or can be fetched again",
    paths: [
      "tmp/**",
      "var/tmp/**",
      "run/**",
      "proc/**",
      "sys/**",
      "dev/**",
      "lost+found",
      "boot/lost+found",
      "swapfile",
      "swap.img",
      "var/cache/apt/*.bin",
      "var/cache/apt/archives/*.deb",
      "var/cache/apt/archives/partial/**",
      "var/lib/apt/lists/**",
      "**/.cache/**",
    ],
  },
];
