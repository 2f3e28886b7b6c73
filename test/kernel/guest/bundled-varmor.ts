/**
 * The command `varmor` as one file, in the guest: an emulated processor takes seconds to find and compile the thousand files of
 * the packages. It lies beside `worker.js`, because the decoding pool starts its threads from its own folder.
 */
export const bundledVarmor = '/varmor/src/audit/pool/varmor.bundle.js'
