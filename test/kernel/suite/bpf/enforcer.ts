import { statSync } from 'node:fs'
import { type BpfSizes, bpfEncoder } from '../../../../src/agent/bpf/bpf-encoder.ts'
import { type BpfAddon, builtObject, loadBpfAddon } from '../../../../src/enforcer/bpf/addon.ts'
import type { RecordsRate } from '../../../../src/enforcer/bpf/layout.ts'
import { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'

function loadAddon(): BpfAddon {
  const addon = loadBpfAddon()
  if (typeof addon === 'string') throw new Error(addon)
  return addon
}

/** The BPF programs for the kernel of this guest. */
export const guestObject = (): string => builtObject(loadAddon())

/** How to open the enforcer. */
export interface Opening {
  /** Another build of the programs. */
  object?: string
  /** Other sizes of the maps. */
  sizes?: BpfSizes
  recordsRate?: RecordsRate
  /** Size of the ring of records. The ring of changes has a quarter of it. */
  ringBytes?: number
  strictStart?: 0 | 1
}

/** The BPF enforcer of this guest. */
export function openEnforcer({ sizes, ...given }: Opening = {}): Promise<BpfEnforcer> {
  const addon = loadAddon()
  const hostMntNs = statSync('/proc/1/ns/mnt').ino
  const defaults = { object: guestObject(), ringBytes: 1 << 20, strictStart: 0 } as const
  return BpfEnforcer.open({ ...defaults, addon, hostMntNs, encoder: bpfEncoder(sizes), ...given })
}
