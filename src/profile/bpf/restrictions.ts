import type { CompiledRestriction as Restriction } from '../node-disks.ts'
import { type PathPattern, parsePathPattern } from '../path-pattern.ts'
import type { Draft } from './draft.ts'
import { blocksOfAddress } from './egress.ts'
import { ALL_MOUNT_FLAGS } from './mount-flags.ts'

/** Parses a pattern of this program. An invalid pattern is a bug. */
export function own(text: string): PathPattern {
  const parsed = parsePathPattern(text)
  if (!parsed.ok) throw new Error(`pattern ${text}: ${parsed.problem}`)
  return parsed.pattern
}

/** Adds a restriction of the catalogue to the draft. */
export function addRestriction(draft: Draft, restriction: Restriction, from: string): void {
  const rule = { ...draft.verdict, from }
  switch (restriction.kind) {
    case 'path':
      draft.files.push({ ...rule, pattern: own(restriction.pattern), access: restriction.deny })
      break
    case 'capability':
      draft.capabilities.push({ ...rule, names: restriction.names })
      break
    case 'mount':
      addMount(draft, restriction, from)
      break
    case 'socket': {
      const { kind: _, ...fields } = restriction
      draft.sockets.push({ ...rule, ...fields })
      break
    }
    case 'egress':
      draft.destinations.push({ ...rule, to: restriction.to, blocks: ownBlocks(restriction.to), ports: [] })
      break
    case 'service': {
      const { namespace, name } = restriction
      draft.references.push({ ...rule, kind: 'service', namespace, name, ports: [] })
      break
    }
    case 'ptrace':
      draft.ptrace.push({ ...rule, access: restriction.access, scope: restriction.scope })
      break
    case 'userns':
    case 'userfaultfd':
      draft[restriction.kind].push(rule)
      break
    case 'bpf':
      for (const command of restriction.commands) draft.bpf.push({ ...rule, command })
      break
    case 'block-device':
      draft.blockDevices.push({ ...rule, access: restriction.deny })
      break
  }
}

function addMount(
  draft: Draft,
  { operations, fstype, source, target }: Extract<Restriction, { kind: 'mount' }>,
  from: string,
): void {
  draft.mounts.push({
    ...draft.verdict,
    from,
    // Refusing a remount includes a change of propagation, as in upstream and in AppArmor's `mount`.
    operations: operations.includes('remount') ? [...operations, 'propagation'] : operations,
    set: ALL_MOUNT_FLAGS,
    clear: ALL_MOUNT_FLAGS,
    ...(fstype !== undefined && { fstype }),
    ...(source !== undefined && { source: own(source) }),
    ...(target !== undefined && { target: own(target) }),
  })
}

function ownBlocks(text: string): string[] {
  const blocks = blocksOfAddress(text)
  if (blocks === undefined) throw new Error(`${text} is neither an IP address nor a CIDR block`)
  return blocks
}
