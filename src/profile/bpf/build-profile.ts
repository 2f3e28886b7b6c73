import type { FieldError } from '../../api/field-error.ts'
import { type Capability, capabilities } from '../../rules/capabilities.ts'
import type { FileAccess, PtraceAccess } from '../../rules/meaning.ts'
import type { Skipped } from '../result.ts'
import { type BpfProfile, type CapabilityRules, type PtraceRules, ptraceAccess, type Verdict } from './bpf-profile.ts'
import type { Draft } from './draft.ts'
import { accessFlags, fileRules } from './file-table.ts'
import { mask64 } from './mask.ts'
import { mountRules } from './mount-table.ts'
import { egressRules, mergeBy, socketRules } from './network-tables.ts'

function capabilityRules(draft: Draft): CapabilityRules | undefined {
  const namesWith = (what: keyof Verdict): Capability[] => {
    const named = new Set(draft.capabilities.filter((rule) => rule[what]).flatMap(({ names }) => names))
    return capabilities.filter((name) => named.has(name))
  }
  const maskOf = (names: readonly Capability[]) => mask64(names.map((name) => capabilities.indexOf(name)))
  const [deny, audit] = [namesWith('deny'), namesWith('audit')]
  if (deny.length + audit.length === 0) return undefined
  return { deny, audit, denyMask: maskOf(deny), auditMask: maskOf(audit) }
}

function ptraceRules(draft: Draft): PtraceRules | undefined {
  const inOrder = (access: readonly PtraceAccess[]) =>
    (Object.keys(ptraceAccess) as PtraceAccess[]).filter((one) => access.includes(one))
  const drafted = draft.ptrace.map(({ access, scope, deny, audit }) => ({
    access: inOrder(access),
    scope,
    deny,
    audit,
  }))
  const rules = mergeBy(drafted, ({ access, scope }) => [access, scope])
  if (rules.length === 0) return undefined
  const mask = (what: keyof Verdict, scope: 'all' | 'outside') =>
    rules
      .filter((rule) => rule[what] && (rule.scope === scope || rule.scope === 'all'))
      .flatMap(({ access }) => access)
      .reduce((bits, one) => bits | ptraceAccess[one], 0)
  return {
    rules,
    denyAll: mask('deny', 'all'),
    denyOutside: mask('deny', 'outside'),
    auditAll: mask('audit', 'all'),
    auditOutside: mask('audit', 'outside'),
  }
}

function blockDeviceFlags(draft: Draft): number {
  const accessWith = (what: keyof Verdict): Set<FileAccess> =>
    new Set(draft.blockDevices.filter((rule) => rule[what]).flatMap(({ access }) => access))
  return accessFlags({ deny: accessWith('deny'), audit: accessWith('audit') })
}

/** The union of the verdicts on an operation that has no further properties. */
function verdictOf(drafted: Draft['userns']): Verdict | undefined {
  const [merged] = mergeBy(drafted, () => '')
  return merged === undefined ? undefined : { deny: merged.deny, audit: merged.audit }
}

/** Merges the rules of a draft and makes the kernel's tables. Adds an error for rules that exceed a table. */
export function buildProfile(draft: Draft, errors: FieldError[], skipped: Skipped[]): BpfProfile {
  const mounts = mountRules(draft, errors)
  const capabilityMasks = capabilityRules(draft)
  const egress = egressRules(draft, errors)
  const ptrace = ptraceRules(draft)
  const userns = verdictOf(draft.userns)
  const userfaultfd = verdictOf(draft.userfaultfd)
  return {
    mode: 'enforce',
    files: fileRules(draft, errors),
    ...(mounts !== undefined && { mounts }),
    ...(capabilityMasks !== undefined && { capabilities: capabilityMasks }),
    sockets: socketRules(draft, skipped),
    ...(egress !== undefined && { egress }),
    ...(ptrace !== undefined && { ptrace }),
    ...(userns !== undefined && { userns }),
    ...(userfaultfd !== undefined && { userfaultfd }),
    bpf: mergeBy(
      draft.bpf.map(({ command, deny, audit }) => ({ command, deny, audit })),
      ({ command }) => command,
    ),
    blockDevices: blockDeviceFlags(draft),
  }
}
