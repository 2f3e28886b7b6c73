import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Job, Pace, sideBySide, untilVariable } from '../cluster/jobs.ts'

const root = join(import.meta.dirname, '..', '..')

/**
 * Runs jobs one after another.
 * @returns the jobs that ran, and the output about the skipped jobs
 */
async function run(jobs: [name: string, seconds: number, passes?: boolean][], until: number | undefined) {
  const ran: string[] = []
  const made = jobs.map(([name, seconds, passes = true]): Job => {
    const note = async (): Promise<boolean> => ran.push(name) > 0 && passes
    return { name, seconds, run: note }
  })
  const { result, printed } = await quietly(() => sideBySide(made, 1, until))
  return { passed: result, ran, skipped: printed.filter((line) => line.includes(' skipped: ')) }
}

/**
 * Runs `act` without its console output.
 * @returns its result and the lines that it printed
 */
async function quietly<T>(act: () => Promise<T>): Promise<{ result: T; printed: string[] }> {
  const printed: string[] = []
  const { log } = console
  console.log = (text: string) => printed.push(...text.split('\n'))
  try {
    return { result: await act(), printed }
  } finally {
    console.log = log
  }
}

describe('jobs of a tier', () => {
  it('are done longest first, and fail as a whole when one does', async () => {
    const all = await run(
      [
        ['short', 10],
        ['long', 20, false],
      ],
      undefined,
    )
    expect(all).to.deep.equal({ passed: false, ran: ['long', 'short'], skipped: [] })
  })

  it('have the places that they take, and no more at a time than there are', async () => {
    const running = new Set<string>()
    const beside: Record<string, string[]> = {}
    let bothRun = (): void => undefined
    const both = new Promise<void>((resolve) => {
      bothRun = resolve
    })
    const job = (name: string, seconds: number, places?: number): Job => ({
      name,
      seconds,
      ...(places === undefined ? {} : { places }),
      run: async () => {
        running.add(name)
        if (running.size === 2) bothRun()
        if (places === undefined) await both
        beside[name] = [...running]
        running.delete(name)
        return true
      },
    })
    await quietly(() => sideBySide([job('all', 30, 2), job('more', 40, 3), job('one', 10), job('other', 20)], 2))
    expect(beside).to.deep.equal({ other: ['other', 'one'], one: ['one'], more: ['more'], all: ['all'] })
    expect(Object.keys(beside)).to.deep.equal(['other', 'one', 'more', 'all'])
  })

  it('are skipped by name when they would not end in time, as seconds say', async () => {
    const until = Date.now() + 5_000_000
    const late = (): number => Math.ceil((Date.now() + 10_000_000 - until) / 1000)
    const least = late()
    const { passed, ran, skipped } = await run(
      [
        ['short', 10],
        ['long', 10_000],
      ],
      until,
    )
    expect({ passed, ran }).to.deep.equal({ passed: true, ran: ['short'] })
    expect(skipped).to.have.length(1)
    const said = /^ {2}- long skipped: it would end (\d+) s after the time that this run has$/.exec(skipped[0]!)
    expect(Number(said?.[1])).to.be.within(least, late())
  })

  it('are thought to take as much longer as those before did, and no less than they are said to', () => {
    const pace = new Pace()
    expect(pace.expects({ seconds: 60 })).to.equal(60_000)
    pace.note({ seconds: 100 }, 50_000)
    expect(pace.expects({ seconds: 60 })).to.equal(60_000)
    pace.note({ seconds: 100 }, 450_000)
    expect(pace.expects({ seconds: 60 })).to.equal(150_000)
  })

  it('are killed, and fail, when they still run after the time of the run', () => {
    const program = `
      import { sideBySide } from './test/cluster/jobs.ts'
      const hangs = (print) => { print('it began'); return new Promise(() => setInterval(() => undefined, 1_000)) }
      await sideBySide([{ name: 'short', seconds: 0, run: async () => true }, { name: 'hung', seconds: 0, run: hangs }], 2, Date.now() + 1_000, 500)`
    const args = ['--import', 'tsx', '--input-type=module', '--eval', program]
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
    expect(status).to.equal(1)
    expect(stdout).to.match(
      /== hung, killed at \d+ s\nit began\n\n {2}0 passing\n {2}1 failing\n\n {2}1\) hung:\n {5}it still ran/,
    )
    expect(stdout).to.not.include('short, killed')
  })

  it('do not start with an invalid end time', async () => {
    process.env[untilVariable] = 'tomorrow'
    try {
      const failure = await run([['one', 1]], undefined).catch((error: Error) => error.message)
      expect(failure).to.equal('VARMOR_TESTS_UNTIL must be milliseconds since 1970, not tomorrow')
    } finally {
      delete process.env[untilVariable]
    }
  })
})
