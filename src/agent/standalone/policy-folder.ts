import { hash } from 'node:crypto'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import type { ProfileStatus } from '../../../actors/loaded-profile/ports.ts'
import type { FieldError } from '../../api/field-error.ts'
import type { ArmorProfile } from '../../api/types.ts'
import { Pause } from '../../audit/source/source.ts'
import { logTrouble } from '../../base/bug.ts'
import type { Clock } from '../../base/clock.ts'
import type { Logger } from '../../base/logger.ts'
import type { Change } from '../../kube/change.ts'
import { type Handler, HandlerQueue } from '../../kube/handler-queue.ts'
import type { KubeObject } from '../../kube/objects.ts'
import type { ProfileSource } from '../profiles/profile-source.ts'
import { HeldProfiles } from './held-profiles.ts'
import type { Judged } from './judge.ts'
import { FolderError, type PolicyFiles, type SeenFile } from './policy-files.ts'
import type { PolicyMemory } from './policy-memory.ts'
import { type FileContents, type HeldPolicy, policySet, titleOf } from './policy-set.ts'

/** The content of a file: its policies, and its problems. */
export interface ReadFile {
  /** `say` returns the text of an error, with its position in the file. */
  policies: readonly { value: unknown; say(error: FieldError): string }[]
  problems: readonly string[]
}

export interface PolicyFolderOptions {
  folder: string
  files: PolicyFiles
  /** Parses the text of a file. */
  read(path: string, bytes: Buffer): ReadFile
  judge(policy: unknown): Promise<Judged>
  memory: PolicyMemory
  /** Called when the policies in force are known, even if there are none, and when they change. */
  onChange(policies: Iterable<HeldPolicy>): void
  clock: Clock
  logger: Logger
}

/** Milliseconds between two polls of the folder. */
const period = 10_000
/** Milliseconds without a change before the folder is read, because a program may still write files. */
const settling = 200
/** Maximum number of these waits before a read. */
const maxSettling = 25

/** Maximum mistakes of a file that are reported; further mistakes are only counted. */
const maxMistakes = 100

interface KnownFile {
  version: string
  digest: string
  contents: FileContents
  /** Whether the file must be checked again at the next poll, because the result may change. */
  again: boolean
}

/** Reads policies from the files of a folder when these change, and at intervals. */
export class PolicyFolder implements ProfileSource {
  readonly #options: PolicyFolderOptions
  readonly #profiles: HeldProfiles
  readonly #queues: HandlerQueue<ArmorProfile & KubeObject>[] = []
  readonly #files = new Map<string, KnownFile>()
  readonly #pause: Pause
  /** Undefined until the policies in force are known. */
  #inForce: ReadonlyMap<string, HeldPolicy> | undefined
  #problems: readonly string[] = []
  /** Whether the policies in force are not stored yet. A restart would then use the previous policies. */
  #isUnsaved = false
  #unwatch: (() => void) | undefined
  #changed = false
  #stopped = false
  #running: Promise<void> | undefined
  #list!: (listed: boolean) => void
  readonly #listed = new Promise<boolean>((resolve) => {
    this.#list = resolve
  })

  constructor(options: PolicyFolderOptions) {
    this.#options = options
    this.#pause = new Pause(options.clock)
    this.#profiles = new HeldProfiles((change) => this.#emit(change))
  }

  /** Why files are not in force as written, each reason with a remedy. */
  get problems(): readonly string[] {
    return this.#problems
  }

  subscribe(handler: Handler<ArmorProfile & KubeObject>): void {
    const handlerFailed = (name: string, { key }: Change<unknown>, err: unknown): void =>
      this.#options.logger.error({ err, handler: name, object: key }, 'a handler of changes failed')
    this.#queues.push(new HandlerQueue(handler, { handlerFailed }))
  }

  start(): void {
    this.#running ??= this.#run()
  }

  async listed(): Promise<boolean> {
    if (!(await this.#listed)) return false
    while (!this.#stopped && this.#queues.some(({ depth }) => depth > 0)) await turn()
    return !this.#stopped
  }

  set(standing: ProfileStatus): void {
    this.#profiles.settle(standing)
  }

  forget(): void {
    // Does nothing: no API server has the status of these policies.
  }

  becameWhole(): void {
    // Does nothing, for the same reason.
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#list(false)
    this.#pause.wake()
    this.#unwatch?.()
    await this.#running
    for (const queue of this.#queues) queue.stop()
  }

  async close(): Promise<void> {
    // Does nothing: `set` has already handled each status.
  }

  async #run(): Promise<void> {
    const before = await this.#options.memory.load()
    // Use the stored policies until the files are checked, and as long as the files cannot be read.
    if (before !== undefined) this.#enforce(before)
    for (let all = true; !this.#stopped; all = await this.#wait()) {
      if (this.#unwatch === undefined) this.#watch()
      const usable = await this.#poll(all).catch((error: unknown) => this.#cannotLook(error))
      if (!usable || this.#stopped) continue
      // Without stored policies, wait until all files are correct: the profiles of a file with a mistake would count as
      // leftovers.
      const isBroken = [...this.#files.values()].some(({ contents }) => 'problems' in contents)
      if (before !== undefined || !isBroken) this.#list(true)
    }
  }

  /** Reports an error of the folder. The policies in force do not change. */
  #cannotLook(error: unknown): false {
    const { logger, folder } = this.#options
    if (error instanceof FolderError) {
      this.#unwatch?.()
      this.#unwatch = undefined
      this.#say([`${error.message}; until this is fixed, the policies in force stay in force`])
    } else {
      this.#say([`cannot read ${folder}: ${messageOf(error)}; retrying; the policies in force stay in force`])
      logTrouble(logger, error, { folder, err: error }, 'cannot read the folder of policies; retrying')
    }
    return false
  }

  /** @returns whether a watch reported a change */
  async #wait(): Promise<boolean> {
    await this.#pause.wait(period)
    const changed = this.#changed
    for (let looks = 0; this.#changed && !this.#stopped && looks < maxSettling; looks++) {
      this.#changed = false
      await this.#pause.wait(settling)
    }
    this.#changed = false
    return changed
  }

  #watch(): void {
    const { files, folder, logger } = this.#options
    const watching = files.watch(() => {
      this.#changed = true
      this.#pause.wake()
    })
    if (typeof watching !== 'string') this.#unwatch = watching
    else {
      this.#unwatch = () => undefined
      logger.warn(
        { folder, reason: watching },
        `cannot watch the folder of policies; polling it every ${period / 1_000} s`,
      )
    }
  }

  /**
   * @param all whether to read unchanged files, too
   * @returns whether the folder was read
   * @throws {FolderError}
   */
  async #poll(all: boolean): Promise<boolean> {
    const { files, memory } = this.#options
    const versions = all ? [] : [...this.#files].filter(([, { again }]) => !again)
    const seen = await files.scan(new Map(versions.map(([name, { version }]) => [name, version])))
    for (const name of this.#files.keys()) if (!seen.has(name)) this.#files.delete(name)
    for (const [name, file] of seen) if (!this.#stopped) await this.#take(name, file)
    if (this.#stopped) return false
    const { policies, problems } = policySet(
      new Map(Array.from(this.#files, ([name, { contents }]) => [join(this.#options.folder, name), contents])),
      this.#inForce ?? new Map(),
    )
    this.#say(problems)
    if (this.#enforce(policies)) this.#isUnsaved = true
    if (this.#isUnsaved) this.#isUnsaved = !(await memory.save(policies))
    return true
  }

  /** @returns whether the policies in force have changed */
  #enforce(policies: ReadonlyMap<string, HeldPolicy>): boolean {
    const isFirst = this.#inForce === undefined
    this.#inForce = policies
    const isOther = this.#profiles.set(policies.values())
    if (isOther || isFirst) this.#options.onChange(policies.values())
    return isOther
  }

  async #take(name: string, file: SeenFile): Promise<void> {
    const known = this.#files.get(name)
    if (file === 'being written') {
      // At the first poll, the previous policies of the file are unknown. The profiles of these policies must stay
      // loaded.
      const problems = [
        `${join(this.#options.folder, name)}: another program is writing this file; it is read again later`,
      ]
      if (known === undefined) this.#files.set(name, { version: '', digest: '', contents: { problems }, again: true })
      this.#changed = true
      this.#pause.wake()
    } else if ('problem' in file) {
      const problems = [`${join(this.#options.folder, name)}: ${file.problem}`]
      this.#files.set(name, { version: file.version, digest: '', contents: { problems }, again: true })
    } else if ('bytes' in file) {
      const digest = hash('sha256', file.bytes)
      if (known !== undefined && known.digest === digest && !known.again) known.version = file.version
      else
        this.#files.set(name, { version: file.version, digest, ...(await this.#contentsOrTrouble(name, file.bytes)) })
    }
  }

  /** Returns the contents of a file, or an error as a problem, so that the check of the other files continues. */
  async #contentsOrTrouble(name: string, bytes: Buffer): Promise<Pick<KnownFile, 'contents' | 'again'>> {
    try {
      return await this.#contentsOf(name, bytes)
    } catch (error) {
      const file = join(this.#options.folder, name)
      const problem = `cannot check ${file}: ${messageOf(error)}; retrying`
      const before = this.#files.get(name)?.contents
      const isSaid = before !== undefined && 'problems' in before && before.problems[0] === problem
      if (!isSaid) logTrouble(this.#options.logger, error, { file, err: error }, 'cannot check a policy file')
      return { contents: { problems: [problem] }, again: true }
    }
  }

  async #contentsOf(name: string, bytes: Buffer): Promise<Pick<KnownFile, 'contents' | 'again'>> {
    const { folder, read, judge, logger } = this.#options
    const file = join(folder, name)
    const found = read(file, bytes)
    const problems = found.problems.slice(0, maxMistakes)
    let more = found.problems.length - problems.length
    const policies: HeldPolicy[] = []
    let again = false
    for (const { value, say } of found.policies) {
      const judged = await judge(value)
      if ('errors' in judged) {
        again ||= judged.passing === true
        const named = judged.errors.slice(0, maxMistakes - problems.length)
        problems.push(...named.map(say))
        more += judged.errors.length - named.length
      } else {
        const policy = { file, document: judged.document }
        policies.push(policy)
        if (judged.notes.length > 0)
          logger.warn({ file, policy: titleOf(policy), leftOut: judged.notes }, 'a policy is only partly enforced')
      }
    }
    if (more > 0) problems.push(`${file}: ${more} more mistakes`)
    return { contents: problems.length > 0 ? { problems } : { policies }, again }
  }

  #say(problems: readonly string[]): void {
    const { logger, folder } = this.#options
    const said = new Set(this.#problems)
    for (const problem of problems)
      if (!said.has(problem)) logger.error({ reason: problem }, 'cannot take a policy from its file')
    if (problems.length === 0 && this.#problems.length > 0) logger.info({ folder }, 'all policies are in force again')
    this.#problems = problems
  }

  #emit(change: Change<ArmorProfile & KubeObject>): void {
    for (const queue of this.#queues) queue.push(change)
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
