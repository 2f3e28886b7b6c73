import { statSync } from 'node:fs'
import { bpfEncoder } from '../../../../src/agent/bpf-encoder.ts'
import { type BpfAddon, builtObject, loadBpfAddon } from '../../../../src/enforcer/bpf/addon.ts'
import type { RecordsRate } from '../../../../src/enforcer/bpf/layout.ts'
import { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'

function loadAddon(): BpfAddon {
  const addon = loadBpfAddon()
  if (typeof addon === 'string') throw new Error(addon)
  return addon
}

/** The programs for the kernel of this guest. */
export const guestObject = (): string => builtObject(loadAddon())

/** The BPF enforcer of this guest. @param object another build of the programs @param ringBytes of records; of changes a quarter */
export function openEnforcer(
  object = guestObject(),
  recordsRate?: RecordsRate,
  ringBytes = 1 << 20,
): Promise<BpfEnforcer> {
  const addon = loadAddon()
  const hostMntNs = statSync('/proc/1/ns/mnt').ino
  return BpfEnforcer.open({
    ...{ addon, object, ringBytes, hostMntNs, strictStart: 0, encoder: bpfEncoder },
    ...(recordsRate !== undefined && { recordsRate }),
  })
}
