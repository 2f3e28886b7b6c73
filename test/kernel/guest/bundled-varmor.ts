/**
 * The command `varmor` as one file, in the guest: an emulated processor takes seconds to find and compile the thousand files of
 * the packages. It lies beside `worker.js`, which its pool looks for beside itself.
 */
export const bundledVarmor = '/varmor/src/audit/varmor.bundle.js'
