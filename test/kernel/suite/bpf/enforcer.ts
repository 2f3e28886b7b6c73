import { statSync } from 'node:fs'
import { type BpfSizes, bpfEncoder } from '../../../../src/agent/bpf-encoder.ts'
import { type BpfAddon, builtObject, loadBpfAddon } from '../../../../src/enforcer/bpf/addon.ts'
import { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'

function loadAddon(): BpfAddon {
  const addon = loadBpfAddon()
  if (typeof addon === 'string') throw new Error(addon)
  return addon
}

/** The programs for the kernel of this guest. */
export const guestObject = (): string => builtObject(loadAddon())

/** How it is opened. `object`: another build of the programs; `sizes`: other ones of the maps. */
export interface Opening {
  object?: string
  sizes?: BpfSizes
  strictStart?: 0 | 1
}

/** The BPF enforcer of this guest. */
export function openEnforcer({ object = guestObject(), sizes, strictStart = 0 }: Opening = {}): Promise<BpfEnforcer> {
  const addon = loadAddon()
  const hostMntNs = statSync('/proc/1/ns/mnt').ino
  return BpfEnforcer.open({ addon, object, ringBytes: 1 << 20, hostMntNs, strictStart, encoder: bpfEncoder(sizes) })
}
