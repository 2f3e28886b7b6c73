import {
  type BpfProfile,
  fileFlags,
  type MountRules,
  mountOperations,
  type PatternSets,
} from '../profile/bpf/bpf-profile.ts'
import { kernelTypeOf } from '../profile/bpf/mount-flags.ts'
import { machineOf } from './bpf-machine.ts'
import { run } from './machine.ts'
import { allowed, audited, type Decision, denied, eitherOf, type Operation } from './operation.ts'

type Mounting = Extract<Operation, { kind: 'mount' }>

/**
 * Whether a rule of the profile protects parent directories. If so, the BPF programs refuse every move of a mount and
 * every change of the root (protects_ways in native/bpf/mount.bpf.c).
 */
export const protectsWays = ({ mode, files }: BpfProfile): boolean =>
  mode === 'enforce' && (files.any & fileFlags.way) !== 0

/**
 * Numbers of the rules that match the source or target path of a mount. `all`: the kernel does not know the path, so
 * all rules match. `unknown`: the record does not contain the path.
 */
type Meant = ReadonlySet<number> | 'all' | 'unknown'

function meantBy({ always, sets, automaton }: PatternSets, path: string | 'all' | undefined): Meant {
  if (automaton === undefined) return new Set(always)
  if (path === 'all') return 'all'
  if (path === undefined) return 'unknown'
  const machine = machineOf(automaton)
  return new Set([...always, ...(sets[machine.marks(run(machine, Buffer.from(path)))] ?? [])])
}

/**
 * The source as the BPF programs see it. The kernel calls them before it resolves the source path of a bind or a move.
 */
function sourceOf({ operation, source, target }: Mounting): string | undefined {
  if (operation === 'new') return source
  if (operation === 'pivot-root') return '/'
  return operation === 'bind' || operation === 'move' ? 'all' : target
}

/** The decision of the rules about mounting (match_mount_rule in native/bpf/mount.bpf.c). */
export function mountVerdict({ mounts }: BpfProfile, mounting: Mounting): Decision {
  if (mounts === undefined) return allowed
  const sides = [meantBy(mounts.sources, sourceOf(mounting)), meantBy(mounts.targets, mounting.target)] as const
  const with_ = (unknownMeans: boolean): Decision => verdictOf(mounts, mounting, sides, unknownMeans)
  return eitherOf([with_(false), with_(true)], 'the source or the target of the mount is not known')
}

function verdictOf(
  { rules, sources, targets }: MountRules,
  { operation, flags, fstype = operation === 'new' ? '' : 'none' }: Mounting,
  [source, target]: readonly [Meant, Meant],
  unknownMeans: boolean,
): Decision {
  const name = operation === 'pivot-root' ? 'move' : operation
  const means = (meant: Meant, { always }: PatternSets, number: number): boolean => {
    if (meant === 'all') return true
    return meant === 'unknown' ? unknownMeans || always.includes(number) : meant.has(number)
  }
  const matching = rules.filter((rule, number) => {
    if (!rule.operations.includes(name)) return false
    if (rule.allow === true && ((rule.set & ~flags) !== 0 || (rule.clear & flags) !== 0 || target === 'all'))
      return false
    const bits = mountOperations[name] & (mountOperations.move | mountOperations.umount)
    if (rule.allow !== true && bits === 0 && (rule.set & flags) === 0 && (rule.clear & ~flags) === 0) return false
    const isType = rule.fstype === undefined || rule.fstype === kernelTypeOf(fstype)
    return isType && means(source, sources, number) && means(target, targets, number)
  })
  if (matching.some(({ allow }) => allow === true)) return allowed
  if (matching.some(({ deny }) => deny)) return denied
  return matching.some(({ audit }) => audit) ? audited : allowed
}
