import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { allowingAppArmor } from './allow-all.ts'
import { type AppArmorKernel, securityfs } from './apparmor-kernel.ts'
import { type ParserRun, parserError, parserProgram, type RunParser } from './apparmor-parser.ts'
import { type Fingerprints, look, type Sight, sightAfter } from './apparmor-sight.ts'
import { EnforcerError, errnoOf, ioError } from './enforcer-error.ts'
import type { FileSystem } from './file-system.ts'
import { checkName, contentDigest, type ProfileLoader } from './ports.ts'
import { ProfileFolder } from './profile-folder.ts'

export interface AppArmorOptions {
  /** Where profiles are kept, and loaded from at boot. Default /etc/apparmor.d. */
  folder?: string
  /** What the parser made of them before, so that a start need not compile. Default /var/cache/apparmor. */
  cache?: string
  kernel?: AppArmorKernel
  runParser?: RunParser
  fs?: FileSystem
}

/** Whoever waits for what becomes of a profile. */
interface Asked {
  name: string
  resolve(): void
  reject(error: unknown): void
}

interface Load extends Asked {
  content: string
  /** The text is what allows all that the kernel has of this name. */
  frees: boolean
  /** The file to compile. */
  path: string
  /** The file is not in its place yet. */
  staged: boolean
}

interface Loaded {
  digest: string
  fingerprint: string
}

/** The most profiles in one run of the parser: its command line has a bound, and all of them wait for its end. */
const largestBatch = 200

/**
 * Compiles and loads with apparmor_parser. Loads that come while it runs go together into its next run, and so do unloads. A text is compiled
 * beside its place and put there once the kernel has it, so that a refused one leaves file and kernel as they were.
 */
export class AppArmorLoader implements ProfileLoader {
  readonly enforcer = 'AppArmor'
  readonly #files: ProfileFolder
  readonly #kernel: AppArmorKernel
  readonly #run: RunParser
  readonly #cache: string
  /** What the kernel showed right after each load by this process. */
  readonly #loaded = new Map<string, Loaded>()
  readonly #waiting: Load[] = []
  readonly #leaving: Asked[] = []
  /** What was asked for last of each profile, until it is done. */
  readonly #last = new Map<string, Promise<unknown>>()
  #turn: Promise<void> = Promise.resolve()

  constructor({ folder = '/etc/apparmor.d', cache = '/var/cache/apparmor', ...options }: AppArmorOptions = {}) {
    const { kernel = securityfs(), runParser = parserProgram(), fs } = options
    this.#files = new ProfileFolder(folder, { ...(fs !== undefined && { fs }) })
    this.#kernel = kernel
    this.#run = runParser
    this.#cache = cache
  }

  /** Why apparmor_parser cannot be used; undefined if it can. */
  async parserAbsent(): Promise<string | undefined> {
    const { status, stderr } = await this.#run(['--version'])
    return status === 0 ? undefined : `apparmor_parser cannot be run: ${stderr.trim() || `exit status ${status}`}`
  }

  /** Removes what a crash left behind. Call it once, before all else. */
  start(): Promise<void> {
    return this.#files.removeStaged()
  }

  async load(name: string, content: string): Promise<void> {
    checkName('load the AppArmor profile', name)
    await this.#enqueue({ name, content, frees: false })
  }

  async unload(name: string): Promise<void> {
    checkName('unload the AppArmor profile', name)
    const leave = () =>
      new Promise<void>((resolve, reject) => {
        const first = this.#leaving.push({ name, resolve, reject }) === 1
        if (first) this.#next(this.#leaving, (batch) => this.#unloadBatch(batch))
      })
    await this.#inOrder(name, leave)
  }

  async free(name: string): Promise<string> {
    checkName('free the AppArmor profile', name)
    return contentDigest(await this.#enqueue({ name, content: '', frees: true }))
  }

  async list(): Promise<Map<string, string>> {
    const [loaded, files] = [await this.#kernel.fingerprints(), await this.#files.list()]
    const found = new Map<string, string>()
    for (const name of new Set([...loaded.keys(), ...files.keys()])) {
      const known = this.#loaded.get(name)
      const intact = known !== undefined && loaded.get(name) === known.fingerprint && files.get(name) === known.digest
      found.set(name, intact ? known.digest : '')
    }
    return found
  }

  /** The parser locks its cache for itself only, and an unload between stage and commit would leave the file: one thing at a time. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => undefined)
    return done
  }

  /** Resolves to what was loaded. */
  #enqueue(asked: Pick<Load, 'name' | 'content' | 'frees'>): Promise<string> {
    const wait = () =>
      new Promise<string>((resolve, reject) => {
        const load: Load = { ...asked, path: '', staged: false, resolve: () => resolve(load.content), reject }
        const first = this.#waiting.push(load) === 1
        if (first) this.#next(this.#waiting, (batch) => this.#loadBatch(batch))
      })
    return this.#inOrder(asked.name, wait)
  }

  /** Of what is asked for of one profile, the last holds. */
  async #inOrder<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name)
    const done = before === undefined ? work() : before.then(work, work)
    this.#last.set(name, done)
    try {
      return await done
    } finally {
      if (this.#last.get(name) === done) this.#last.delete(name)
    }
  }

  /** What waits by then goes in one batch, or in as many as it takes. */
  #next<T>(queue: T[], work: (batch: T[]) => Promise<void>): void {
    void this.#inTurn(async () => {
      const batch = queue.splice(0, largestBatch)
      if (queue.length > 0) this.#next(queue, work)
      await work(batch)
    })
  }

  async #loadBatch(batch: readonly Load[]): Promise<void> {
    try {
      const before = await look(this.#kernel)
      for (const load of batch.filter(({ frees }) => frees)) {
        // A child that a new text does not have stays as it is, with whoever runs in it.
        load.content = allowingAppArmor(load.name, childrenOf(load.name, before.fingerprints))
      }
      const ready = await this.#prepare(batch)
      const toStage = ready.filter(({ staged }) => staged)
      const accepted: Load[] = []
      for (const load of await this.#compile(ready.filter(({ staged }) => !staged)))
        await each(load, async () => {
          const changed = await this.#restage(load)
          ;(changed ? toStage : accepted).push(load)
        })
      await this.#finish([...accepted, ...(await this.#compile(toStage))], before)
    } catch (error) {
      // Those that were answered already take no notice.
      for (const load of batch) load.reject(error)
    }
  }

  async #prepare(batch: readonly Load[]): Promise<Load[]> {
    const ready: Load[] = []
    for (const load of batch)
      await each(load, async () => {
        load.staged = (await this.#files.read(load.name)) !== load.content
        load.path = load.staged ? await this.#files.stage(load.name, load.content) : this.#files.pathOf(load.name)
        ready.push(load)
      })
    return ready
  }

  /** One run for all; where it fails, one for each half, down to the profiles that are at fault. @returns those that the kernel took */
  async #compile(loads: readonly Load[]): Promise<readonly Load[]> {
    const [first] = loads
    if (first === undefined) return []
    const run = await this.#parse(loads, first.staged)
    if (run.status === 0) return loads
    const parts = loads.length > 1 ? partsAfter(run, loads) : []
    if (parts.length > 0) {
      const taken: Load[] = []
      for (const part of parts) taken.push(...(await this.#compile(part)))
      return taken
    }
    const accepted: Load[] = []
    for (const load of loads)
      await each(load, async () => {
        if (await this.#restage(load)) {
          accepted.push(...(await this.#compile([load])))
          return
        }
        if (load.staged) await this.#files.discard(load.name)
        throw parserError('load the AppArmor profile', load.name, run)
      })
    return accepted
  }

  #parse(loads: readonly Load[], staged: boolean): Promise<ParserRun> {
    // A new text may have an older time than what the cache made of the last one, when the clock was set back.
    const useCache = staged ? ['--skip-read-cache'] : []
    // Without jobs it does not fork, so that what it takes has one bound and it is ended as a whole.
    const options = ['--jobs=0', '--replace', '--write-cache', ...useCache, '--cache-loc', this.#cache]
    return this.#run([...options, ...loads.map(({ path }) => path)])
  }

  /**
   * Stages the text of a file in its place that somebody has removed or changed since it was read: what the parser has said or
   * loaded is not about our text.
   * @returns whether that was so
   */
  async #restage(load: Load): Promise<boolean> {
    if (load.staged || (await this.#files.read(load.name)) === load.content) return false
    load.path = await this.#files.stage(load.name, load.content)
    load.staged = true
    return true
  }

  async #finish(accepted: readonly Load[], before: Sight): Promise<void> {
    if (accepted.length === 0) return
    const { fingerprints, ours } = await sightAfter({
      ...{ kernel: this.#kernel, before, names: accepted.map(({ name }) => name) },
      mayBeThere: accepted.some((load) => this.#mayBeThere(load, before.fingerprints)),
      again: async () => {
        for (const staged of [true, false]) {
          const loads = accepted.filter((load) => load.staged === staged)
          if (loads.length > 0) await this.#parse(loads, staged)
        }
      },
    })
    for (const load of accepted)
      await each(load, async () => {
        const { name, content, staged } = load
        const fingerprint = fingerprints.get(name)
        if (fingerprint === undefined && ours) {
          if (staged) await this.#files.discard(name)
          const reason = `after a load without an error the kernel has no profile of this name; the text names another one`
          throw new EnforcerError('PROFILE_REJECTED', 'load the AppArmor profile', { profile: name, reason })
        }
        if (staged) await this.#files.commit(name)
        if (fingerprint !== undefined && ours) this.#loaded.set(name, { digest: contentDigest(content), fingerprint })
        // It is listed as not what it should be, and loaded once more.
        else this.#loaded.delete(name)
        load.resolve()
      })
  }

  /** Whether the kernel may have held the text before it was loaded. */
  #mayBeThere({ name, content }: Load, before: Fingerprints): boolean {
    const there = before.get(name)
    const known = this.#loaded.get(name)
    if (there === undefined) return false
    return known?.fingerprint !== there || known.digest === contentDigest(content)
  }

  /** The file last: after a crash in between it shows that something is left to remove. */
  async #unloadBatch(batch: readonly Asked[]): Promise<void> {
    try {
      const loaded = await this.#kernel.fingerprints()
      const left = await this.#removeFromKernel(batch.map(({ name }) => name).filter((name) => loaded.has(name)))
      for (const one of batch)
        await each(one, async () => {
          const { name } = one
          const failed = left.get(name)
          if (failed !== undefined) throw parserError('unload the AppArmor profile', name, failed)
          this.#loaded.delete(name)
          await this.#uncache(name)
          await this.#files.remove(name)
          one.resolve()
        })
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  /**
   * One run for all. The parser ends at the first that fails: where that had gone already, those after it get another run.
   * @returns how it failed of those that are still there
   */
  async #removeFromKernel(names: readonly string[]): Promise<Map<string, ParserRun>> {
    if (names.length === 0) return new Map()
    // By texts of ours: what the files say now need not be what they said when they were loaded.
    const run = await this.#run(['--remove'], names.map((name) => `profile ${name} {\n}\n`).join(''))
    if (run.status === 0) return new Map()
    const loaded = await this.#kernel.fingerprints()
    const left = names.filter((name) => loaded.has(name))
    if (run.status !== undefined && left.length < names.length) return this.#removeFromKernel(left)
    return new Map(left.map((name) => [name, run]))
  }

  /** The cache has a folder for each set of kernel features, with a file called as the profile's. */
  async #uncache(name: string): Promise<void> {
    try {
      for (const entry of await readdir(this.#cache, { withFileTypes: true }))
        if (entry.isDirectory()) await rm(join(this.#cache, entry.name, name), { force: true })
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw ioError('remove the compiled AppArmor profile', this.#cache, error)
    }
  }
}

/** Halves, to find the one at fault; what one of them costs is not taken from others, so each is alone then. It is the node that has no time. */
function partsAfter({ status, costly }: ParserRun, loads: readonly Load[]): (readonly Load[])[] {
  if (costly === 'time') return []
  if (costly !== undefined) return loads.map((load) => [load])
  const half = loads.length >> 1
  return status === undefined ? [] : [loads.slice(0, half), loads.slice(half)]
}

/** Names of the loaded children, as `AppArmorKernel.fingerprints` has them. */
function childrenOf(name: string, fingerprints: ReadonlyMap<string, string>): string[] {
  const lines = (fingerprints.get(name) ?? '').split('\n').filter((line) => line.startsWith(`${name}//`))
  return lines.flatMap((line) => /^([A-Za-z0-9][\w.-]*) [a-z]+$/.exec(line.slice(name.length + 2))?.[1] ?? [])
}

/** What goes wrong with one profile is reported to whoever asked for it; the others go on. */
async function each(load: Asked, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    load.reject(error)
  }
}
