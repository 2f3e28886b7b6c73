/**
 * The furthest end-to-end path that there is, on real input: the policy of the user's own document is checked, compiled
 * for each enforcer, and handed to the real apparmor_parser. Exits 0 only if every step was as promised.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { styleText } from 'node:util'

const policy = 'test/fixtures/policies/usage-example.yaml'
const broken = 'test/demo/mistakes.yaml'
const varmor = 'dist/src/cli/varmor.js'
const parser = ['/usr/sbin/apparmor_parser', '/sbin/apparmor_parser'].find((path) => existsSync(path))

const colours = process.stdout.isTTY === true && process.env['NO_COLOR'] === undefined
const paint = (style: 'bold' | 'green' | 'red' | 'dim', text: string) => (colours ? styleText(style, text) : text)

let failures = 0
const times: [step: string, milliseconds: number][] = []

interface Outcome {
  status: number | null
  stdout: string
  stderr: string
}

function run(command: string, args: string[], input = ''): Outcome {
  console.log(paint('dim', `$ ${[command, ...args].join(' ')}`))
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20, input })
  return { status, stdout, stderr }
}

function step(title: string, work: () => void): void {
  console.log(`\n${paint('bold', `${times.length + 1}. ${title}`)}`)
  const start = performance.now()
  work()
  times.push([title, performance.now() - start])
}

function expectThat(what: string, holds: boolean): void {
  if (!holds) failures++
  console.log(`${holds ? paint('green', 'ok  ') : paint('red', 'FAIL')} ${what}`)
}

function show(text: string, lines: number): void {
  const all = text.trimEnd().split('\n')
  for (const line of all.slice(0, lines)) console.log(`    ${line}`)
  if (all.length > lines) console.log(paint('dim', `    … ${all.length - lines} more lines`))
}

interface CompiledDocument {
  profileName: string
  enforcers: { AppArmor?: { profile: string }; Seccomp?: { profile: object }; BPF?: Record<string, unknown> }
}

const scratch = mkdtempSync(join(tmpdir(), 'varmor-demo-'))
try {
  step('The policy, as the user wrote it', () => {
    console.log(paint('dim', `$ cat ${policy}`))
    show(readFileSync(policy, 'utf8'), 60)
  })

  step('It is checked, and so is one with mistakes in it', () => {
    const good = run('node', [varmor, 'validate', '-f', policy])
    show(good.stdout, 5)
    expectThat('the policy is valid', good.status === 0)
    const bad = run('node', [varmor, 'validate', '-f', broken])
    show(bad.stderr || bad.stdout, 12)
    expectThat('the broken one is refused, with every mistake named', bad.status === 1)
  })

  let profile = ''
  let profileName = ''
  step('It is compiled: what AppArmor will load', () => {
    const compiled = run('node', [varmor, 'compile', '-f', policy, '-o', 'json'])
    const [document] = JSON.parse(compiled.stdout || '[]') as CompiledDocument[]
    profile = document?.enforcers.AppArmor?.profile ?? ''
    profileName = document?.profileName ?? ''
    show(profile, 70)
    expectThat('the profile carries the name that pods will refer to', profile.includes(`profile ${profileName} `))
  })

  step('The real parser takes it', () => {
    if (parser === undefined) {
      console.log('skipped: apparmor_parser is not on this machine (Debian package apparmor)')
      return
    }
    const text = join(scratch, profileName)
    const binary = join(scratch, `${profileName}.bin`)
    writeFileSync(text, profile)
    const parsed = run(parser, ['--skip-kernel-load', '--skip-cache', '--ofile', binary, text])
    show(parsed.stderr, 10)
    const bytes = existsSync(binary) ? statSync(binary).size : 0
    expectThat(`accepted; ${bytes} bytes for the kernel`, parsed.status === 0 && bytes > 0)
  })

  step('The same rules for the other enforcers', () => {
    const compiled = run('node', [varmor, 'compile', '-f', policy, '--enforcer', 'BPFSeccomp', '-o', 'text'])
    show(compiled.stdout, 60)
    expectThat('they compile, and what an enforcer cannot carry is named', compiled.status === 0)
  })

  step('What a kernel says when it refuses, as one line for a SIEM', () => {
    const record = `type=AVC msg=audit(1740366282.121:674): apparmor="DENIED" operation="mknod" class="file" profile="${profileName}//child_0" name="/etc/5" pid=3811300 comm="bash" requested_mask="c" denied_mask="c" fsuid=0 ouid=0`
    show(record, 1)
    const decoded = run('node', [varmor, 'decode', '-'], `${record}\n`)
    show(decoded.stdout, 3)
    const violation = JSON.parse(decoded.stdout || '{}') as { action?: string; profileName?: string; event?: object }
    expectThat(
      'the violation names the profile, the operation and the path',
      decoded.status === 0 &&
        violation.action === 'DENIED' &&
        violation.profileName === profileName &&
        JSON.stringify(violation.event).includes('"name":"/etc/5"'),
    )
  })
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

console.log(`\n${paint('bold', 'Times')}`)
for (const [title, milliseconds] of times) console.log(`${milliseconds.toFixed(0).padStart(7)} ms  ${title}`)
console.log(
  failures === 0 ? paint('green', '\nEvery step was as promised.') : paint('red', `\n${failures} step(s) failed.`),
)
process.exitCode = failures === 0 ? 0 : 1
