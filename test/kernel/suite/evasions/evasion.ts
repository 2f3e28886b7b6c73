import { expect } from 'chai'
import { output } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import type { Answer } from '../contained-shell.ts'
import type { Command, ContainerOptions } from '../harness/container.ts'
import { ConfinedContainer } from './confine.ts'
import type { LimitName } from './limits.ts'
import { type Enforcers, equipped, laidOut, type PolicyFor } from './world.ts'

const denied = [
  /permission denied|mount: \S+: (?:bind .+ failed|cannot mount .+ read-only)\./i,
  /operation not permitted|mount: \S+: (?:permission denied|mount point is not a directory)|failed to map segment|must be superuser to unmount/i,
] as const

/**
 * How a program reports a refusal: with the text of strerror(3). On EACCES, mount(8) assumes a write-protected device,
 * tries again read-only, and reports another error; on EPERM it also prints another text. The dynamic loader does not
 * report why it could not map a program.
 */
const refusals = {
  EACCES: denied[0],
  EPERM: denied[1],
  'EACCES or EPERM': new RegExp(`${denied[0].source}|${denied[1].source}`, 'i'),
  EBADF: /bad file descriptor/i,
  EINVAL: /invalid argument/i,
  ENAMETOOLONG: /file name too long/i,
  ENOSYS: /function not implemented/i,
}

type Errno = keyof typeof refusals

/** The outcome of an attack. */
interface Outcome {
  /** The errno of the refusal; default: the enforcer's errno, EACCES for AppArmor and EPERM for BPF. */
  errno?: Errno
  /** The attack gets through; this known limit gives the reason. */
  limit?: LimitName
  /** The reason why this kernel cannot show the outcome. */
  skip?: string | undefined
}

/** One way around a rule. */
export interface Evasion extends Outcome {
  way: string
  /** Runs unconfined before the attack, on fresh files. */
  prepare?: Command
  attack: Command
  /** The output of a successful attack, if it differs from the table's `gain`. */
  gain?: string
  /** Runs unconfined, after the attack. */
  undo?: Command
  /** The outcome with BPF; default: refused, even if the attack is a limit of AppArmor. */
  onBpf?: Outcome
}

export interface Confinement {
  /** A policy in the form that a user writes. */
  policy: PolicyFor
  container?: Pick<ContainerOptions, 'flags'>
  /**
   * The container also starts with the policy's Seccomp filter, which it cannot lose. Another table must show that the
   * attacks get through without the filter.
   */
  filtered?: boolean
  /** The output of the table's successful attacks. */
  gain: string
}

export interface EvasionTable extends Confinement {
  title: string
  evasions: readonly Evasion[]
}

export const table = (title: string, confinement: Confinement, evasions: readonly Evasion[]): EvasionTable => ({
  title,
  ...confinement,
  evasions,
})

/**
 * The outcome with both enforcers: an attack is refused if either enforcer refuses it. AppArmor's hooks run first, but
 * some of BPF's hooks run before AppArmor's check.
 */
function outcomeOn(
  enforcers: Enforcers,
  { errno = 'EACCES', limit, skip, onBpf = {} }: Evasion,
): Outcome & { errno: Errno } {
  if (enforcers === 'AppArmor') return { errno, ...(limit && { limit }), skip }
  const usual = enforcers === 'AppArmorBPF' ? 'EACCES or EPERM' : 'EPERM'
  const either = errno === 'EACCES' ? usual : errno
  if (enforcers === 'AppArmorBPF' && limit === undefined) return { errno: either, skip }
  return { skip, ...onBpf, errno: onBpf.errno ?? either }
}

export interface Run {
  enforcers: Enforcers
  /** Also run each attack unconfined, to show that it gets through and that only the enforcer refuses it. */
  free: boolean
}

let containers = 0

/** The slowest attack takes half a minute in an emulated guest. */
const testMaxMs = 120_000

/**
 * Tests attacks against a policy, each table in one container. Confined, an attack is refused, or gets through as its
 * limit states; unconfined, it gets through.
 */
export function describeEvasions(given: EvasionTable, { enforcers, free }: Run): void {
  const { title, container: { flags = [] } = {}, filtered = false } = given
  describe(`${title} (${enforcers})`, function () {
    let container: ConfinedContainer
    /** The attack that did not end in time; the container runs no other attack after it. */
    let stuck: string | undefined

    this.timeout(testMaxMs)
    before(async function () {
      this.timeout(600_000)
      await output('containerd-up', [])
      const options = { image: debianImage, flags, filtered, policy: given.policy(enforcers) }
      container = await ConfinedContainer.start(`evasions-${containers++}`, options)
      await unconfined(equipped)
      await container.load()
      await container.confine(false)
    })
    afterEach(function () {
      if (this.currentTest?.timedOut) stuck ??= this.currentTest.title
    })
    after(async () => {
      if (stuck === undefined) await container?.stop()
    })

    async function unconfined(command: Command): Promise<void> {
      const { status, text } = await container.run(command)
      expect(status, text).to.equal(0)
    }

    /** Uses one command if possible, because starting programs takes most of a test's time. */
    async function layOut({ prepare }: Evasion): Promise<void> {
      await unconfined(typeof prepare === 'string' ? `${laidOut} && { ${prepare}; }` : laidOut)
      if (typeof prepare === 'object') await unconfined(prepare)
    }

    async function attempt(evasion: Evasion, confined: boolean): Promise<Answer> {
      await layOut(evasion)
      const answer = await (confined ? container.runConfined(evasion.attack) : container.run(evasion.attack))
      if (evasion.undo !== undefined) await unconfined(evasion.undo)
      return answer
    }

    for (const evasion of given.evasions) {
      const { limit, errno, skip } = outcomeOn(enforcers, evasion)
      const { way, gain = given.gain } = evasion
      const outcome = limit === undefined ? 'refused' : `gets through (limit: ${limit})`
      it(`${way}: ${skip ?? outcome}`, async function () {
        if (skip !== undefined) this.skip()
        if (stuck !== undefined) throw new Error(`the container has not ended "${stuck}"`)
        const { status, text } = await attempt(evasion, true)
        const said = `it said ${JSON.stringify(text)}`
        if (limit !== undefined) {
          expect(text, said).to.contain(gain)
          return
        }
        expect(text, said).to.match(refusals[errno])
        expect(text, said).not.to.contain(gain)
        expect(status, said).not.to.equal(0)
        if (filtered || !free) return
        const { text: unrefused } = await attempt(evasion, false)
        expect(unrefused, 'unconfined').to.contain(gain)
      })
    }
  })
}
