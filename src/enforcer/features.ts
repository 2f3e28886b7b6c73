import type { KernelEnforcer } from '../api/enforcer.ts'
import type { NodeRoot } from './node-root.ts'

/** Why the node lacks an enforcer, with a remedy; undefined if the node has it. */
export type NodeFeatures = Readonly<Record<KernelEnforcer, string | undefined>>

/**
 * Actions of the filters that we write (seccomp(2)). Kernels before 4.14 lack SCMP_ACT_LOG, and the file that lists
 * actions.
 */
const neededActions = ['allow', 'errno', 'log', 'kill_process']

/**
 * Detects which enforcers the node supports, from /sys/module/apparmor/parameters/enabled and securityfs,
 * /sys/kernel/security/lsm and lockdown, /sys/kernel/btf/vmlinux and /proc/sys/kernel/seccomp/actions_avail.
 */
export function nodeFeatures(root: NodeRoot): NodeFeatures {
  return { AppArmor: appArmorAbsent(root), BPF: bpfAbsent(root), Seccomp: seccompAbsent(root) }
}

function appArmorAbsent(root: NodeRoot): string | undefined {
  const enabled = root.read('sys/module/apparmor/parameters/enabled')
  if (enabled === undefined) return "this node's kernel has no AppArmor"
  if (enabled !== 'Y')
    return 'AppArmor is disabled on this node; boot with apparmor=1 and with apparmor in the parameter lsm='
  if (root.read('sys/kernel/security/apparmor/profiles') === undefined)
    return 'AppArmor is enabled, but /sys/kernel/security/apparmor cannot be read; mount securityfs into the agent'
  return undefined
}

function bpfAbsent(root: NodeRoot): string | undefined {
  const modules = root.read('sys/kernel/security/lsm')
  if (modules === undefined) return '/sys/kernel/security/lsm cannot be read; mount securityfs into the agent'
  if (!modules.split(',').includes('bpf'))
    return `the security modules of this node (${modules}) do not include BPF; boot with bpf in the parameter lsm=`
  if (root.read('sys/kernel/security/lockdown')?.includes('[confidentiality]'))
    return 'kernel lockdown is at confidentiality, which forbids BPF programs to read kernel memory; boot with lockdown=integrity'
  if (!root.exists('sys/kernel/btf/vmlinux'))
    return 'the kernel has no BTF type information (/sys/kernel/btf/vmlinux), which the programs need; use a kernel with CONFIG_DEBUG_INFO_BTF'
  return undefined
}

function seccompAbsent(root: NodeRoot): string | undefined {
  const available = root.read('proc/sys/kernel/seccomp/actions_avail')
  if (available === undefined) return "this node's kernel has no seccomp filters, or is older than Linux 4.14"
  const missing = neededActions.filter((action) => !available.split(/\s+/).includes(action))
  return missing.length === 0 ? undefined : `this node's kernel lacks the seccomp actions ${missing.join(', ')}`
}
