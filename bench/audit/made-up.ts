import { Buffer } from 'node:buffer'
import type { PidResolver } from '../../src/audit/enrich/pid-resolver.ts'
import type { ContainerInfo, PolicyIdentity, SnapshotData } from '../../src/audit/enrich/snapshot.ts'
import { makeRecord } from './made-up-record.ts'

/** A repeatable source of numbers in [0, 1): mulberry32. */
export function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const hex = (next: () => number, length: number): string =>
  Array.from({ length }, () => Math.floor(next() * 16).toString(16)).join('')

export const processesOfContainer = 50

/** The pid of a container's process, both counted from 0. */
export type PidOf = (container: number, process: number) => number
export const pidOf: PidOf = (container, process) => 10_000 + container * processesOfContainer + process

/** A node with this many confined containers, each with its own policy. */
export function node(containers: number, next: () => number = random(1)): SnapshotData {
  return {
    version: 1,
    nodeName: '192.168.0.24',
    metadata: {},
    bootTime: 1_740_000_000,
    containers: Array.from({ length: containers }, (_, i) => container(i, next)),
    policies: Array.from({ length: containers }, (_, i) => policy(i)),
  }
}

function container(i: number, next: () => number): ContainerInfo {
  return {
    containerID: hex(next, 64),
    containerName: 'c1',
    image: `registry.example.org/demo/web-server:1.${i}.3`,
    podName: `demo-${i}-57cd6498bb-${hex(next, 5)}`,
    podNamespace: 'demo',
    podUID: `${hex(next, 8)}-${hex(next, 4)}-4${hex(next, 3)}-b${hex(next, 3)}-${hex(next, 12)}`,
    initPid: pidOf(i, 0),
    mntNsID: 4_026_532_600 + i,
    cgroupID: BigInt(7000 + i),
    profileName: `varmor-demo-demo-${i}`,
  }
}

const policy = (i: number): PolicyIdentity => ({
  profileName: `varmor-demo-demo-${i}`,
  kind: 'VarmorPolicy',
  name: `demo-${i}`,
  namespace: 'demo',
  bpfId: i + 1,
})

/**
 * Resolves every process of the node's containers without /proc. Each answer is valid for one second, as with the fork
 * tree.
 */
export function processResolver({ containers }: SnapshotData): PidResolver {
  return {
    beginBatch: () => undefined,
    resolve: (pid, time) => {
      const home = containers[Math.floor((pid - 10_000) / processesOfContainer)]
      if (home === undefined) return 'process-gone'
      return { containerID: home.containerID, mntNsID: home.mntNsID, since: 0, second: Math.floor(time) }
    },
  }
}

const pick = <T>(next: () => number, choices: readonly T[]): T => choices[Math.floor(next() * choices.length)]!

export interface Made {
  containers: number
  /** Linux 6.x and later write `class=`. */
  classes: boolean
  /** Pids of the processes in the records. */
  pidOf?: PidOf
}

/** A denied file access in the form of auditd's log. Path, process and ids differ between lines. */
export function appArmorLine(
  next: () => number,
  serial: number,
  { containers, classes, pidOf: ofMade = pidOf }: Made,
): string {
  const owner = Math.floor(next() * containers)
  const pid = ofMade(owner, Math.floor(next() * processesOfContainer))
  const [operation, mask] = pick(next, [
    ['open', 'r'],
    ['open', 'w'],
    ['mknod', 'c'],
    ['unlink', 'd'],
    ['exec', 'x'],
    ['getattr', 'r'],
  ] as const)
  const name = `/${pick(next, ['etc', 'run/secrets/kubernetes.io/serviceaccount', 'proc/sys/kernel', 'var/lib'])}/${hex(next, 4 + Math.floor(next() * 24))}`
  const comm = pick(next, ['bash', 'cat', 'sh', 'python3', 'nginx', 'node', 'java', 'curl'])
  return `type=AVC msg=audit(${1_740_381_264 + Math.floor(serial / 50_000)}.${String(serial % 1000).padStart(3, '0')}:${serial}): apparmor="DENIED" operation="${operation}"${classes ? ' class="file"' : ''} profile="varmor-demo-demo-${owner}" name="${name}" pid=${pid} comm="${comm}" requested_mask="${mask}" denied_mask="${mask}" fsuid=${pick(next, [0, 1000])} ouid=0\n`
}

export function seccompLine(next: () => number, serial: number, { containers, pidOf: ofMade = pidOf }: Made): string {
  const owner = Math.floor(next() * containers)
  const pid = ofMade(owner, Math.floor(next() * processesOfContainer))
  const comm = pick(next, ['unshare', 'chmod', 'sh', 'python3'])
  return `type=SECCOMP msg=audit(${1_740_381_264 + Math.floor(serial / 50_000)}.${String(serial % 1000).padStart(3, '0')}:${serial}): auid=4294967295 uid=0 gid=0 ses=4294967295 subj=varmor-demo-demo-${owner} (enforce) pid=${pid} comm="${comm}" exe="/usr/bin/${comm}" sig=0 arch=c000003e syscall=${pick(next, [272, 268, 90, 56])} compat=0 ip=0x7f${hex(next, 10)} code=0x7ffc0000\n`
}

/** A denied file access as the BPF enforcer reports it. */
export function bpfRecord(next: () => number, serial: number, { containers }: Made): Uint8Array {
  const owner = Math.floor(next() * containers)
  const comm = pick(next, ['bash', 'cat', 'sh', 'python3', 'nginx', 'node', 'java', 'curl'])
  const pid = pidOf(owner, Math.floor(next() * processesOfContainer))
  const folder = pick(next, ['etc', 'run/secrets/kubernetes.io/serviceaccount', 'proc/sys/kernel', 'var/lib'])
  return makeRecord({
    kind: 'file',
    head: {
      time: BigInt(serial) * 200_000n,
      cgroup: 7000 + owner,
      profile: owner + 1,
      mnt_ns: 4_026_532_600 + owner,
      tgid: pid,
      tid: pid,
      ppid: pid - 1,
    },
    comm,
    exe: `/usr/bin/${comm}`,
    body: { permissions: pick(next, [2, 4, 6, 0x10]) },
    path: `/${folder}/${hex(next, 4 + Math.floor(next() * 24))}`,
  })
}

/** Lines of an audit.log that do not concern vArmor. */
export function noiseLine(next: () => number, serial: number): string {
  const id = `audit(${1_740_381_264 + Math.floor(serial / 50_000)}.${String(serial % 1000).padStart(3, '0')}:${serial})`
  return pick(next, [
    `type=SYSCALL msg=${id}: arch=c000003e syscall=257 success=no exit=-13 a0=ffffff9c a1=7ffd3 a2=0 a3=0 items=0 ppid=1 pid=${serial} auid=0 uid=0 gid=0 comm="cat" exe="/usr/bin/cat" subj=unconfined key=(null)\n`,
    `type=PROCTITLE msg=${id}: proctitle=636174002F6574632F736861646F77\n`,
    `type=USER_ACCT msg=${id}: pid=1 uid=0 auid=4294967295 ses=4294967295 msg='op=PAM:accounting acct="root" exe="/usr/sbin/cron" hostname=? addr=? terminal=cron res=success'\n`,
    `type=AVC msg=${id}: apparmor="DENIED" operation="open" class="file" profile="snap.firefox.firefox" name="/etc/fstab" pid=${serial} comm="firefox" requested_mask="r" denied_mask="r" fsuid=1000 ouid=0\n`,
  ])
}

/** Batches of about `size` bytes each, cut on line boundaries. */
export function batches(lines: number, size: number, line: (serial: number) => string): Uint8Array[] {
  const made: Uint8Array[] = []
  let text = ''
  for (let serial = 0; serial < lines; serial++) {
    text += line(serial)
    if (text.length < size) continue
    made.push(ownBytes(text))
    text = ''
  }
  if (text !== '') made.push(ownBytes(text))
  return made
}

/** Batches of BPF records of about `size` bytes each. */
export function recordBatches(records: number, size: number, record: (serial: number) => Uint8Array): Uint8Array[] {
  const made: Uint8Array[] = []
  let parts: Uint8Array[] = []
  let length = 0
  for (let serial = 0; serial < records; serial++) {
    const part = record(serial)
    parts.push(part)
    length += part.length
    if (length < size && serial < records - 1) continue
    made.push(new Uint8Array(Buffer.concat(parts)))
    parts = []
    length = 0
  }
  return made
}

/** Bytes with their own ArrayBuffer, as sources pass them. */
export const ownBytes = (text: string): Uint8Array => new Uint8Array(new TextEncoder().encode(text))
