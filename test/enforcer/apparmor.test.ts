import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { expect } from 'chai'
import { Simulation } from '../../actors/runtime/index.ts'
import { AppArmorLoader, type AppArmorOptions } from '../../src/enforcer/apparmor.ts'
import { securityfs } from '../../src/enforcer/apparmor-kernel.ts'
import { parserError, parserProgram, type RunParser } from '../../src/enforcer/apparmor-parser.ts'
import { contentDigest } from '../../src/enforcer/ports.ts'
import { AppArmorNode } from '../fakes/apparmor-node.ts'
import { needsParser } from '../profile/apparmor/loaded-profile.ts'
import { loaderContract, thrownBy } from './loader-contract.ts'

const name = 'varmor-demo-web'
const text = (profile: string, number: number): string => `# ${number}\nprofile ${profile} {\n  file,\n}\n`

describe('AppArmor profiles', () => {
  let root: string
  let folder: string
  let node: AppArmorNode
  const options = (): AppArmorOptions => ({
    folder,
    cache: join(root, 'cache'),
    kernel: securityfs(node.folder),
    runParser: node.run,
  })
  const loader = (): AppArmorLoader => new AppArmorLoader(options())
  const onDisk = (profile = name): string | undefined =>
    existsSync(join(folder, profile)) ? readFileSync(join(folder, profile), 'utf8') : undefined

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'varmor-apparmor-'))
    folder = join(root, 'apparmor.d')
    node = new AppArmorNode(join(root, 'securityfs'))
  })
  afterEach(() => rmSync(root, { recursive: true }))

  describe('keep the contract', () => {
    loaderContract(() => ({
      loader: loader(),
      content: text,
      lose: (lost) => node.lose(lost),
      damage: (damaged) => node.replace(damaged, 'other rules'),
      inForce: (one) => (node.textOf(one) === onDisk(one) ? node.textOf(one) : undefined),
    }))
  })

  it('are put back when their file is lost or changed, for they load from it at boot', async () => {
    const one = loader()
    await one.load(name, text(name, 1))
    for (const harm of [
      () => rmSync(join(folder, name)),
      () => writeFileSync(join(folder, name), 'profile other {}'),
    ]) {
      harm()
      expect((await one.list()).get(name)).to.equal('')
      await one.load(name, text(name, 1))
      expect((await one.list()).get(name)).to.equal(contentDigest(text(name, 1)))
      expect(onDisk()).to.equal(text(name, 1))
    }
  })

  for (const [what, harm] of [
    ['removed', (path: string) => rmSync(path)],
    ['changed', (path: string) => writeFileSync(path, `profile ${name} {\n  capability,\n}\n`)],
  ] as const)
    it(`are loaded though their file is ${what} just before the parser reads it`, async () => {
      let isQuiet = true
      const runParser: RunParser = (args, stdin) => {
        if (!isQuiet) harm(join(folder, name))
        isQuiet = true
        return node.run(args, stdin)
      }
      const one = new AppArmorLoader({ ...options(), runParser })
      await one.load(name, text(name, 1))
      node.lose(name)
      isQuiet = false
      await one.load(name, text(name, 1))
      expect([node.textOf(name), onDisk()]).to.deep.equal([text(name, 1), text(name, 1)])
      expect((await one.list()).get(name)).to.equal(contentDigest(text(name, 1)))
    })

  describe('that another program replaces during a load are not taken for ours', () => {
    const theirs = text(name, 7)
    const first = text(name, 1)
    const rows: [when: string, held: string | undefined, knownText: string | undefined, loaded: string][] = [
      ['for the first time', undefined, undefined, first],
      ['in the place of another text', text(name, 0), text(name, 0), first],
      ['again, as they are', first, first, first],
      ['by an agent that has just started', first, undefined, first],
      ['in place of another text, by an agent that has just started', text(name, 0), undefined, first],
    ]
    for (const countsEqual of [false, true])
      for (const [when, held, known, content] of rows)
        for (const harms of [1, 2, 9])
          it(`${when}, ${harms} times${countsEqual ? ', where each load counts' : ''}`, async () => {
            node.countsEqual = countsEqual
            if (held !== undefined) await loader().load(name, held)
            let left = 0
            const one = new AppArmorLoader({
              ...options(),
              runParser: async (...args) => {
                const run = await node.run(args[0], args[1])
                if (left-- > 0) node.replace(name, theirs)
                return run
              },
            })
            if (known !== undefined) await one.load(name, known)
            left = harms
            await one.load(name, content)
            const listed = (await one.list()).get(name)
            expect(listed).to.equal(node.textOf(name) === content ? contentDigest(content) : '')
            left = 0
            if (listed === '') await one.load(name, content)
            expect([node.textOf(name), onDisk()]).to.deep.equal([content, content])
            expect((await one.list()).get(name)).to.equal(contentDigest(content))
          })

    it('and cost no second load if no other program replaces them', async () => {
      const one = loader()
      for (const content of [text(name, 1), text(name, 2), text(name, 2), text(name, 3)]) {
        node.runs.length = 0
        await one.load(name, content)
        expect(node.runs).to.have.length(1)
      }
    })
  })

  it('stay in force, on disk too, when the new text is refused, and the error names the line', async () => {
    const one = loader()
    await one.load(name, text(name, 1))
    const error = await thrownBy(one.load(name, `profile ${name} {\n  file,\n  BAD rule,\n}\n`))
    expect(error).to.include({ code: 'PROFILE_REJECTED', retryable: false })
    expect(error.context).to.deep.equal({ profile: name, line: 3, reason: 'syntax error, unexpected TOK_ID' })
    expect(node.textOf(name)).to.equal(text(name, 1))
    expect(onDisk()).to.equal(text(name, 1))
    expect((await one.list()).get(name)).to.equal(contentDigest(text(name, 1)))
    expect(readdirSync(join(folder, '.varmor'))).to.deep.equal([])
  })

  it('that name another profile are refused, and not kept', async () => {
    const error = await thrownBy(loader().load(name, text('varmor-demo-other', 1)))
    expect(error.code).to.equal('PROFILE_REJECTED')
    expect(onDisk()).to.equal(undefined)
  })

  it('that the kernel does not take are tried again later', async () => {
    node.refusal =
      'apparmor_parser: Unable to replace "varmor-demo-web".  Permission denied; attempted to load a profile while confined?'
    const error = await thrownBy(loader().load(name, text(name, 1)))
    expect(error).to.include({ code: 'KERNEL_REFUSED', retryable: true })
    expect(onDisk()).to.equal(undefined)
  })

  it('go to the parser in few runs, many at once', async () => {
    const one = loader()
    const names = Array.from({ length: 450 }, (_, i) => `varmor-demo-p${i}`)
    await Promise.all(names.map((profile) => one.load(profile, text(profile, 1))))
    expect(node.runs).to.have.length(Math.ceil(450 / 32))
    expect(node.loaded.sort()).to.deep.equal([...names].sort())
    // Cached profiles load at once, so many load in one run.
    const after = loader()
    const before = node.runs.length
    await Promise.all(names.map((profile) => after.load(profile, text(profile, 1))))
    expect(node.runs.length - before).to.equal(3)
  })

  it('are loaded though others of the same run are refused, each with its own outcome', async () => {
    const one = loader()
    const names = Array.from({ length: 40 }, (_, i) => `varmor-demo-p${i}`)
    const bad = (i: number): boolean => i % 13 === 5
    const results = await Promise.allSettled(
      names.map((profile, i) => one.load(profile, text(profile, i) + (bad(i) ? 'BAD\n' : ''))),
    )
    expect(results.map(({ status }) => status)).to.deep.equal(names.map((_, i) => (bad(i) ? 'rejected' : 'fulfilled')))
    for (const [i, result] of results.entries())
      if (result.status === 'rejected') expect(result.reason.context).to.include({ profile: names[i]!, line: 5 })
    expect(node.loaded.sort()).to.deep.equal(names.filter((_, i) => !bad(i)).sort())
  })

  it('come from the cache where the file is as it was, and never where the text is new', async () => {
    await loader().load(name, text(name, 1))
    await loader().load(name, text(name, 1))
    await loader().load(name, text(name, 2))
    // The last load checks the cache again, because a new agent does not know the kernel's state.
    expect(node.runs.map((args) => args.includes('--skip-read-cache'))).to.deep.equal([true, false, true, true])
    for (const args of node.runs) expect(args).to.include.members(['--replace', '--write-cache', '--cache-loc'])
  })

  it('of an agent before this one are not taken for intact', async () => {
    await loader().load(name, text(name, 1))
    expect([...(await loader().list())]).to.deep.equal([[name, '']])
  })

  it('show other modes and other children where the kernel has no hashes', async () => {
    node.hashes = false
    const one = loader()
    await one.load(name, text(name, 1))
    expect((await one.list()).get(name)).to.equal(contentDigest(text(name, 1)))
    await node.run(['--replace'], `profile ${name} flags=(complain) {\n`)
    expect((await one.list()).get(name)).to.equal('')
  })

  it('leave their compiled form with them', async () => {
    const one = loader()
    await one.load(name, text(name, 1))
    mkdirSync(join(root, 'cache', 'abcd.0'), { recursive: true })
    for (const file of [name, 'usr.bin.man']) writeFileSync(join(root, 'cache', 'abcd.0', file), '')
    await one.unload(name)
    expect(readdirSync(join(root, 'cache', 'abcd.0'))).to.deep.equal(['usr.bin.man'])
  })

  it('are as was asked for last, whatever waits before it', async () => {
    const one = loader()
    const others = Array.from({ length: 3 }, (_, i) => `varmor-other-${i}`)
    const load = (each: string): Promise<void> => one.load(each, text(each, 1))
    const ends = [load(others[0]!), one.unload(others[1]!), load(name), one.unload(name), load(others[2]!)]
    await Promise.all([...ends, one.unload(others[0]!), load(others[1]!)])
    expect(node.loaded).to.have.members([others[1], others[2]])
    await Promise.all([load(others[0]!), one.unload(name), one.free(others[1]!), load(name), one.unload(others[1]!)])
    expect(node.loaded).to.have.members([others[0], others[2], name])
  })

  it('go together in one run of the parser, and none of them stays for one that is gone already', async () => {
    const one = loader()
    const names = Array.from({ length: 300 }, (_, i) => `varmor-demo-${i}`)
    await Promise.all(names.map((each) => one.load(each, text(each, 1))))
    const before = node.runs.length
    await Promise.all(names.slice(0, 200).map((each) => one.unload(each)))
    expect(node.runs.length - before).to.equal(1)
    // Another program removes a profile between the check and the run.
    node.beforeRun = () => node.lose(names[200]!)
    await Promise.all(names.slice(200).map((each) => one.unload(each)))
    expect(node.loaded).to.deep.equal([])
    expect([...(await one.list()).keys()]).to.deep.equal([])
  })

  it('stay where they have come to be needed before the turn to unload them, with no harm to others', async () => {
    const one = loader()
    const [other, last] = ['varmor-demo-other', 'varmor-demo-last']
    for (const each of [name, other]) await one.load(each, text(each, 1))
    const ends: Promise<unknown>[] = []
    node.beforeRun = () => {
      const needed = async (): Promise<boolean> => node.loaded.includes(last)
      ends.push(
        thrownBy(one.unload(name, needed)),
        one.unload(other, async () => false),
      )
    }
    await one.load(last, text(last, 1))
    const [kept] = await Promise.all(ends)
    expect(kept).to.include({ code: 'IN_USE', retryable: true })
    expect([node.loaded, onDisk()]).to.deep.equal([[name, last], text(name, 1)])
  })

  it('stay listed until their compiled form is gone, so that an end in between is made up for', async () => {
    const one = loader()
    await one.load(name, text(name, 1))
    const compiled = join(root, 'cache', 'abcd.0', name)
    mkdirSync(compiled, { recursive: true })
    await thrownBy(one.unload(name))
    expect((await loader().list()).get(name)).to.equal('')
    rmSync(compiled, { recursive: true })
    await loader().unload(name)
    expect((await loader().list()).has(name)).to.equal(false)
  })

  it('are listed with their children as one', async () => {
    mkdirSync(join(node.folder, 'policy', 'profiles', `${name}.7`, 'profiles', 'child_0.8'), { recursive: true })
    const hash = join(node.folder, 'policy', 'profiles', `${name}.7`, 'profiles', 'child_0.8', 'sha256')
    writeFileSync(
      join(node.folder, 'profiles'),
      `${name} (enforce)\n${name}//child_0 (complain)\n${name}//null-/bin/sh (complain)\nvarmor-x//left (enforce)\n`,
    )
    writeFileSync(hash, 'aa\n')
    // Null profiles that complain mode creates for a program without a rule, and for that program's children.
    mkdirSync(join(node.folder, 'policy', 'profiles', `${name}.7`, 'profiles', 'null-.bin.sh.9'), { recursive: true })
    writeFileSync(join(node.folder, 'policy', 'profiles', `${name}.7`, 'profiles', 'null-.bin.sh.9', 'sha256'), 'cc\n')
    const before = await securityfs(node.folder).fingerprints()
    expect([...before]).to.deep.equal([[name, `hash //child_0 aa\n${name} enforce\n${name}//child_0 complain`]])
    writeFileSync(hash, 'bb\n')
    expect((await securityfs(node.folder).fingerprints()).get(name)).to.not.equal(before.get(name))
  })

  describe('that cost too much to compile', () => {
    const costly = (word: string): string => `profile varmor-evil-x {\n  ${word}\n}\n`
    const outcome = (load: Promise<void>): Promise<unknown> =>
      load.then(
        () => 'loaded',
        ({ code, retryable }) => `${code}${retryable ? ', tried again' : ''}`,
      )

    it('take nothing from those that are loaded with them, however many there are', async () => {
      const one = loader()
      const names = Array.from({ length: 20 }, (_, i) => `varmor-demo-${i}`)
      const loads = names.map((each, i) => one.load(each, i % 3 === 0 ? costly('COSTLY') : text(each, 1)))
      expect(await Promise.all(loads.map(outcome))).to.deep.equal(
        names.map((_, i) => (i % 3 === 0 ? 'TOO_COSTLY' : 'loaded')),
      )
      expect(node.loaded).to.have.members(names.filter((_, i) => i % 3 !== 0))
      expect(readdirSync(join(folder, '.varmor'))).to.deep.equal([])
    })

    it('are tried again where it was the time, which a busy node takes; those of the same run are loaded', async () => {
      const one = loader()
      const loads = [text(name, 1), costly('SLOW'), costly('SLOW')]
      const outcomes = loads.map((content, i) => outcome(one.load(i === 0 ? name : `varmor-slow-${i}`, content)))
      const again = 'PARSER_FAILED, tried again'
      expect(await Promise.all(outcomes)).to.deep.equal(['loaded', again, again])
      expect(readdirSync(join(folder, '.varmor'))).to.deep.equal([])
    })

    /** Names of the profiles in each run. */
    const runs = (): string[][] =>
      node.runs.map((args) =>
        args.includes('--remove')
          ? ['--remove']
          : args.filter((arg) => arg.startsWith(folder)).map((path) => basename(path)),
      )

    for (const word of ['COSTLY', 'SLOW'])
      it(`once are compiled by themselves from then on, and behind all else: ${word}`, async () => {
        const simulation = new Simulation()
        const one = new AppArmorLoader({ ...options(), clock: simulation.clock })
        const [evil, worse, other] = ['varmor-evil-1', 'varmor-evil-2', 'varmor-demo-other']
        await one.load(other, text(other, 1))
        await Promise.all([evil, worse].map((each) => outcome(one.load(each, costly(`${word} ${each}`)))))
        await simulation.runFor(600_000)
        node.runs.length = 0
        const ends = [evil, worse].map((each) => outcome(one.load(each, costly(`${word} ${each}`))))
        // Calls that arrive during the first compilation do not wait for the second one.
        node.beforeRun = () => ends.push(outcome(one.load(name, text(name, 1))), outcome(one.unload(other)))
        await Promise.all(ends)
        await Promise.all(ends)
        expect(runs()).to.deep.equal([[evil], ['--remove'], [name], [worse]])
      })

    for (const [what, inPlace] of [
      ['new', false],
      ['in its place, and was in a run with one of theirs', true],
    ] as const)
      it(`keep no text of another namespace waiting, however many new ones come in each run: one that is ${what}`, async () => {
        const one = loader()
        const [other, old] = ['varmor-demo-other', 'varmor-evil-old']
        await one.load(other, text(other, 1))
        let isOver = false
        let number = 0
        const attack = async (evil: string): Promise<void> => {
          while (!isOver && node.runs.length < 100) await outcome(one.load(evil, costly(`COSTLY ${++number}`), 'evil'))
        }
        const attacks = Array.from({ length: 40 }, (_, i) => attack(`varmor-evil-${i}`))
        while (node.runs.length < 10) await new Promise(setImmediate)
        if (inPlace) {
          writeFileSync(join(folder, old), costly('COSTLY'))
          writeFileSync(join(folder, name), text(name, 1))
          attacks.push(outcome(one.load(old, costly('COSTLY'), 'evil')).then(() => undefined))
        }
        const before = node.runs.length
        const unload = one.unload(other).then(() => node.runs.length)
        await one.load(name, text(name, 1), 'demo')
        const after = node.runs.length
        isOver = true
        await Promise.all(attacks)
        expect(node.textOf(name)).to.equal(text(name, 1))
        expect((await unload) - before).to.be.at.most(3)
        expect(after - before).to.be.at.most(inPlace ? 12 : 5)
      })

    it('wait longer each time, a day at most, and another text does not', async () => {
      const simulation = new Simulation()
      const one = new AppArmorLoader({ ...options(), clock: simulation.clock })
      const minutes: number[] = []
      for (let minute = 0; minutes.length < 12; minute += 5, await simulation.runFor(300_000)) {
        const before = node.runs.length
        expect(await outcome(one.load(name, costly('COSTLY')))).to.equal('TOO_COSTLY')
        if (node.runs.length > before) minutes.push(minute)
      }
      const waits = minutes.slice(1).map((minute, i) => minute - minutes[i]!)
      expect(waits).to.deep.equal([10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440, 1440])
      expect(await outcome(one.load(name, text(name, 1)))).to.equal('loaded')
    })

    it('are remembered in a bounded number, and the oldest is tried once more', async () => {
      const one = loader()
      const triesOf = async (number: number): Promise<boolean> => {
        const before = node.runs.length
        expect(await outcome(one.load(name, costly(`COSTLY ${number}`)))).to.equal('TOO_COSTLY')
        return node.runs.length > before
      }
      for (let number = 0; number < 1_000; number++) await triesOf(number)
      expect([await triesOf(0), await triesOf(999)], 'there is room').to.deep.equal([false, false])
      expect(await triesOf(1_000)).to.equal(true)
      expect([await triesOf(2), await triesOf(0), await triesOf(1)]).to.deep.equal([false, false, true])
    }).timeout(60_000)

    it('hold no more of those who wait than half of them', async () => {
      const one = loader()
      const names = Array.from({ length: 64 }, (_, i) => `varmor-evil-${i}`)
      const outcomes = await Promise.all(names.map((each) => outcome(one.load(each, costly(`COSTLY ${each}`)))))
      expect(outcomes.filter((word) => word === 'TOO_COSTLY')).to.have.length(32)
      expect(outcomes.filter((word) => word === 'PARSER_FAILED, tried again')).to.have.length(32)
      // Two runs with all profiles, then a separate run for each of 32 profiles. The other 32 are delayed without a
      // separate run.
      expect(node.runs).to.have.length(2 + 32)
      node.runs.length = 0
      await Promise.all(names.slice(32).map((each) => outcome(one.load(each, costly(`COSTLY ${each}`)))))
      expect(runs().every((files) => files.length === 1)).to.equal(true)
      expect(readdirSync(join(folder, '.varmor'))).to.deep.equal([])
    })
  })

  describe('and the program', () => {
    it('is ended when it takes too long, of CPU or of time, and ends when it gets no more memory', async function () {
      const program = join(root, 'parser')
      writeFileSync(program, '#!/bin/sh\nwhile :; do :; done\n')
      chmodSync(program, 0o755)
      expect(await parserProgram(program, () => 1)([])).to.include({ status: undefined, costly: 'cpu' })
      writeFileSync(program, '#!/bin/sh\nexec sleep 1000\n')
      expect(await parserProgram(program, () => 1, 0.2)([])).to.include({ status: undefined, costly: 'time' })
      needsParser(this)
      writeFileSync(join(root, name), `profile ${name} {\n  deny /**a${'?'.repeat(20)} w,\n}\n`)
      const run = await parserProgram()(['--skip-kernel-load', '--skip-cache', '--jobs=0', join(root, name)])
      expect(run).to.include({ status: undefined, costly: 'memory' })
      expect(parserError('load', name, run).reason).to.match(/128 MiB.*fewer \?/)
    }).timeout(120_000)

    it('may take twenty times as much CPU for texts where the machine is that slow, which is measured once', async () => {
      const program = join(root, 'parser')
      writeFileSync(program, `#!/bin/sh\necho run >>${join(root, 'runs')}\nsleep 1\nulimit -t\n`)
      chmodSync(program, 0o755)
      const parser = parserProgram(program)
      expect((await parser(['--version'])).stdout).to.equal('10\n')
      for (const bytes of [5_000, 50_000])
        expect((await parser([], '', bytes)).stdout).to.equal(`${20 * (10 + bytes / 5_000)}\n`)
      expect(readFileSync(join(root, 'runs'), 'utf8')).to.equal('run\n'.repeat(4))
    })

    it('is called without a shell; its status and words come back', async () => {
      const program = join(root, 'parser')
      writeFileSync(program, '#!/bin/sh\ncat >&2\necho " $# $1" >&2\nexit 3\n')
      chmodSync(program, 0o755)
      expect(await parserProgram(program)(['$(reboot)'], 'text')).to.deep.equal({
        status: 3,
        stderr: 'text 1 $(reboot)\n',
      })
    })

    it('is absent with the reason where there is none', async () => {
      const absent = new AppArmorLoader({ ...options(), runParser: parserProgram(join(root, 'none')) })
      expect(await absent.parserAbsent()).to.match(/cannot run apparmor_parser: .*none: No such file/)
      expect(await thrownBy(absent.load(name, text(name, 1)))).to.include({ code: 'PARSER_FAILED', retryable: true })
    })

    it('takes the options that we use, and its words about a mistake are understood', async function () {
      needsParser(this)
      const real = parserProgram()
      // This kernel may lack AppArmor, so the test omits the last step.
      const compileOnly: RunParser = (args, stdin) => real(['--skip-kernel-load', '--skip-cache', ...args], stdin)
      const profile = (rule: string): string => `abi <abi/3.0>,\nprofile ${name} {\n  file,\n  ${rule}\n}\n`
      const run = async (rule: string) => {
        writeFileSync(join(root, name), profile(rule))
        const args = ['--replace', '--write-cache', '--skip-read-cache', '--cache-loc', join(root, 'cache')]
        return compileOnly([...args, join(root, name)])
      }
      expect((await run('network,')).status).to.equal(0)
      const wrong = parserError('load', name, await run('network bar baz foo,'))
      expect(wrong).to.include({ code: 'PROFILE_REJECTED' })
      expect(wrong.context).to.include({ line: 4, profile: name })
      expect(wrong.context['reason']).to.match(/^syntax error/)
    })

    it('loads what we wrote, from its cache the second time, and unloads by name', async function () {
      needsParser(this)
      // Files in place of the kernel's interface; the parser writes its requests into them.
      const kernel = join(root, 'kernel')
      mkdirSync(join(kernel, 'policy'), { recursive: true })
      for (const file of ['.load', '.replace', '.remove']) writeFileSync(join(kernel, file), '')
      const real = parserProgram()
      const there = ['--subdomainfs', kernel, '--kernel-features', '/etc/apparmor.d/abi/3.0', '--show-cache']
      const said: string[] = []
      const loaded = new Map<string, string>()
      const runParser: RunParser = async (args, stdin) => {
        const run = await real([...there, ...args], stdin)
        said.push(run.stderr)
        if (args.includes('--remove')) loaded.delete(readFileSync(join(kernel, '.remove'), 'utf8').replaceAll('\0', ''))
        else if (run.status === 0) loaded.set(name, String(readFileSync(join(kernel, '.replace')).length))
        return run
      }
      const one = new AppArmorLoader({
        ...options(),
        runParser,
        kernel: { fingerprints: async () => new Map(loaded), revision: async () => undefined },
      })
      const content = `abi <abi/3.0>,\nprofile ${name} flags=(attach_disconnected) {\n  file,\n}\n`
      await one.load(name, content)
      expect(readFileSync(join(kernel, '.replace')).includes(name)).to.equal(true)
      await one.load(name, content)
      expect(said[1]).to.match(/Cache hit/)
      const error = await thrownBy(one.load(name, content.replace('file,', 'no such rule')))
      expect(error.context).to.include({ profile: name, line: 3 })
      expect(onDisk()).to.equal(content)
      await one.unload(name)
      expect([loaded.size, onDisk()]).to.deep.equal([0, undefined])
      const cached = readdirSync(join(root, 'cache'), { recursive: true }).map(String)
      expect(cached.filter((file) => file.endsWith(name))).to.deep.equal([])
    })
  })

  const words: [stderr: string, code: string, context: object][] = [
    [
      'AppArmor parser error for /d/varmor-demo-web in profile /etc/apparmor.d/abstractions/base at line 9: syntax error',
      'PROFILE_REJECTED',
      { line: 9, file: '/etc/apparmor.d/abstractions/base' },
    ],
    [
      "Warning: x\nAppArmor parser error at line 2: Could not open 'abstractions/none'",
      'PROFILE_REJECTED',
      { line: 2, reason: "Could not open 'abstractions/none'" },
    ],
    [
      'profile has merged rule with conflicting x modifiers\nERROR processing regexs for profile varmor-demo-web, failed to load',
      'PROFILE_REJECTED',
      {},
    ],
    ['Warning: unable to find a suitable fs in /proc/mounts, is it mounted?', 'KERNEL_REFUSED', {}],
    ['', 'PROFILE_REJECTED', { reason: 'exit status 1' }],
  ]
  for (const [stderr, code, context] of words)
    it(`gives ${code} for: ${stderr.slice(0, 60) || 'no words'}`, () => {
      const error = parserError('load', name, { status: 1, stderr })
      expect(error.code).to.equal(code)
      expect(error.context).to.include(context)
    })
})
