import { statSync } from 'node:fs'
import { bpfEncoder } from '../../../../src/agent/bpf-encoder.ts'
import { builtObject, loadBpfAddon } from '../../../../src/enforcer/bpf/addon.ts'
import { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'

/** The BPF enforcer of this guest. @param object another build of the programs */
export function openEnforcer(object = builtObject()): Promise<BpfEnforcer> {
  const addon = loadBpfAddon()
  if (typeof addon === 'string') throw new Error(addon)
  const hostMntNs = statSync('/proc/1/ns/mnt').ino
  return BpfEnforcer.open({ addon, object, ringBytes: 1 << 20, hostMntNs, strictStart: 0, encoder: bpfEncoder })
}
