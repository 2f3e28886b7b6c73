import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ParserRun } from '../../src/enforcer/apparmor-parser.ts'

interface Parsed {
  name: string
  mode: string
  text: string
}

const heading = /^profile (\S+)(?: flags=\(([^)]*)\))? \{$/

/**
 * AppArmor of a node in a folder: securityfs as the kernel shows it, and a parser that "compiles" text with one
 * `profile NAME {` per profile. The parser refuses a line with the word BAD, is killed at a line with COSTLY or SLOW,
 * and records its calls.
 */
export class AppArmorNode {
  readonly folder: string
  /** Arguments of each run. */
  readonly runs: string[][] = []
  /** Called once, when the next run starts. */
  beforeRun: (() => void) | undefined
  /** Error text with which the kernel refuses all input; undefined: the kernel accepts input. */
  refusal: string | undefined
  /** False for kernels without CONFIG_SECURITY_APPARMOR_HASH. */
  hashes = true
  /**
   * Tells whether a load of an identical profile counts as a change; with CONFIG_SECURITY_APPARMOR_EXPORT_BINARY it
   * does not.
   */
  countsEqual = false
  readonly #profiles = new Map<string, Parsed>()
  #serial = 0
  #revision = 1

  constructor(folder: string) {
    this.folder = folder
    this.#show()
  }

  get loaded(): string[] {
    return [...this.#profiles.keys()]
  }

  textOf(name: string): string | undefined {
    return this.#profiles.get(name)?.text
  }

  readonly run = async (args: readonly string[], stdin = ''): Promise<ParserRun> => {
    this.runs.push([...args])
    this.beforeRun?.()
    this.beforeRun = undefined
    if (args.includes('--version')) return { status: 0, stderr: '' }
    const files = args.filter((arg, i) => arg.startsWith('/') && args[i - 1] !== '--cache-loc')
    const texts =
      files.length === 0
        ? [['stdin', stdin] as const]
        : files.filter(existsSync).map((file) => [file, readFileSync(file, 'utf8')] as const)
    const errors = files.filter((file) => !existsSync(file)).map((file) => `File ${file} not found, skipping...`)
    for (const [file, text] of texts) {
      const costly = /COSTLY/.test(text) ? 'memory' : /SLOW/.test(text) ? 'time' : undefined
      if (costly !== undefined) return { status: undefined, stderr: '', costly }
      const error = args.includes('--remove') ? this.#remove(text) : this.#replace(file, text)
      if (error !== undefined) errors.push(error)
    }
    this.#show()
    return { status: errors.length === 0 ? 0 : 1, stderr: errors.join('\n') }
  }

  /** Makes the kernel lose a profile. */
  lose(name: string): void {
    if (this.#profiles.delete(name)) this.#revision++
    this.#show()
  }

  /** Loads other rules under the profile's name, as another program would. */
  replace(name: string, text: string): void {
    this.#set({ name, mode: 'enforce', text })
    this.#show()
  }

  #set(parsed: Parsed): void {
    const { mode, text } = this.#profiles.get(parsed.name) ?? {}
    if (this.countsEqual || mode !== parsed.mode || text !== parsed.text) this.#revision++
    this.#profiles.set(parsed.name, parsed)
  }

  #replace(file: string, text: string): string | undefined {
    const lines = text.split('\n')
    const bad = lines.findIndex((line) => line.includes('BAD'))
    if (bad >= 0)
      return `AppArmor parser error for ${file} in profile ${file} at line ${bad + 1}: syntax error, unexpected TOK_ID`
    if (this.refusal !== undefined) return this.refusal
    for (const line of lines) {
      const [, name, flags = ''] = heading.exec(line) ?? []
      if (name !== undefined) this.#set({ name, mode: flags.includes('complain') ? 'complain' : 'enforce', text })
    }
    return undefined
  }

  /** Like the parser, it stops at the first missing profile. */
  #remove(text: string): string | undefined {
    for (const line of text.split('\n')) {
      const [, name] = heading.exec(line) ?? []
      if (name === undefined) continue
      if (!this.#profiles.delete(name))
        return `AppArmor parser error: Unable to remove "${name}".  Profile doesn't exist`
      this.#revision++
    }
    return undefined
  }

  #show(): void {
    rmSync(this.folder, { recursive: true, force: true })
    const policy = join(this.folder, 'policy', 'profiles')
    mkdirSync(policy, { recursive: true })
    writeFileSync(join(this.folder, 'revision'), `${this.#revision}\n`)
    const lines = Array.from(this.#profiles.values(), ({ name, mode }) => `${name} (${mode})\n`)
    writeFileSync(join(this.folder, 'profiles'), `cri-containerd.apparmor.d (enforce)\n${lines.join('')}`)
    for (const { name, text } of this.#profiles.values()) {
      const own = join(policy, `${name}.${++this.#serial}`)
      mkdirSync(own)
      if (this.hashes) writeFileSync(join(own, 'sha1'), `${createHash('sha1').update(text).digest('hex')}\n`)
    }
  }
}
