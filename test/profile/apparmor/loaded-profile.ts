import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A profile as the kernel applies it: apparmor_parser compiles the text (with the features of `abi/3.0`, so this kernel
 * does not need AppArmor), and this code runs the resulting tables as security/apparmor/match.c does.
 */
export interface Access {
  /** Letters of `xwrakm`, for a process that owns the file; hard links depend on two paths, see `link`. */
  allow: string
  audit: string
  /** Permissions that the kernel refuses without a record. */
  quiet: string
}

export interface Mount {
  point: string
  source?: string
  type?: string
  flags?: number
}

export class LoadedProfile {
  readonly name: string
  private readonly policy: Dfa | undefined
  private readonly files: Dfa | undefined
  constructor(name: string, policy: Dfa | undefined, files: Dfa | undefined) {
    this.name = name
    this.policy = policy
    this.files = files
  }

  file(path: string | Uint8Array): Access {
    return this.files === undefined ? { allow: '', audit: '', quiet: '' } : this.files.access(this.files.run(1, path))
  }

  /** The transition at exec: the bits of `xindex` that the kernel reads; 0 is none. */
  execIndex(path: string): number {
    return this.files === undefined ? 0 : (this.files.accept[this.files.run(1, path)]! >>> 7) & 0x7f
  }

  /** Whether a process may hard-link `link` to `target` (profile_path_link() in security/apparmor/file.c). */
  link(link: string, target: string): boolean {
    const dfa = this.files!
    const first = dfa.run(1, link)
    if ((dfa.accept[first]! & MAY_LINK) === 0) return false
    const pair = dfa.run(dfa.next(first, 0), target)
    if ((dfa.accept[pair]! & MAY_LINK) === 0) return false
    const subset = (dfa.accept[pair]! & 0x20) !== 0
    const within = [...this.file(link).allow].every((letter) => this.file(target).allow.includes(letter))
    return !subset || (within && this.execIndex(link) === this.execIndex(target))
  }

  /** Whether a process may make the mount (match_mnt() in security/apparmor/mount.c). */
  mount({ point, source = '', type = '', flags = 0 }: Mount): boolean {
    const dfa = this.policy!
    let state = dfa.next(1, CLASS_MOUNT)
    for (const text of [point, source, type]) state = dfa.next(dfa.run(state, text), 0)
    for (let bit = 0; bit <= 31; bit++) if ((flags >>> bit) & 1) state = dfa.next(state, bit + 1)
    return (dfa.accept[state]! & MAY_MOUNT) !== 0
  }

  umount(point: string): boolean {
    const dfa = this.policy!
    return (dfa.accept[dfa.run(dfa.next(1, CLASS_MOUNT), point)]! & MAY_UMOUNT) !== 0
  }

  pivotRoot(newRoot: string, oldRoot: string): boolean {
    const dfa = this.policy!
    const state = dfa.next(dfa.run(dfa.next(1, CLASS_MOUNT), newRoot), 0)
    return (dfa.accept[dfa.run(state, oldRoot)]! & MAY_PIVOTROOT) !== 0
  }

  /** Permission bits of a rule class whose argument is one label: 9 ptrace, 10 signal (with its number before). */
  ptrace(peer: string): number {
    const dfa = this.policy!
    return dfa.accept[dfa.run(dfa.next(1, CLASS_PTRACE), peer)]! & 0x3fff
  }

  socket(family: number, type: number): boolean {
    const dfa = this.policy!
    const state = dfa.run(dfa.next(1, CLASS_NET), Uint8Array.of(family >> 8, family & 255, type >> 8, type & 255))
    return (dfa.accept[state]! & 0x7f) !== 0
  }
}

const CLASS_MOUNT = 7
const CLASS_PTRACE = 9
const CLASS_NET = 14
const MAY_MOUNT = 0x02
const MAY_UMOUNT = 0x04
const MAY_PIVOTROOT = 0x01
const DIFF_ENCODED = 0x80000000
const MAY_LINK = 0x10
const letters = ['x', 'w', 'r', 'a', '', 'k', 'm']

function lettersOf(bits: number): string {
  return letters.filter((_, i) => (bits >> i) & 1).join('')
}

class Dfa {
  readonly accept: Uint32Array
  private readonly accept2: Uint32Array
  private readonly base: Uint32Array
  private readonly def: Uint32Array
  private readonly nextTable: Uint32Array
  private readonly check: Uint32Array
  private readonly classes: Uint32Array

  constructor(blob: Buffer) {
    const tables = tablesOf(blob)
    const table = (id: number) => tables.get(id) ?? new Uint32Array()
    this.accept = table(1)
    this.base = table(2)
    this.check = table(3)
    this.def = table(4)
    this.classes = table(5)
    this.accept2 = table(7)
    this.nextTable = table(8)
  }

  next(state: number, byte: number): number {
    const symbol = this.classes.length > 0 ? this.classes[byte]! : byte
    for (let at = state; ; ) {
      const base = this.base[at]!
      const position = (base & 0xffffff) + symbol
      if (this.check[position] === at) return this.nextTable[position]!
      at = this.def[at]!
      if ((base & DIFF_ENCODED) === 0) return at
    }
  }

  run(state: number, text: string | Uint8Array): number {
    let at = state
    for (const byte of typeof text === 'string' ? Buffer.from(text) : text) at = this.next(at, byte)
    return at
  }

  access(state: number): Access {
    const [accept, audit] = [this.accept[state]!, this.accept2[state]!]
    return { allow: lettersOf(accept & 0x7f), audit: lettersOf(audit & 0x7f), quiet: lettersOf((audit >>> 7) & 0x7f) }
  }
}

function tablesOf(blob: Buffer): Map<number, Uint32Array> {
  const start = blob.indexOf(Buffer.of(0x1b, 0x5e, 0x78, 0x3d))
  const tables = new Map<number, Uint32Array>()
  const align = (at: number) => start + ((at - start + 7) & ~7)
  for (let at = start + blob.readUInt32BE(start + 4); at + 12 <= blob.length; ) {
    const [id, width, count] = [blob.readUInt16BE(at), blob.readUInt16BE(at + 2), blob.readUInt32BE(at + 8)]
    const read = (i: number) => blob.readUIntBE(at + 12 + i * width, width)
    tables.set(
      id,
      Uint32Array.from({ length: count }, (_, i) => read(i)),
    )
    at = align(at + 12 + count * width)
  }
  return tables
}

/** The serialised policy: tagged values, as unpack_*() in security/apparmor/policy_unpack.c read them. */
function profilesOf(policy: Buffer): LoadedProfile[] {
  const profiles: { name: string; dfas: Map<string, Dfa> }[] = []
  let at = 0
  let named = ''
  let scope = ''
  const string = () => {
    const length = policy.readUInt16LE(at)
    const text = policy.toString('latin1', at + 2, at + 2 + length - 1)
    at += 2 + length
    return text
  }
  const skip = { 0: 1, 1: 2, 2: 4, 3: 8, 7: 0, 8: 0, 9: 0, 10: 0, 11: 2, 12: 0 } as Record<number, number>
  let awaitsName = false
  while (at < policy.length) {
    const tag = policy[at++]!
    if (tag === 4) named = string()
    else if (tag === 5) {
      const text = string()
      if (awaitsName) profiles.push({ name: text, dfas: new Map() })
      awaitsName = false
    } else if (tag === 6) {
      const length = policy.readUInt32LE(at)
      const blob = policy.subarray(at + 4, at + 4 + length)
      if (named === 'aadfa') profiles.at(-1)!.dfas.set(scope, new Dfa(blob))
      at += 4 + length
    } else {
      const width = skip[tag]
      if (width === undefined) throw new Error(`tag ${tag} at ${at}`)
      if (tag === 7 && named === 'profile') awaitsName = true
      if (tag === 7 && named === 'policydb') scope = 'policydb'
      if (tag === 8) scope = ''
      at += width
      if (tag === 7) named = ''
    }
  }
  return profiles.map(({ name, dfas }) => new LoadedProfile(name, dfas.get('policydb'), dfas.get('')))
}

let parserThere: boolean | undefined

export function hasParser(): boolean {
  parserThere ??= spawnSync('apparmor_parser', ['--version']).status === 0
  return parserThere
}

const MISSING = 'apparmor_parser is not installed (Debian package apparmor)'

/** Skips the running test if this machine has no apparmor_parser. */
export function needsParser(test: Mocha.Context): void {
  if (hasParser()) return
  console.log(`      ${MISSING}`)
  test.skip()
}

/** Runs apparmor_parser on the texts, one file for each text. An error message contains the number of the file. */
export function parse(
  texts: readonly string[],
  options: string[] = ['-QK'],
): { status: number; stdout: Buffer; stderr: string } {
  const directory = mkdtempSync(join(tmpdir(), 'apparmor-'))
  try {
    const files = texts.map((text, i) => {
      const file = join(directory, `p${String(i).padStart(5, '0')}`)
      writeFileSync(file, text)
      return file
    })
    const run = spawnSync('apparmor_parser', [...options, '-M', '/etc/apparmor.d/abi/3.0', ...files], {
      maxBuffer: 1 << 30,
    })
    return { status: run.status ?? 1, stdout: run.stdout, stderr: run.stderr.toString() }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** Compiles a text, and reads the result. @throws the message of apparmor_parser if it refuses the text */
export function load(...texts: string[]): Map<string, LoadedProfile> {
  const { status, stdout, stderr } = parse(texts, ['-QKS'])
  if (status !== 0) throw new Error(stderr)
  return new Map(profilesOf(stdout).map((profile) => [profile.name, profile]))
}
