import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { header, headerFields, recordActions, recordKinds, recordVersion } from '../../src/audit/decode/bpf-record.ts'
import type { SnapshotData } from '../../src/audit/enrich/snapshot.ts'
import { layOut } from '../../src/base/c-struct.ts'
import {
  appArmorLine,
  node,
  noiseLine,
  type PidOf,
  pidOf,
  processesOfContainer,
  random,
  seccompLine,
} from '../audit/made-up.ts'

export const containers = 20
export const kinds = ['AppArmor', 'Seccomp', 'BPF', 'noise'] as const
export type Kind = (typeof kinds)[number]

/** The node with the containers of all lines. */
export const world = (): SnapshotData => ({ ...node(containers), bootTime: 1_700_000_000 })

/**
 * Creates a proc file system with the processes of the node's containers, and only the files that the resolver reads.
 */
export function makeProc(root: string, { containers }: SnapshotData, pid: PidOf = pidOf): void {
  for (const [i, { containerID, mntNsID }] of containers.entries())
    for (let process = 0; process < processesOfContainer; process++) {
      const folder = join(root, String(pid(i, process)))
      mkdirSync(join(folder, 'ns'), { recursive: true })
      writeFileSync(join(folder, 'stat'), `1 (x) S ${'0 '.repeat(18)}100 0 0\n`)
      writeFileSync(
        join(folder, 'cgroup'),
        `0::/kubepods.slice/kubepods-pod.slice/cri-containerd-${containerID}.scope\n`,
      )
      symlinkSync(`mnt:[${mntNsID}]`, join(folder, 'ns', 'mnt'))
    }
}

/** The records of one kind, in order. The same numbers give the same bytes. */
export function maker(kind: Kind, pid: PidOf = pidOf): (serial: number) => Uint8Array {
  const next = random(7)
  const made = { containers, classes: true, pidOf: pid }
  if (kind === 'BPF') return (serial) => fileRecord(next, serial)
  const line = {
    AppArmor: (serial: number) => appArmorLine(next, serial, made),
    Seccomp: (serial: number) => seccompLine(next, serial, made),
    // A log to which other programs also write.
    noise: (serial: number) => (next() < 0.05 ? appArmorLine(next, serial, made) : noiseLine(next, serial)),
  }[kind]
  return (serial) => Buffer.from(line(serial))
}

const body = layOut(recordKinds.file.body)
const sizeOfName = Object.fromEntries(headerFields.map((field) => [field.name, field.type]))

/** A denied file access, as this project's BPF programs write it to the ring buffer. */
function fileRecord(next: () => number, serial: number): Uint8Array {
  const owner = Math.floor(next() * containers)
  const exe = Buffer.from('/usr/bin/python3')
  const path = Buffer.from(`/etc/${next().toString(36).slice(2)}/${next().toString(36).slice(2)}`)
  const record = Buffer.alloc(header.size + body.size + exe.length + path.length)
  const values = {
    size: record.length,
    version: recordVersion,
    kind: recordKinds.file.number,
    action: recordActions.DENIED,
    profile: owner + 1,
    mnt_ns: 4_026_532_600 + owner,
    tgid: pidOf(owner, 0),
    tid: pidOf(owner, 0),
    exe_size: exe.length,
    path_size: path.length,
  }
  for (const [name, value] of Object.entries(values)) {
    const at = header.at[name as keyof typeof header.at]
    if (sizeOfName[name] === 'u8') record.writeUInt8(value, at)
    else if (sizeOfName[name] === 'u16') record.writeUInt16LE(value, at)
    else record.writeUInt32LE(value, at)
  }
  record.writeBigUInt64LE(BigInt(40_381_264 + Math.floor(serial / 5000)) * 1_000_000_000n, header.at.time)
  record.writeBigUInt64LE(BigInt(7000 + owner), header.at.cgroup)
  record.write('python3', header.at.comm)
  record.writeUInt32LE(4, header.size + body.at.permissions)
  exe.copy(record, header.size + body.size)
  path.copy(record, header.size + body.size + exe.length)
  return record
}
