import type { Statement } from './statement.ts'
import { pathOf } from './value.ts'

/** Flags that name an operation (MS_CMDS in mount.h); all other flags are options of an operation. */
// biome-ignore format: a table reads better
const commands: ReadonlyMap<string, 'remount' | 'bind' | 'move' | 'propagation'> = new Map(Object.entries({
  remount: 'remount', bind: 'bind', B: 'bind', rbind: 'bind', R: 'bind', move: 'move', M: 'move',
  unbindable: 'propagation', 'make-unbindable': 'propagation', runbindable: 'propagation', 'make-runbindable': 'propagation',
  private: 'propagation', 'make-private': 'propagation', rprivate: 'propagation', 'make-rprivate': 'propagation',
  slave: 'propagation', 'make-slave': 'propagation', rslave: 'propagation', 'make-rslave': 'propagation',
  shared: 'propagation', 'make-shared': 'propagation', rshared: 'propagation', 'make-rshared': 'propagation',
} as const))
// biome-ignore format: a table reads better
const flags: readonly string[] = [
  ...commands.keys(), 'ro', 'r', 'read-only', 'rw', 'w', 'suid', 'nosuid', 'dev', 'nodev', 'exec', 'noexec', 'sync', 'async',
  'mand', 'nomand', 'dirsync', 'atime', 'noatime', 'diratime', 'nodiratime', 'verbose', 'silent', 'loud', 'acl', 'noacl',
  'relatime', 'norelatime', 'iversion', 'noiversion', 'strictatime', 'user', 'nouser',
]

/** Flags that clear a bit, and so have no effect together with an operation. */
// biome-ignore format: a table reads better
const clearing: ReadonlySet<string> = new Set([
  'rw', 'w', 'suid', 'dev', 'exec', 'async', 'nomand', 'atime', 'diratime', 'loud', 'noacl', 'norelatime', 'noiversion', 'user',
])

/** Pairs of opposite flags. `options in` accepts both, and means either. */
const opposites: readonly (readonly [readonly string[], readonly string[]])[] = [
  [
    ['ro', 'r', 'read-only'],
    ['rw', 'w'],
  ],
  [['silent', 'verbose'], ['loud']],
  ...['suid', 'dev', 'exec', 'atime', 'diratime', 'mand', 'acl', 'relatime', 'iversion', 'user'].map(
    (flag) => [[flag], [`no${flag}`]] as const,
  ),
  [['sync'], ['async']],
]

function checkOpposites(options: readonly string[], statement: Statement): void {
  for (const [some, others] of opposites) {
    const [one, other] = [some, others].map((words) => options.find((option) => words.includes(option)))
    if (one !== undefined && other !== undefined) {
      statement.fail(
        `"${one}" and "${other}" exclude each other; to match either, write "options in (${one},${other})"`,
      )
    }
  }
}

interface Conditions {
  texts: string[]
  options: string[]
  /** The flags of `options in`. */
  optional: string[]
  hasType: boolean
}

function conditions(statement: Statement): Conditions {
  const found: Conditions = { texts: [], options: [], optional: [], hasType: false }
  while (statement.next?.kind === 'word' && (statement.following?.kind === '=' || statement.following?.text === 'in')) {
    const name = statement.oneOf(['fstype', 'vfstype', 'options', 'option'], 'condition of a mount')
    const within = !statement.takes('=')
    if (within) statement.take()
    if (within && name.includes('fstype')) statement.fail('a type must follow "="')
    const isOption = name.startsWith('option')
    const values = statement.listOf(() => (isOption ? statement.oneOf(flags, 'mount option') : statement.value()))
    if (isOption && !within) checkOpposites(values, statement)
    if (isOption) (within ? found.optional : found.options).push(...values)
    else found.hasType = true
    found.texts.push(`${name}${within ? ' in ' : '='}(${values.join(',')})`)
  }
  return found
}

/**
 * Fails for rules that apparmor_parser cannot encode (gen_policy_re() in mount.cc, gen_flag_rules() of AppArmor 4).
 * Only new mounts have a type; remounts and changes of propagation have no source. `options=` decides the kind, or else
 * `options in`.
 */
function checkEncodable(conds: Conditions, hasSource: boolean, statement: Statement): void {
  const kinds = (options: readonly string[]) => new Set(options.map((option) => commands.get(option) ?? 'plain'))
  const { options, optional, hasType } = conds
  const asked = kinds(options.length > 0 ? options : optional)
  const commanded = options.some((option) => commands.has(option))
  const plain = [...(commanded ? options.filter((option) => !clearing.has(option)) : options), ...optional]
  const possible =
    asked.size === 0 ||
    kinds(plain).has('plain') ||
    (!hasType && (asked.has('bind') || asked.has('move'))) ||
    (!hasType && !hasSource && (asked.has('remount') || asked.has('propagation')))
  if (!possible)
    statement.fail(
      'a mount with these options cannot have a type; a remount or a change of propagation cannot have a source either',
    )
}

export function mountRule(statement: Statement): string {
  const conds = conditions(statement)
  const source = statement.next === undefined || statement.next.kind === '->' ? undefined : statement.value()
  const target = statement.takes('->') ? pathOf(statement.take()) : undefined
  checkEncodable(conds, source !== undefined, statement)
  return words('mount', conds.texts, source, target === undefined ? undefined : `-> ${target}`)
}

export function remountRule(statement: Statement): string {
  const conds = conditions(statement)
  if (conds.hasType) statement.fail('a remount cannot have a type')
  return words('remount', conds.texts, statement.next === undefined ? undefined : pathOf(statement.take()))
}

export function umountRule(statement: Statement): string {
  return words('umount', [], statement.next === undefined ? undefined : pathOf(statement.take()))
}

/** `pivot_root [oldroot=OLD] [NEW]`; a transition to another profile is refused. */
export function pivotRootRule(statement: Statement): string {
  const old: string[] = []
  if (statement.takesWord('oldroot')) {
    statement.expect('=')
    old.push(`oldroot=${pathOf(statement.take())}`)
  }
  const root = statement.next === undefined || statement.next.kind === '->' ? undefined : pathOf(statement.take())
  if (statement.next?.kind === '->') statement.fail('a pivot_root rule cannot change the profile')
  return words('pivot_root', old, root)
}

function words(keyword: string, conds: readonly string[], ...rest: (string | undefined)[]): string {
  return [keyword, ...conds, ...rest.filter((part) => part !== undefined)].join(' ')
}
