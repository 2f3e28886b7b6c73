import type { FileAccess } from '../../rules/meaning.ts'
import type { Draft } from './draft.ts'
import { addRestriction, own } from './restrictions.ts'

/** Paths that are refused for every access: upstream's list, which is containerd's (contrib/apparmor/template.go). */
const closed = [
  '/proc/sysrq-trigger',
  // Upstream means to protect /proc/mem with this pattern. It also refuses /proc/PID/mem, by which a process writes
  // into another process.
  '/proc/**/mem',
  '/proc/kmem',
  '/proc/kcore',
  '/sys/firmware/**',
  '/sys/devices/virtual/powercap/**',
  '/sys/kernel/security/**',
]

// Other changes that containerd's profile refuses, unlike upstream's BPF enforcer. Runtimes mount these paths
// read-only, but not in privileged containers, and other containers may remount them.
const readOnly: { pattern: string; except: string[] }[] = [
  {
    pattern: '/proc/**',
    except: [...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((digit) => `/proc/${digit}*/**`), '/proc/sys/kernel/shm*'],
  },
  { pattern: '/sys/**', except: ['/sys/fs/cgroup/**'] },
]

/**
 * Adds the default restrictions of containers. BPF does not enforce containerd's rule about signals to processes
 * outside the container: only a container in the node's PID namespace can send such signals.
 */
export function addRuntimeDefault(draft: Draft, from: string): void {
  const changes: FileAccess[] = ['write', 'append']
  for (const pattern of closed) {
    draft.files.push({ ...draft.verdict, from, pattern: own(pattern), access: ['read', ...changes] })
  }
  for (const { pattern, except } of readOnly) {
    draft.files.push({ ...draft.verdict, from, pattern: own(pattern), access: changes, except: except.map(own) })
  }
  addRestriction(draft, { kind: 'mount', operations: ['new', 'bind', 'move', 'remount'] }, from)
  addRestriction(draft, { kind: 'ptrace', access: ['read', 'trace'], scope: 'outside' }, from)
}
