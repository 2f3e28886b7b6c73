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
 * How a program says why it was refused: what strerror(3) says. mount(8) takes EACCES for a device that cannot be
 * written, tries again without, and then says that it cannot do that either; of EPERM it says something else. The
 * dynamic loader does not say why it could not map a program.
 */
const refusals = {
  EACCES: denied[0],
  EPERM: denied[1],
  'EACCES or EPERM': new RegExp(`${denied[0].source}|${denied[1].source}`, 'i'),
  ENAMETOOLONG: /file name too long/i,
  ENOSYS: /function not implemented/i,
}

type Errno = keyof typeof refusals

/** The outcome of an attack. */
interface Outcome {
  /** The errno by which it is refused; that of the enforcer when left out: EACCES of AppArmor, EPERM of BPF. */
  errno?: Errno
  /** It gets through: the limit that says why. */
  limit?: LimitName
  /** Why this kernel cannot show it. */
  skip?: string | undefined
}

/** One way round a rule. */
export interface Evasion extends Outcome {
  way: string
  /** Unconfined, before the attack, in the world as it was laid out. */
  prepare?: Command
  attack: Command
  /** The output of an attack that gets through, if it differs from the table's `gain`. */
  gain?: string
  /** Unconfined, afterwards. */
  undo?: Command
  /** The outcome on BPF; default: refused, even if the attack is a limit of AppArmor. */
  onBpf?: Outcome
}

export interface Confinement {
  /** A policy as a user writes it. */
  policy: PolicyFor
  container?: Pick<ContainerOptions, 'flags'>
  /**
   * The container starts with the filter of the policy too, for good: it has to be another table that shows how the
   * attacks get through without it.
   */
  filtered?: boolean
  /** The output of the table's attacks that get through. */
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
 * Together, what either refuses is refused: AppArmor's hooks come first, but BPF asks at some where AppArmor asks
 * later.
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
  /** Whether it is shown of each attack, too, that it gets through unconfined, so that nothing else has refused it. */
  free: boolean
}

let containers = 0

/** The slowest attack takes half a minute where guests are emulated. */
const testMaxMs = 120_000

/**
 * Tests ways round a policy, each in one container: confined, it is refused, or it gets through as the limit says;
 * unconfined it gets through.
 */
export function describeEvasions(given: EvasionTable, { enforcers, free }: Run): void {
  const { title, container: { flags = [] } = {}, filtered = false } = given
  describe(`${title} (${enforcers})`, function () {
    let container: ConfinedContainer
    /** The attack that has not ended in time: the container runs no other. */
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

    /** One command where it can be: most of a test's time goes into starting programs. */
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
