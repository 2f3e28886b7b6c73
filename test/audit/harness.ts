import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import type { Action, BatchFormat, BatchResult, Enforcer, SourceBatch } from '../../src/audit/batch/batch.ts'
import { loadKnownAddon } from '../../src/audit/batch/known-addon.ts'
import { processBatch } from '../../src/audit/batch/process-batch.ts'
import { Scratch, type ScratchOptions } from '../../src/audit/batch/scratch.ts'
import { recordHash } from '../../src/audit/decode/record-hash.ts'
import type { PidResolver } from '../../src/audit/enrich/pid-resolver.ts'
import { Snapshot, type SnapshotData } from '../../src/audit/enrich/snapshot.ts'
import { checkLine } from './check-line.ts'

export const demoPid = 3811300
/** Fields of a BPF record of the demo container. */
export const demoHead = {
  time: 366_282_121_000_000n,
  cgroup: 7001,
  profile: 11,
  mnt_ns: 4026532725,
  tgid: demoPid,
  tid: demoPid + 1,
  ppid: 4,
  uid: 1000,
  gid: 1001,
}
/** Pid of the host's dbus-daemon in the fixtures. */
export const daemonPid = 363
const hostPids = [1, daemonPid, 7308]

/**
 * A node with the container `demo` of the seed's example, which has a policy of each of two kinds, and with a container
 * without a policy.
 */
export const demo: SnapshotData = {
  version: 1,
  nodeName: '192.168.0.8',
  metadata: { cluster: 'c-1' },
  bootTime: 1_740_000_000,
  bootID: '0b1c2d3e4f50',
  containers: [
    {
      containerID: '5b24d520534b9ad2b618cd9f014a7cca045e5d217718852af6d12d587ef2b6c6',
      containerName: 'c1',
      image: 'docker.io/library/debian:12',
      podName: 'demo-1-5bccf6777c-c8lzr',
      podNamespace: 'demo',
      podUID: '7efce0ca-5609-4cf5-aba4-eba24036cc6c',
      initPid: demoPid - 1,
      mntNsID: 4026532725,
      cgroupID: 7001n,
      profileName: 'varmor-demo-demo-1',
    },
    {
      containerID: 'a'.repeat(64),
      containerName: 'bystander',
      image: '',
      podName: 'bystander',
      podNamespace: 'demo',
      podUID: '',
      initPid: 77,
      mntNsID: 4026532900,
      profileName: '',
    },
  ],
  policies: [
    { profileName: 'varmor-demo-demo-1', kind: 'VarmorPolicy', name: 'demo-1', namespace: 'demo', bpfId: 11 },
    { profileName: 'varmor-cluster-varmor-all', kind: 'VarmorClusterPolicy', name: 'all', namespace: '' },
  ],
}

/**
 * Process `demoPid` is in the container `demo`, process 77 in the other container, and the host's processes in none.
 * Other processes are unknown.
 */
export const demoProcesses: PidResolver = {
  beginBatch: () => undefined,
  resolve: (pid) => {
    if (pid === demoPid) return { containerID: demo.containers[0]!.containerID, mntNsID: 4026532725, since: 0 }
    if (pid === 77) return { containerID: 'a'.repeat(64), mntNsID: 4026532900, since: 0 }
    return hostPids.includes(pid) ? { containerID: '', mntNsID: 4026531841, since: 0 } : 'process-gone'
  },
}

export const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

const addon = loadKnownAddon()

/** The scratch of the agent's workers: known records skip the scanner. A scratch without `known` scans each record. */
export const knowing = (options: ScratchOptions = {}): Scratch => new Scratch({ ...options, known: addon })

/** The same for all batches: a scratch forgets what it knows when it gets another snapshot. */
const snapshot = new Snapshot(demo)

export function run(
  format: BatchFormat,
  bytes: Uint8Array | string,
  more: Partial<SourceBatch> = {},
  scratch = knowing(),
): BatchResult {
  const batch = { source: 'test', seq: 1, format, bytes: typeof bytes === 'string' ? bytesOf(bytes) : bytes, ...more }
  return processBatch(batch, snapshot, demoProcesses, scratch)
}

/** The lines of an output. Each line is checked against the schema. */
export function linesOf(output: Uint8Array): string[] {
  const lines = Buffer.from(output).toString('utf8').split('\n').slice(0, -1)
  for (const line of lines) checkLine(line)
  return lines
}

export interface Fixture {
  name: string
  format: BatchFormat
  line: string
  action: Action
  event: Record<string, unknown>
  own?: Record<string, unknown>
  /** Current kernels do not write this record; only a file that a user provides can contain it. */
  trust?: 'given'
}

export const fixtures = (name: string): Fixture[] =>
  JSON.parse(readFileSync(new URL(`../fixtures/audit/${name}.json`, import.meta.url), 'utf8')) as Fixture[]

/** The hash of a record, as eight digits. */
export const hashOf = (record: Uint8Array, seed = 0): string =>
  (recordHash(record, new DataView(record.buffer, record.byteOffset, record.length), 0, record.length, seed) >>> 0)
    .toString(16)
    .padStart(8, '0')

/** Keys that follow the standard keys in every line. */
export interface Mark {
  timestamp: string
  id: string
}

/** The parsed mark of a record: its audit id. */
export function auditMark({ format, line }: Pick<Fixture, 'format' | 'line'>): Mark {
  const [, seconds, fraction, serial, rest = ''] = /audit\((\d+)(\.\d+):(\d+)\):? ?(.*)/.exec(line)!
  const plain =
    format === 'kmsg' ? rest.replace(/\\x(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))) : rest
  const body = Uint8Array.from(
    Buffer.from(plain.split('\x1d')[0]!.replace(/'$/, ''), format === 'kmsg' ? 'latin1' : 'utf8'),
  )
  const time = new Date(Number(seconds) * 1000).toISOString().slice(0, -5)
  return {
    timestamp: `${time}${fraction}Z`,
    id: `${demo.bootID}-audit-${seconds}${fraction}:${serial}-${hashOf(body)}`,
  }
}

/** The text of a line of the demo container, composed in contract.md's order. `event` is JSON text. */
export function demoLine(
  enforcer: Enforcer,
  action: Action,
  epoch: number,
  event: string,
  mark: Mark,
  own: Record<string, unknown> = {},
): string {
  const { containerID, containerName, image, podName, podNamespace, podUID } = demo.containers[0]!
  const head = {
    level: action === 'DENIED' ? 'warn' : 'debug',
    metadata: demo.metadata,
    nodeName: demo.nodeName,
    containerID,
    containerName,
    image,
    podName,
    podNamespace,
    podUID,
    pid: demoPid,
    mntNsID: 4026532725,
    eventTimestamp: epoch,
    eventType: enforcer,
    enforcer,
    action,
    profileName: 'varmor-demo-demo-1',
    policyKind: 'VarmorPolicy',
    policyName: 'demo-1',
    policyNamespace: 'demo',
  }
  const time = new Date(epoch * 1000).toISOString().replace('.000', '')
  const tail = JSON.stringify({ time, message: 'violation event', schema: 1, ...mark, ...own })
  return `${JSON.stringify(head).slice(0, -1)},"event":${event},${tail.slice(1)}`
}
