import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'chai'
import { Collector } from '../../../../actors/modeller/collector.ts'
import type { ModelBpf, Policy, VarmorPolicy } from '../../../../src/api/types.ts'
import type { BpfEnforcer } from '../../../../src/enforcer/bpf.ts'
import { generalise } from '../../../../src/model/generalise/generalise.ts'
import { output } from '../../../cluster/command.ts'
import { debianImage } from '../../images/names.ts'
import { Container } from '../harness/container.ts'
import { compiled, identityOf } from '../harness/profiles.ts'
import { type Violation, Violations } from '../harness/violations.ts'
import { openEnforcer } from './enforcer.ts'

const name = 'listed'
const policyOf = (policy: Omit<Policy, 'enforcer'>): VarmorPolicy => ({
  apiVersion: 'crd.varmor.org/v1beta1',
  kind: 'VarmorPolicy',
  metadata: { name, namespace: 'demo' },
  spec: { target: { kind: 'Deployment', name }, policy: { enforcer: 'BPF', ...policy } },
})
const modelling = policyOf({ mode: 'BehaviorModeling', modelingOptions: { duration: 1 } })
const defense = (allowViolations: boolean, allow: ModelBpf = {}) =>
  policyOf({
    mode: 'DefenseInDepth',
    defenseInDepth: { allowViolations, bpf: { profileType: 'BehaviorModel', allow } },
  })
const { profileName } = identityOf(modelling)

/**
 * The kinds of operations of a server's day: read configuration, replace state as a whole, start children, use the
 * network.
 */
const workload = [
  'cat /etc/hostname /etc/passwd > /dev/null',
  'mkdir -p /var/lib/app/new; echo state > /var/lib/app/new/a; mv /var/lib/app/new/a /var/lib/app/a; rmdir /var/lib/app/new',
  'echo line >> /var/log/app.log; chmod 600 /var/log/app.log; touch /var/log/app.log; rm /var/log/app.log',
  'for i in 1 2 3; do echo $i; done | sort -r | head -1',
  'ln -sf /etc/hostname /tmp/link; readlink /tmp/link; rm /tmp/link',
  'bash -c "echo > /dev/udp/127.0.0.1/5353" ; ls /proc/self/fd > /dev/null; id > /dev/null',
].join('; ')

interface Attack {
  what: string
  /** A command that the profile may run, while it refuses the command's operation. */
  command: string
  operation: string
  /** A field that identifies the event. */
  about: Record<string, unknown>
}

const attacks: readonly Attack[] = [
  { what: 'a program that never ran', command: 'uname', operation: 'Bprm', about: { path: '/usr/bin/uname' } },
  {
    what: 'a file that was never read',
    command: 'cat /etc/debian_version',
    operation: 'File',
    about: { path: '/etc/debian_version' },
  },
  {
    what: 'writing where it was read',
    command: 'echo x >> /etc/passwd',
    operation: 'File',
    about: { path: '/etc/passwd' },
  },
  {
    what: 'a new file beside',
    command: 'echo x > /var/lib/app/b',
    operation: 'File',
    about: { path: '/var/lib/app/b' },
  },
  {
    what: 'another name for what is not carried',
    command: 'mv /etc/hostname /var/lib/app/a',
    operation: 'File',
    about: {},
  },
  {
    what: 'removing what is not its own',
    command: 'rm -f /etc/group',
    operation: 'File',
    about: { path: '/etc/group' },
  },
  {
    what: 'a copy of a program',
    command: 'cat /bin/id > /var/lib/app/a; chmod 700 /var/lib/app/a; /var/lib/app/a',
    operation: 'File',
    about: {},
  },
  {
    what: 'a connection to elsewhere',
    command: 'bash -c "echo > /dev/udp/10.9.9.9/53"',
    operation: 'Network',
    about: { type: 'connect' },
  },
  {
    what: 'another port of where it goes',
    command: 'bash -c "echo > /dev/udp/127.0.0.1/5354"',
    operation: 'Network',
    about: { type: 'connect' },
  },
  {
    what: 'a socket of another type',
    command: 'bash -c "echo > /dev/tcp/127.0.0.1/5353"',
    operation: 'Network',
    about: { type: 'socket' },
  },
  { what: 'the memory of another process', command: 'cat /proc/1/mem', operation: 'File', about: {} },
  {
    what: 'the token of the pod',
    command: 'cat /run/secrets/token',
    operation: 'File',
    about: { path: '/run/secrets/token' },
  },
]

describe('a list of what a container may do, made by watching it', function () {
  this.timeout(1_800_000)
  let container: Container
  let enforcer: BpfEnforcer
  let violations: Violations
  let model: ModelBpf
  const collector = new Collector()
  let records = 0

  const load = async (policy: VarmorPolicy): Promise<void> => {
    const { profile } = compiled(policy, { model: { bpf: model } }).enforcers.BPF!
    await enforcer.load(profileName, JSON.stringify(profile))
  }
  const run = (command: string) => container.run(['bash', '-c', command])
  /** Waits until no record has arrived for a while, however slow the machine is. */
  const quiet = async (count: () => number): Promise<void> => {
    for (let before = -1; before !== count(); ) {
      before = count()
      await pause(3_000)
    }
  }

  before(async () => {
    await output('containerd-up', [])
    enforcer = await openEnforcer({ ringBytes: 1 << 22 })
    await enforcer.load(profileName, JSON.stringify(compiled(modelling).enforcers.BPF!.profile))
    container = await Container.start(name, { image: debianImage })
    await container.run('mkdir -p /run/secrets /var/lib/app; echo secret > /run/secrets/token')
    await enforcer.add({ id: container.info.containerID, profile: profileName })
    expect(await enforcer.find()).to.be.instanceOf(Map)
    const info = { ...container.info, bpfNumber: enforcer.numberOf(container.info.containerID)! }
    const known = { ...identityOf(modelling), bpfId: enforcer.idOf(profileName)! }
    violations = await Violations.start(
      [info],
      [{ ...known, modelling: 'first' }],
      () => enforcer.folder,
      (all) => {
        for (const one of all) {
          collector.add(one.found)
          records += one.records
        }
      },
    )
  })
  after(async () => {
    await container?.stop()
    await violations?.stop()
    await enforcer?.end()
  })

  it('is recorded, and gives no line of a violation', async () => {
    for (let round = 0; round < 2; round++) expect(await run(workload)).to.include({ status: 0 })
    await quiet(() => records)
    expect(enforcer.counters().ringFull).to.equal(0)
    expect(violations.all).to.deep.equal([])
    // Process ids vary between runs.
    const { result } = generalise(collector.state().result)
    model = result.bpf!
    expect(model.executions).to.include.members(['/usr/bin/cat', '/usr/bin/mv', '/usr/bin/sort'])
    console.log(
      `      ${records} records: ${model.executions?.length} programs and libraries, ${model.files?.length} files, ${model.capabilities?.length ?? 0} capabilities, ${model.network?.sockets?.length} sockets, ${model.network?.egresses?.length} addresses`,
    )
  })

  it('lets the same workload through, with nothing to report', async () => {
    await load(defense(false))
    const { profileName: name } = identityOf(modelling)
    violations.expect([], [{ ...identityOf(modelling), bpfId: enforcer.idOf(name)! }])
    const answer = await run(workload)
    await quiet(() => violations.all.length)
    expect(violations.all.map(({ event }) => event)).to.deep.equal([])
    expect(answer, answer.text).to.include({ status: 0 })
  })

  const findOf = (all: readonly Violation[], { operation, about }: Attack) =>
    all.find(
      ({ event }) =>
        event['operation'] === operation && Object.entries(about).every(([key, value]) => event[key] === value),
    )

  for (const attack of attacks)
    it(`refuses and reports ${attack.what}`, async () => {
      const seen = violations.all.length
      const { status, text } = await run(attack.command)
      expect(status, text).to.not.equal(0)
      const found = await violations.after(seen, (all) => findOf(all, attack) !== undefined, 60_000)
      const line = findOf(found, attack)
      expect(line, JSON.stringify(found.map(({ event }) => event))).to.not.equal(undefined)
      expect(line).to.include({ action: 'DENIED' })
    })

  it('refuses to run a file of memory', async () => {
    const seen = violations.all.length
    // perl calls memfd_create(2) by its number. The profile must allow perl itself.
    const perl = `perl -e 'my $n = "m"; my $fd = syscall(319, $n, 0); open(my $in, "<", "/usr/bin/cat"); open(my $out, ">&=", $fd); syswrite($out, join("", <$in>)); exec("/proc/self/fd/$fd") or exit 7'`
    await load(
      defense(false, {
        executions: ['/usr/bin/perl*', '/usr/lib/**'],
        files: [
          ...['/usr/**', '/proc/**'].map((path) => ({ path, permissions: ['read'] })),
          { path: '/dev/**', permissions: ['read', 'write'] },
        ],
      }),
    )
    expect((await run('perl -e "exit 5"')).status).to.equal(5)
    const { status, text } = await run(perl)
    expect(status, text).to.equal(7)
    const found = await violations.after(seen, (all) => all.some(({ pathUnknown }) => pathUnknown === true), 60_000)
    expect(found.filter(({ pathUnknown }) => pathUnknown === true).map(({ event }) => event['operation'])).to.include(
      'Bprm',
    )
  })

  it('reports and lets through with allowViolations', async () => {
    await load(defense(true))
    const seen = violations.all.length
    expect((await run('cat /etc/debian_version')).status).to.equal(0)
    const found = await violations.after(
      seen,
      (all) => all.some(({ event }) => event['path'] === '/etc/debian_version'),
      60_000,
    )
    const line = found.find(({ event }) => event['path'] === '/etc/debian_version')
    expect(line).to.include({ action: 'AUDIT' })
  })
})
