import { expect, test } from "vitest";
import { chooseModules } from "./kernel-modules.ts";

test("chosen are the folders of the list with all that their modules need, and nothing else", () => {
  const dependencies = [
    "kernel/drivers/net/ethernet/intel/e1000/e1000.ko:",
    "kernel/drivers/net/ethernet/mellanox/mlx5/core/mlx5_core.ko: kernel/net/psample/psample.ko kernel/drivers/pci/pci-x.ko",
    "kernel/net/psample/psample.ko:",
    "kernel/drivers/pci/pci-x.ko: kernel/lib-of-pci.ko",
    "kernel/lib-of-pci.ko:",
    "kernel/drivers/gpu/drm/drm.ko:",
    "kernel/drivers/scsi/scsi_debug.ko: kernel/drivers/scsi/scsi_mod.ko",
    "kernel/drivers/scsi/scsi_mod.ko:",
    "kernel/fs/xfs/xfs.ko: kernel/lib/libcrc32c.ko",
    "kernel/lib/libcrc32c.ko:",
    "kernel/fs/nfs/nfs.ko:",
    "",
  ].join("\n");
  expect(chooseModules(dependencies)).toEqual([
    "kernel/drivers/net/ethernet/intel/e1000/e1000.ko",
    "kernel/drivers/net/ethernet/mellanox/mlx5/core/mlx5_core.ko",
    "kernel/drivers/pci/pci-x.ko",
    "kernel/drivers/scsi/scsi_mod.ko",
    "kernel/fs/xfs/xfs.ko",
    "kernel/lib-of-pci.ko",
    "kernel/lib/libcrc32c.ko",
    "kernel/net/psample/psample.ko",
  ]);
});
