import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, systemClock } from '../base/clock.ts'
import { RecentMap } from '../base/recent-map.ts'
import { allowingAppArmor } from './allow-all.ts'
import { type AppArmorKernel, securityfs } from './apparmor-kernel.ts'
import { type ParserRun, parserError, parserProgram, type RunParser } from './apparmor-parser.ts'
import { type Fingerprints, readSight, type Sight, sightAfter } from './apparmor-sight.ts'
import { EnforcerError, errnoOf, ioError } from './enforcer-error.ts'
import type { FileSystem } from './file-system.ts'
import { checkName, contentDigest, type ProfileLoader } from './ports.ts'
import { ProfileFolder } from './profile-folder.ts'

export interface AppArmorOptions {
  /** Folder of profiles. The system also loads the profiles in it at boot. Default /etc/apparmor.d. */
  folder?: string
  /**
   * The parser's cache of compiled profiles. With it, a restarted agent does not compile them again. Default
   * /var/cache/apparmor.
   */
  cache?: string
  kernel?: AppArmorKernel
  runParser?: RunParser
  fs?: FileSystem
  clock?: Clock
}

/** A caller that waits for the result of a profile. */
interface Asked {
  name: string
  resolve(): void
  reject(error: unknown): void
}

interface Load extends Asked {
  content: string
  /** Owner of the profile. */
  tenant: string
  /** Whether to load a text that allows everything, with the children of the loaded profile. */
  frees: boolean
  /** The file to compile. */
  path: string
  /** Whether the file is not at its final path yet. */
  staged: boolean
}

interface Loaded {
  digest: string
  fingerprint: string
}

/** A text that cost too much, or that shared a run with such a text. It is compiled alone, after all other texts. */
interface Suspect {
  run: ParserRun
  /** Milliseconds until the text is tried again. */
  wait: number
  until: number
}

interface Leave extends Asked {
  needed: (() => Promise<boolean>) | undefined
}

/** Work that waits for a turn. A turn is usually one run of the parser. */
interface Lane<T> {
  waiting: T[]
  /** Removes the work for one turn. */
  take(waiting: T[]): T[]
  work(batch: readonly T[]): Promise<void>
  /** Lanes with priority: while they have work, this lane waits for up to `maxLeft` turns. */
  behind?: readonly { waiting: readonly unknown[] }[]
  /** Number of turns in a row for which this lane has waited. */
  left?: number
}

/**
 * Maximum profiles in one run of the parser. Its command line has a limit, and all these profiles wait for the end of
 * the run.
 */
const largestBatch = 200

/**
 * Maximum new texts in one run, and maximum characters of these texts. They share the run's CPU limit, and a single
 * text may use all of it.
 */
const maxNew = 32
const maxCharacters = 100_000

/**
 * Maximum waiting suspects of a tenant. A caller waits for each suspect, and a node has at most 64 callers at a time.
 */
const maxSuspects = 32
/**
 * Maximum turns in a row for which a suspect waits. Without this limit it could wait for ever, because new texts may
 * arrive in each turn.
 */
const maxLeft = 4
const suspectsKnown = 1_000

/**
 * Milliseconds until a costly text is tried again: the first delay, and the longest delay. Each try costs the same
 * again.
 */
const firstWait = 600_000
const maxWait = 86_400_000

/**
 * Loads profiles with apparmor_parser. Loads and unloads that arrive during a run share the next run. A text is
 * compiled from a staged file, which gets its final name when the kernel has the text. Tenants take turns, and a run
 * has costly texts of only one tenant. So a tenant's costly texts do not delay other tenants.
 */
export class AppArmorLoader implements ProfileLoader {
  readonly enforcer = 'AppArmor'
  readonly #files: ProfileFolder
  readonly #kernel: AppArmorKernel
  readonly #run: RunParser
  readonly #cache: string
  /** The kernel's state right after each load by this process. */
  readonly #loaded = new Map<string, Loaded>()
  /** Suspects, by digest of their text. */
  readonly #suspects = new RecentMap<string, Suspect>(suspectsKnown)
  readonly #clock: Clock
  readonly #leaving: Lane<Leave> = {
    waiting: [],
    take: (waiting) => waiting.splice(0, largestBatch),
    work: (batch) => this.#unloadBatch(batch),
  }
  readonly #waiting: Lane<Load> = {
    waiting: [],
    take: (waiting) => waiting.splice(0, largestBatch),
    work: (batch) => this.#prepare(batch),
  }
  /** New texts in staged files. */
  readonly #staged: Lane<Load> = {
    waiting: [],
    take: (waiting) => ofOneTenant(waiting, newTexts),
    work: (batch) => this.#loadTogether(batch),
  }
  readonly #alone: Lane<Load> = {
    waiting: [],
    take: (waiting) => ofOneTenant(waiting, () => 1),
    work: (batch) => this.#loadTogether(batch),
    behind: [this.#leaving, this.#waiting, this.#staged],
  }
  /** The last request for each profile, until it is done. */
  readonly #last = new Map<string, Promise<unknown>>()
  #turn: Promise<void> = Promise.resolve()

  constructor({ folder = '/etc/apparmor.d', cache = '/var/cache/apparmor', ...options }: AppArmorOptions = {}) {
    const { kernel = securityfs(), runParser = parserProgram(), fs, clock = systemClock } = options
    this.#files = new ProfileFolder(folder, { ...(fs !== undefined && { fs }) })
    this.#kernel = kernel
    this.#run = runParser
    this.#cache = cache
    this.#clock = clock
  }

  /** Why apparmor_parser cannot be used; undefined if it can. */
  async parserAbsent(): Promise<string | undefined> {
    const { status, stderr } = await this.#run(['--version'])
    return status === 0 ? undefined : `cannot run apparmor_parser: ${stderr.trim() || `exit status ${status}`}`
  }

  /** Removes leftovers of a crash. Call it once, before any other method. */
  start(): Promise<void> {
    return this.#files.removeStaged()
  }

  async load(name: string, content: string, tenant = ''): Promise<void> {
    checkName('load the AppArmor profile', name)
    const known = this.#suspects.get(contentDigest(content))
    if (known !== undefined && this.#clock.now() < known.until)
      throw parserError('load the AppArmor profile', name, known.run)
    await this.#enqueue({ name, content, tenant, frees: false })
  }

  async unload(name: string, needed?: () => Promise<boolean>): Promise<void> {
    checkName('unload the AppArmor profile', name)
    const leave = () =>
      new Promise<void>((resolve, reject) => {
        this.#push(this.#leaving, { name, needed, resolve, reject })
      })
    await this.#inOrder(name, leave)
  }

  async free(name: string): Promise<string> {
    checkName('free the AppArmor profile', name)
    return contentDigest(await this.#enqueue({ name, content: '', tenant: '', frees: true }))
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

  /**
   * Runs one job at a time. The parser's lock protects only its cache, and an unload between stage and commit would
   * leave the file.
   */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => undefined)
    return done
  }

  /** Resolves with the text that was loaded. */
  #enqueue(asked: Pick<Load, 'name' | 'content' | 'tenant' | 'frees'>): Promise<string> {
    const wait = () =>
      new Promise<string>((resolve, reject) => {
        const load: Load = { ...asked, path: '', staged: false, resolve: () => resolve(load.content), reject }
        this.#push(this.#waiting, load)
      })
    return this.#inOrder(asked.name, wait)
  }

  /** Runs the requests for a profile in order, so the last request decides. */
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

  #push<T>(lane: Lane<T>, item: T): void {
    if (lane.waiting.push(item) === 1) this.#next(lane)
  }

  /** Schedules turns for the lane's work. Other lanes may have turns in between. */
  #next<T>(lane: Lane<T>): void {
    void this.#inTurn(async () => {
      const { left = 0 } = lane
      if (left < maxLeft && lane.behind?.some(({ waiting }) => waiting.length > 0)) {
        lane.left = left + 1
        this.#next(lane)
        return
      }
      lane.left = 0
      const batch = lane.take(lane.waiting)
      if (lane.waiting.length > 0) this.#next(lane)
      await lane.work(batch)
    })
  }

  /** Loads unchanged files from the cache, all in one run. New texts are compiled in separate runs. */
  async #prepare(batch: readonly Load[]): Promise<void> {
    const inPlace: Load[] = []
    let loaded: Promise<Fingerprints> | undefined
    for (const load of batch)
      await each(load, async () => {
        const { name, frees } = load
        if (frees) {
          loaded ??= this.#kernel.fingerprints()
          // If the new text lacks a child profile, that child stays loaded, and processes stay confined by it.
          load.content = allowingAppArmor(name, childrenOf(name, await loaded))
        }
        load.staged = (await this.#files.read(name)) !== load.content
        load.path = load.staged ? await this.#files.stage(name, load.content) : this.#files.pathOf(name)
        if (load.staged || this.#isSuspect(load)) await this.#putOff(load)
        else inPlace.push(load)
      })
    await this.#loadTogether(inPlace)
  }

  #isSuspect({ content }: Load): boolean {
    return this.#suspects.get(contentDigest(content)) !== undefined
  }

  /** Compiles the text in another turn: together with other new texts or, if it may be costly, alone and after them. */
  async #putOff(load: Load): Promise<void> {
    if (!this.#isSuspect(load)) return this.#push(this.#staged, load)
    const { name, tenant, staged } = load
    const waiting = this.#alone.waiting.filter((one) => one.tenant === tenant)
    if (waiting.length < maxSuspects) return this.#push(this.#alone, load)
    if (staged) await this.#files.discard(name)
    const reason = 'queued behind other slow profiles of this namespace; will retry'
    throw new EnforcerError('PARSER_FAILED', 'load the AppArmor profile', { profile: name, reason })
  }

  async #loadTogether(loads: readonly Load[]): Promise<void> {
    const later = new Set<Load>()
    try {
      const before = await readSight(this.#kernel)
      await this.#finish(await this.#compile(loads, later), before)
    } catch (error) {
      // A load that already has its result ignores this error.
      for (const load of loads) if (!later.has(load)) load.reject(error)
    }
    for (const load of later) await each(load, () => this.#putOff(load))
  }

  /**
   * Runs the parser once for all loads. If the parser refuses a text, runs it for each half of the loads, until the bad
   * texts are found.
   * @param later receives the loads that need another turn
   * @returns loads that the kernel accepted
   */
  async #compile(loads: readonly Load[], later: Set<Load>): Promise<readonly Load[]> {
    if (loads.length === 0) return []
    const run = await this.#parse(loads)
    if (run.costly !== undefined && loads.length > 1) {
      // The run does not show which text was costly.
      for (const load of loads) {
        this.#suspect(load, run, 0)
        later.add(load)
      }
      return []
    }
    if (run.status !== undefined && run.status !== 0 && loads.length > 1) {
      const half = loads.length >> 1
      return [...(await this.#compile(loads.slice(0, half), later)), ...(await this.#compile(loads.slice(half), later))]
    }
    const accepted: Load[] = []
    for (const load of loads)
      await each(load, async () => {
        if (await this.#restage(load)) later.add(load)
        else if (run.status === 0) accepted.push(load)
        else await this.#refuse(load, run)
      })
    return accepted
  }

  async #refuse(load: Load, run: ParserRun): Promise<never> {
    const { name, content, staged } = load
    if (staged) await this.#files.discard(name)
    const { wait = 0 } = this.#suspects.get(contentDigest(content)) ?? {}
    // After a timeout, retry at once, because the text need not be costly.
    const next = run.costly === 'time' ? 0 : Math.min(maxWait, Math.max(firstWait, wait * 2))
    if (run.costly !== undefined) this.#suspect(load, run, next)
    throw parserError('load the AppArmor profile', name, run)
  }

  #suspect({ content }: Load, run: ParserRun, wait: number): void {
    this.#suspects.set(contentDigest(content), { run, wait, until: this.#clock.now() + wait })
  }

  #parse(loads: readonly Load[]): Promise<ParserRun> {
    // Do not read the cache for new texts. If the clock was set back, a new text may have an earlier time than the
    // cached result of the previous text.
    const useCache = loads.some(({ staged }) => staged) ? ['--skip-read-cache'] : []
    // Without jobs the parser does not fork, so the limits cover everything that it does, and a signal ends it.
    const options = ['--jobs=0', '--replace', '--write-cache', ...useCache, '--cache-loc', this.#cache]
    const bytes = loads.reduce((sum, { content }) => sum + content.length, 0)
    return this.#run([...options, ...loads.map(({ path }) => path)], '', bytes)
  }

  /**
   * Stages our text again if another process has removed or changed the file since we read it. The parser then compiled
   * another text.
   * @returns whether the file had changed
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
      again: async () => void (await this.#parse(accepted)),
    })
    for (const load of accepted)
      await each(load, async () => {
        const { name, content, staged } = load
        const fingerprint = fingerprints.get(name)
        if (fingerprint === undefined && ours) {
          if (staged) await this.#files.discard(name)
          const reason = `the load succeeded, but the kernel has no profile of this name: the text names another profile`
          throw new EnforcerError('PROFILE_REJECTED', 'load the AppArmor profile', { profile: name, reason })
        }
        if (staged) await this.#files.commit(name)
        const digest = contentDigest(content)
        this.#suspects.delete(digest)
        if (fingerprint !== undefined && ours) this.#loaded.set(name, { digest, fingerprint })
        // Without this entry, the next check of the loaded profiles finds a difference and loads the profile again.
        else this.#loaded.delete(name)
        load.resolve()
      })
  }

  /** Whether the kernel may have had the text before this load. */
  #mayBeThere({ name, content }: Load, before: Fingerprints): boolean {
    const there = before.get(name)
    const known = this.#loaded.get(name)
    if (there === undefined) return false
    return known?.fingerprint !== there || known.digest === contentDigest(content)
  }

  /**
   * Unloads profiles. Removes the file last, so that after a crash the file shows that the profile must still be
   * removed.
   */
  async #unloadBatch(batch: readonly Leave[]): Promise<void> {
    try {
      const going: Leave[] = []
      const ask = (one: Leave) =>
        each(one, async () => {
          const { name: profile } = one
          if (await one.needed?.()) throw new EnforcerError('IN_USE', 'unload the AppArmor profile', { profile })
          going.push(one)
        })
      await Promise.all(batch.map(ask))
      const loaded = await this.#kernel.fingerprints()
      const left = await this.#removeFromKernel(going.map(({ name }) => name).filter((name) => loaded.has(name)))
      for (const one of going)
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
   * Unloads all profiles in one run. The parser stops at the first failure. If it fails because a profile is already
   * gone, another run unloads the rest.
   * @returns how the run failed, for each profile that is still loaded
   */
  async #removeFromKernel(names: readonly string[]): Promise<Map<string, ParserRun>> {
    if (names.length === 0) return new Map()
    // Unload by name, with empty profiles, because the files may have changed since they were loaded.
    const run = await this.#run(['--remove'], names.map((name) => `profile ${name} {\n}\n`).join(''))
    if (run.status === 0) return new Map()
    const loaded = await this.#kernel.fingerprints()
    const left = names.filter((name) => loaded.has(name))
    if (run.status !== undefined && left.length < names.length) return this.#removeFromKernel(left)
    return new Map(left.map((name) => [name, run]))
  }

  /**
   * Removes a profile's results from the cache. The cache has a folder for each set of kernel features. Each folder has
   * a file with the profile's name.
   */
  async #uncache(name: string): Promise<void> {
    try {
      for (const entry of await readdir(this.#cache, { withFileTypes: true }))
        if (entry.isDirectory()) await rm(join(this.#cache, entry.name, name), { force: true })
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw ioError('remove the compiled AppArmor profile', this.#cache, error)
    }
  }
}

/** Takes out the next loads of the first tenant. Its other loads move behind the loads of other tenants. */
function ofOneTenant(waiting: Load[], max: (own: readonly Load[]) => number): Load[] {
  const [first] = waiting
  const own = waiting.filter(({ tenant }) => tenant === first?.tenant)
  const others = waiting.filter(({ tenant }) => tenant !== first?.tenant)
  const batch = own.splice(0, max(own))
  waiting.splice(0, waiting.length, ...others, ...own)
  return batch
}

/** Number of the new texts that fit into one run. */
function newTexts(loads: readonly Load[]): number {
  let characters = 0
  for (const [i, { content }] of loads.entries()) {
    characters += content.length
    if (i > 0 && (characters > maxCharacters || i === maxNew)) return i
  }
  return loads.length
}

/** Names of the loaded children, in the format of `AppArmorKernel.fingerprints`. */
function childrenOf(name: string, fingerprints: ReadonlyMap<string, string>): string[] {
  const lines = (fingerprints.get(name) ?? '').split('\n').filter((line) => line.startsWith(`${name}//`))
  return lines.flatMap((line) => /^([A-Za-z0-9][\w.-]*) [a-z]+$/.exec(line.slice(name.length + 2))?.[1] ?? [])
}

/** Does the work for a profile. Reports a failure only to the profile's caller, so that other profiles continue. */
async function each(load: Asked, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    load.reject(error)
  }
}
