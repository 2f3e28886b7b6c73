import type { FileAccess } from '../../rules/meaning.ts'
import type { Draft } from './draft.ts'
import { addRestriction, own } from './restrictions.ts'

/** Refused wholly: upstream's list, which is containerd's (contrib/apparmor/template.go). */
const closed = [
  '/proc/sysrq-trigger',
  // Upstream means to protect /proc/mem by this; it also closes /proc/PID/mem, by which a process writes into another.
  '/proc/**/mem',
  '/proc/kmem',
  '/proc/kcore',
  '/sys/firmware/**',
  '/sys/devices/virtual/powercap/**',
  '/sys/kernel/security/**',
]

// What containerd's profile refuses besides, and upstream's BPF enforcer does not: changing anything in /proc but the
// files of processes and the settings of shared memory, and anything in /sys but cgroups. Runtimes mount these
// read-only as well, but only if the container is not privileged and has not remounted them.
const readOnly: { pattern: string; except: string[] }[] = [
  {
    pattern: '/proc/**',
    except: [...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((digit) => `/proc/${digit}*/**`), '/proc/sys/kernel/shm*'],
  },
  { pattern: '/sys/**', except: ['/sys/fs/cgroup/**'] },
]

/**
 * Adds what containers may not do by default. Of containerd's profile it leaves out signals to processes outside, for
 * which there is no hook program: they need the node's PID namespace.
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
