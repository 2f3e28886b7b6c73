/**
 * The command `varmor` as one file for the guest, because an emulated CPU takes seconds to find and compile the
 * packages' thousand files. The file lies beside `worker.js`, because the decoding pool starts its threads from its own
 * folder.
 */
export const bundledVarmor = '/varmor/src/audit/pool/varmor.bundle.js'
