import { expect } from 'chai'
import fc from 'fast-check'
import { eventOperations } from '../../src/advice/event-operations.ts'
import { modelOperations } from '../../src/advice/model-operations.ts'
import type { Change } from '../../src/advice/parts.ts'
import { Replay, type Replayed } from '../../src/advice/replay.ts'
import type { DynamicResult, VarmorPolicy } from '../../src/api/types.ts'
import { catalogue } from '../../src/rules/catalogue.ts'
import { arbitraryModel } from './arbitrary-model.ts'
import { asking, compiledOf, enhanced, policyOf } from './policies.ts'

function replayed(policy: VarmorPolicy, result: DynamicResult): Replayed {
  const { operations, programs, unjudged } = modelOperations(result, 'varmor-demo-web')
  const replay = new Replay(policy, compiledOf(policy), {}, programs)
  for (const one of operations) replay.add(one)
  for (const { why, count } of unjudged.all) replay.unjudged.add(why, '', count)
  return replay.end()
}

/** The policy after the changes. Indexes in lists refer to the policy before the changes. */
function changed(policy: VarmorPolicy, changes: readonly Change[]): VarmorPolicy {
  const copy = structuredClone(policy)
  const holderOf = (field: string): [holder: Record<string, unknown>, key: string] => {
    const steps = field.split(/[.[\]]+/).filter((step) => step !== '')
    const last = steps.pop()!
    const holder = steps.reduce<unknown>((at, step) => {
      const here = at as Record<string, unknown>
      here[step] ??= {}
      return here[step]
    }, copy)
    return [holder as Record<string, unknown>, last]
  }
  for (const { do: what, field, value } of changes) {
    const [holder, key] = holderOf(field)
    if (what === 'remove') holder[key] = undefined
    else if (what === 'set') holder[key] = value
    else holder[key] = [...((holder[key] as unknown[] | undefined) ?? []), value]
  }
  return JSON.parse(
    JSON.stringify(copy, (_, value) => (Array.isArray(value) ? value.filter((one) => one !== undefined) : value)),
  )
}

const changesOf = ({ refused, answered }: Replayed): Change[] =>
  [...refused, ...answered].flatMap(({ rules, operations }) => [
    ...rules.flatMap(({ change }) => (change === undefined ? [] : [change])),
    ...operations.flatMap(({ changes = [] }) => changes),
  ])

const policies = fc
  .tuple(fc.subarray([...catalogue], { maxLength: 8 }), fc.boolean())
  .map(([rules, privileged]): VarmorPolicy => {
    const sections = rules.map(asking)
    return enhanced({
      privileged,
      hardeningRules: sections.flatMap(({ hardeningRules = [] }) => hardeningRules),
      attackProtectionRules: sections.flatMap(({ attackProtectionRules = [] }) => attackProtectionRules),
      vulMitigationRules: sections.flatMap(({ vulMitigationRules = [] }) => vulMitigationRules),
      bpfRawRules: {
        files: [
          { pattern: '/srv/**', permissions: ['r'] },
          { pattern: '/nothing', permissions: ['w'] },
        ],
      },
      syscallRawRules: [{ names: ['ptrace'], action: 'SCMP_ACT_ERRNO' }],
    })
  })

describe('the replay of a model', () => {
  it('refuses what every program does and no recording has, and counts it only then', () => {
    const recorded = { seccomp: { syscalls: ['accept4'] } }
    const forbidding = (name: string) =>
      policyOf({
        enforcer: 'Seccomp',
        mode: 'EnhanceProtect',
        enhanceProtect: { syscallRawRules: [{ names: [name], action: 'SCMP_ACT_ERRNO' }] },
      })
    const { refused, allowed } = replayed(forbidding('futex'), recorded)
    expect(refused.flatMap(({ operations }) => operations.map(({ operation }) => operation))).to.have.length(1)
    expect(allowed).to.equal(1)
    expect(replayed(forbidding('ptrace'), recorded)).to.deep.include({ refused: [], allowed: 1 })
    expect(replayed(forbidding('futex'), {}).refused).to.deep.equal([])
  })

  it('names rules without which nothing is refused', function () {
    this.timeout(300_000)
    let refusals = 0
    fc.assert(
      fc.property(policies, arbitraryModel, (policy, model) => {
        const before = replayed(policy, model)
        const changes = changesOf(before)
        refusals += before.refused.length
        const after = replayed(changed(policy, changes), model)
        expect(after.refused, JSON.stringify([policy, before.refused])).to.deep.equal([])
        expect(after.answered).to.deep.equal([])
      }),
      { numRuns: 60 },
    )
    expect(refusals).to.be.greaterThan(50)
  })

  it('counts every operation once: refused, answered, let through or not judged', function () {
    this.timeout(300_000)
    fc.assert(
      fc.property(policies, arbitraryModel, (policy, model) => {
        const { operations, unjudged } = modelOperations(model, 'varmor-demo-web')
        const { refused, answered, allowed, unjudged: left } = replayed(policy, model)
        const sum = (all: readonly { count: number }[]) => all.reduce((total, { count }) => total + count, 0)
        // These policies do not refuse the actions that every program performs.
        const seen = operations.filter(({ implied }) => !implied)
        expect(sum(refused) + sum(answered) + allowed + sum(left)).to.equal(seen.length + sum(unjudged.all))
      }),
      { numRuns: 30 },
    )
  })

  it('says what to add to a profile of its own, and that this helps', () => {
    const policy = policyOf({
      enforcer: 'AppArmorSeccomp',
      mode: 'DefenseInDepth',
      defenseInDepth: {
        appArmor: { profileType: 'Custom', customProfile: 'profile varmor-demo-web { /a r, deny /secret r, }' },
        seccomp: {
          profileType: 'Custom',
          customProfile: JSON.stringify({
            defaultAction: 'SCMP_ACT_ERRNO',
            syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }],
          }),
        },
      },
    })
    const model: DynamicResult = {
      appArmor: {
        files: [
          { path: '/a', permissions: ['r'] },
          { path: '/b', permissions: ['r', 'k'] },
        ],
        capabilities: ['chown'],
      },
      seccomp: { syscalls: ['read', 'write'] },
    }
    const before = replayed(policy, model)
    expect(before.refused.map(({ rules, different }) => [rules[0]!.rule, different])).to.deep.include([
      'no rule allows it',
      3,
    ])
    expect(replayed(changed(policy, changesOf(before)), model).refused).to.deep.equal([])
    const secret = replayed(policy, { appArmor: { files: [{ path: '/secret', permissions: ['r'] }] } })
    expect(secret.refused[0]!.rules[0]).to.deep.include({
      rule: 'deny "/secret" r',
      path: 'spec.policy.defenseInDepth.appArmor',
    })
  })

  it('says what to add to the list of BPF, and that this helps', function () {
    this.timeout(300_000)
    const policy = policyOf({
      enforcer: 'BPF',
      mode: 'DefenseInDepth',
      defenseInDepth: { bpf: { profileType: 'Custom', allow: { executions: ['/usr/sbin/nginx'] } } },
    })
    fc.assert(
      fc.property(arbitraryModel, ({ bpf: { mounts: _, ...bpf } = {} }) => {
        const before = replayed(policy, { bpf })
        const after = replayed(changed(policy, changesOf(before)), { bpf })
        expect(after.refused, JSON.stringify([bpf, before.refused])).to.deep.equal([])
      }),
      { numRuns: 40 },
    )
  })

  it('judges what may have been done by a program with rules of its own as this', () => {
    const policy = enhanced({
      attackProtectionRules: [{ rules: ['disable-write-etc'], targets: ['/usr/bin/python3'] }],
    })
    const files = [{ path: '/etc/x', permissions: ['w'] }]
    const of = (executions: string[]) => replayed(policy, { appArmor: { executions, files } }).refused
    expect(of(['/usr/bin/node'])).to.deep.equal([])
    expect(of(['/usr/bin/python3'])[0]!.operations[0]!.operation).to.equal('file write /etc/x by /usr/bin/python3')
  })

  it('lists what is answered as if the kernel had no such call by itself', () => {
    const policy = enhanced({ hardeningRules: ['disallow-create-user-ns'] })
    const { refused, answered, unjudged } = replayed(policy, { seccomp: { syscalls: ['clone3', 'clone', 'unshare'] } })
    expect(refused).to.deep.equal([])
    expect(answered[0]!.operations).to.deep.equal([{ operation: 'syscall clone3', count: 1 }])
    expect(unjudged).to.deep.equal([
      {
        why: 'Seccomp: refused only with certain arguments, and the arguments were not recorded',
        count: 2,
        examples: ['syscall clone', 'syscall unshare'],
      },
    ])
  })

  it('names what it does not know', () => {
    const model: DynamicResult = {
      appArmor: { files: [{ path: '/a', permissions: ['?'] }], capabilities: ['fly'], unhandled: ['op=dbus_bind'] },
      bpf: { network: { sockets: [{ domain: 'decimal' }] } },
    }
    const { unjudged } = replayed(enhanced({}), model)
    expect(unjudged.map(({ why }) => why)).to.deep.equal([
      'the file permission is not known',
      'the capability is not known',
      'the model could not interpret the record',
      'the socket family is not known',
    ])
  })
})

describe('the operations of lines', () => {
  const bpf = (event: object, more: object = {}) => ({ enforcer: 'BPF', exe: '/bin/x', event, ...more })
  const appArmor = (event: object) => ({
    enforcer: 'AppArmor',
    profileName: 'varmor-demo-web',
    event: { profile: 'varmor-demo-web', ...event },
  })
  const rows: [what: string, line: Record<string, unknown>, operations: unknown][] = [
    [
      'a file of BPF',
      bpf({ operation: 'File', permissions: ['read', 'write'], path: '/etc/x' }),
      [
        { kind: 'file', path: '/etc/x', action: 'read' },
        { kind: 'file', path: '/etc/x', action: 'write' },
      ],
    ],
    [
      'a program of BPF',
      bpf({ operation: 'Bprm', permissions: ['exec'], path: '/bin/sh' }),
      [{ kind: 'file', path: '/bin/sh', action: 'exec' }],
    ],
    [
      'an address',
      bpf({ operation: 'Network', type: 'connect', address: { ip: '10.0.0.1', port: 443 } }),
      [{ kind: 'egress', address: '10.0.0.1', port: 443 }],
    ],
    [
      'a server',
      bpf({ operation: 'Network', type: 'bind', address: { ip: '0.0.0.0', port: 80 } }),
      'rules do not cover bind, listen and accept',
    ],
    [
      'a socket',
      bpf({
        operation: 'Network',
        type: 'socket',
        socket: { domain: 'AF_INET', type: 'SOCK_STREAM', protocol: 'IPPROTO_IP' },
      }),
      [{ kind: 'socket', domain: 'inet', type: 'stream', protocol: 0 }],
    ],
    [
      'tracing',
      bpf({ operation: 'Ptrace', permission: 'trace', external: true }),
      [{ kind: 'ptrace', access: 'trace', isOutside: true }],
    ],
    [
      'a bind mount',
      bpf({ operation: 'Mount', path: '/mnt', type: 'none', flags: ['rbind'] }),
      [{ kind: 'mount', operation: 'bind', flags: 0x5000, target: '/mnt', fstype: 'none' }],
    ],
    [
      'an unmount',
      bpf({ operation: 'Mount', path: '/mnt', type: 'none', flags: ['umount'] }),
      [{ kind: 'mount', operation: 'umount', flags: 0, target: '/mnt', fstype: 'none' }],
    ],
    ['a namespace', bpf({ operation: 'Userns' }), [{ kind: 'userns' }]],
    [
      'a program for the kernel',
      bpf({ operation: 'Bpf', command: 'prog_load' }),
      [{ kind: 'bpf', command: 'prog_load' }],
    ],
    [
      'a path that is not known',
      bpf({ operation: 'File', permissions: ['read'], path: '' }, { pathUnknown: true }),
      'the path is not known',
    ],
    [
      'a file of AppArmor',
      appArmor({ operation: 'open', name: '/etc/', requestedMask: 'rc', fsuid: 0, ouid: 0 }),
      [
        { kind: 'file', path: '/etc/', action: 'read', type: 'directory', isOwn: true },
        { kind: 'file', path: '/etc/', action: 'create', type: 'directory', isOwn: true },
      ],
    ],
    [
      'a hard link',
      appArmor({ operation: 'link', name: '/tmp/x', name2: '/etc/shadow', requestedMask: 'l', fsuid: 0, ouid: 1000 }),
      [{ kind: 'file', path: '/tmp/x', action: 'link', type: 'file', isOwn: false, linkTo: '/etc/shadow' }],
    ],
    ['a capability', appArmor({ operation: 'capable', name: 'net_raw' }), [{ kind: 'capability', name: 'net_raw' }]],
    [
      'a socket of AppArmor',
      appArmor({
        operation: 'create',
        netFamily: 'inet',
        netSockType: 'raw',
        netProtocol: 'icmp',
        requestedMask: 'create',
      }),
      [{ kind: 'socket', domain: 'inet', type: 'raw', protocol: 1 }],
    ],
    [
      'a signal to itself',
      appArmor({ operation: 'signal', requestedMask: 'send', signal: 'term', peer: 'varmor-demo-web' }),
      [{ kind: 'signal', access: 'send', peer: '\0own', signal: 'term' }],
    ],
    [
      'tracing in AppArmor',
      appArmor({ operation: 'ptrace', requestedMask: 'tracedby', peer: 'unconfined' }),
      [{ kind: 'ptrace', access: 'traceby', peer: 'unconfined' }],
    ],
    [
      'a mount of AppArmor',
      appArmor({ operation: 'mount', name: '/mnt/', srcName: '/etc/', flags: 'rw, bind' }),
      [{ kind: 'mount', operation: 'bind', flags: 0x1000, target: '/mnt/', source: '/etc/' }],
    ],
    ['a bus', appArmor({ operation: 'dbus_method_call' }), 'rules about this operation cannot be judged'],
    ['a system call', { enforcer: 'Seccomp', event: { syscall: 'bpf' } }, [{ kind: 'syscall', name: 'bpf' }]],
    [
      'one without a name',
      { enforcer: 'Seccomp', event: { syscall: 'unknown(999)' } },
      'the name of the system call is not known',
    ],
    ['lost events', { enforcer: 'BPF', event: {}, lost: { events: 3 } }, 'events were lost here'],
    ['numbers', { event: {}, digest: {} }, 'the line is a count of events, not an event'],
    ['nothing', { event: 7 }, 'the enforcer of the line is not known'],
  ]
  for (const [what, line, operations] of rows)
    it(what, () => {
      const found = eventOperations(line)
      expect(found.ok ? found.recorded.map(({ operation }) => operation) : found.why).to.deep.equal(operations)
    })

  it('take any JSON', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom('enforcer', 'event', 'exe', 'process'),
          fc.oneof(
            fc.json().map((text) => JSON.parse(text)),
            fc.constant('BPF'),
          ),
        ),
        (line) => {
          eventOperations(line as Record<string, unknown>)
        },
      ),
    )
  })
})
