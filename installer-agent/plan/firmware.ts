/** Debian's packages by how a firmware file's path begins; what is not here is found by `apt-file search`. */
const PACKAGES: readonly (readonly [RegExp, string])[] = [
  [/^bnx2\//, "firmware-bnx2"],
  [/^bnx2x\//, "firmware-bnx2x"],
  [/^(qed|ql2|cbfw|ct2fw|ctfw|phanfw)/, "firmware-qlogic"],
  [/^(rtl_nic|rtl_bt|rtlwifi)\//, "firmware-realtek"],
  [/^netronome\//, "firmware-netronome"],
  [/^myri10ge_/, "firmware-myricom"],
  [/^(liquidio|cavium)\//, "firmware-cavium"],
  [
    /^(acenic|adaptec|advansys|cxgb[34]|e100|intel\/ice|mellanox|qlogic|slicoss|tigon|vxge)(\/|$)/,
    "firmware-misc-nonfree",
  ],
];

/** Firmware that a driver asked the kernel for in vain. */
export interface MissingFirmware {
  /** Driver and device, as the kernel names them. */
  readonly device: string;
  readonly file: string;
  /** The package that brings it, where we know. */
  readonly package?: string;
}

/** Finds it in lines of the kernel's log, each file once. */
export function missingFirmware(lines: readonly string[]): readonly MissingFirmware[] {
  const found = new Map<string, MissingFirmware>();
  for (const line of lines) {
    const match =
      /(?:^|[;\]] ?)([^;\]]*?): firmware: failed to load ([\w./+-]{1,200}) \(/.exec(line) ??
      /(?:^|[;\]] ?)([^;\]]*?): Direct firmware load for ([\w./+-]{1,200}) failed/.exec(line);
    const [, device = "", file = ""] = match ?? [];
    const name = PACKAGES.find(([sign]) => sign.test(file))?.[1];
    if (file !== "") found.set(file, { device: device.trim(), file, ...(name !== undefined && { package: name }) });
  }
  return [...found.values()];
}

/** What is missing and what to do about it, in a line. */
export function firmwareLine({ device, file, package: name }: MissingFirmware): string {
  const build = `hpsctl installer-image build --firmware ${name ?? "PACKAGE"}`;
  return `${device} misses its firmware ${file}; if it is needed here: ${build}`;
}
