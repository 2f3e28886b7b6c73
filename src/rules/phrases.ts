import {
  type FileAccess,
  type MountOperation,
  type Restriction,
  type SyscallArgument,
  type SyscallRestriction,
  socketDomains,
} from './meaning.ts'

// Turns restrictions into phrases for the terminal. Each phrase says what is refused.

function list(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}

const accessWords: Record<FileAccess, string> = {
  read: 'reading',
  write: 'changing',
  append: 'appending to',
  exec: 'running',
}

function access(deny: readonly FileAccess[]): string {
  return list(deny.map((one) => accessWords[one]))
}

const mountWords: Record<MountOperation, string> = {
  new: 'mounting',
  bind: 'binding',
  move: 'moving',
  remount: 'remounting',
  umount: 'unmounting',
}

type Phrase = { verb: string; object: string }

function mountPhrase({ operations, fstype, source, target }: Extract<Restriction, { kind: 'mount' }>): Phrase {
  const verb = list(operations.map((operation) => mountWords[operation]))
  const fields = [
    ...(fstype === undefined ? [] : [{ preposition: 'file systems of type', value: fstype }]),
    ...(source === undefined ? [] : [{ preposition: 'from', value: source }]),
    ...(target === undefined ? [] : [{ preposition: 'at', value: target }]),
  ]
  const [first, ...more] = fields
  if (first === undefined) return { verb, object: 'anything' }
  const rest = more.map(({ preposition, value }) => ` ${preposition} ${value}`)
  return { verb: `${verb} ${first.preposition}`, object: first.value + rest.join('') }
}

function socketPhrase({ domains, types, protocols }: Extract<Restriction, { kind: 'socket' }>): string {
  const of = [
    ...(domains === undefined || domains.length === socketDomains.length ? [] : [`family ${list(domains)}`]),
    ...(types === undefined ? [] : [`type ${list(types)}`]),
    ...(protocols === undefined ? [] : [`protocol ${list(protocols)}`]),
  ]
  return of.join(', ') || 'any kind'
}

function phraseOf(restriction: Restriction): Phrase {
  switch (restriction.kind) {
    case 'path':
      return { verb: access(restriction.deny), object: restriction.pattern }
    case 'capability':
      return { verb: 'using', object: restriction.names.map((name) => `CAP_${name.toUpperCase()}`).join(', ') }
    case 'mount':
      return mountPhrase(restriction)
    case 'socket':
      return { verb: 'creating sockets of', object: socketPhrase(restriction) }
    case 'egress':
      return { verb: 'connecting and sending to', object: restriction.to }
    case 'service':
      return { verb: 'connecting to the Service', object: `${restriction.namespace}/${restriction.name}` }
    case 'ptrace':
      return {
        verb: `ptrace ${list(restriction.access)} access between a process and`,
        object: restriction.scope === 'outside' ? 'processes outside the container' : 'other processes',
      }
    case 'userns':
      return { verb: 'creating', object: 'user namespaces' }
    case 'userfaultfd':
      return { verb: 'creating', object: 'userfaultfd objects' }
    case 'bpf':
      return { verb: 'bpf(2) commands', object: list(restriction.commands) }
    case 'block-device':
      return { verb: access(restriction.deny), object: 'block devices of any name' }
    case 'node-disks': {
      const { deny, mount } = restriction
      const object = 'other disks of the node'
      if (deny.length > 0) return { verb: access(deny), object }
      return { verb: `${list(mount.map((one) => mountWords[one]))} from`, object }
    }
  }
}

/** What AppArmor or BPF refuses, one phrase for each kind of access: `changing /etc/passwd, /etc/shadow`. */
export function restrictionPhrases(restrictions: readonly Restriction[]): string[] {
  const objects = new Map<string, string[]>()
  for (const restriction of restrictions) {
    const { verb, object } = phraseOf(restriction)
    objects.set(verb, [...(objects.get(verb) ?? []), object])
  }
  return [...objects].map(([verb, all]) => `${verb} ${all.join(verb === 'creating sockets of' ? '; of ' : ', ')}`)
}

const comparisons: Record<Exclude<SyscallArgument['op'], 'SCMP_CMP_MASKED_EQ'>, string> = {
  SCMP_CMP_EQ: 'is',
  SCMP_CMP_NE: 'is not',
  SCMP_CMP_LT: 'is below',
  SCMP_CMP_LE: 'is at most',
  SCMP_CMP_GT: 'is above',
  SCMP_CMP_GE: 'is at least',
}

// As in manuals, modes and flags of files are in octal, other flags in hexadecimal, and plain numbers in decimal.
const mask = (value: number) => (value <= 0o7777 ? `0o${value.toString(8)}` : `0x${value.toString(16)}`)

function argumentPhrase({ index, op, value, valueTwo = 0 }: SyscallArgument): string {
  const argument = `argument ${index}`
  if (op !== 'SCMP_CMP_MASKED_EQ') return `${argument} ${comparisons[op]} ${value}`
  if (value === 0xffffffff) return `the lower 32 bits of ${argument} are ${valueTwo}`
  if (value === valueTwo) return `${argument} has ${mask(value)} set`
  return `${argument} & ${mask(value)} is ${mask(valueTwo)}`
}

const errnoNames: Record<number, string> = { 1: 'EPERM', 22: 'EINVAL', 38: 'ENOSYS' }

/** One restriction of Seccomp: `chmod, fchmod where argument 1 has 0x800 set: EPERM`. */
export function syscallPhrase({ names, args = [], errno = 1, observe = 'log' }: SyscallRestriction): string {
  const where = args.length === 0 ? '' : ` where ${list(args.map(argumentPhrase))}`
  const quiet = observe === 'omit' ? ' (not logged in observe mode)' : ''
  return `${names.join(', ')}${where}: ${errnoNames[errno] ?? `errno ${errno}`}${quiet}`
}
