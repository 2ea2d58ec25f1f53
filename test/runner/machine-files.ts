/** End-to-end files whose tests start virtual machines: project `machines`. */
export const MACHINE_FILES = "test/{e2e,faults}/{boot-loader,boot-vm,image-disk,install,install-*,vm}.test.ts";
