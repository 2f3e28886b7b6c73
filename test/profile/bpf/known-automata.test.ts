import { expect } from 'chai'
import { KnownAutomata } from '../../../src/profile/bpf/known-automata.ts'
import { compilePolicy } from '../../../src/profile/compile.ts'

const automaton = (length: number) => ({
  states: 1,
  classes: 1,
  bytes: length,
  start: 0,
  cells: 1,
  table: 'A'.repeat(length),
})

describe('automata that are known already', () => {
  it('stay while they are used, the newest 32', () => {
    const known = new KnownAutomata()
    for (let i = 0; i < 40; i++) {
      known.add(`${i}`, automaton(10))
      expect(known.get('0')?.table).to.have.length(10)
    }
    expect(known.size).to.equal(32)
    expect([known.get('8'), known.get('9')?.bytes]).to.deep.equal([undefined, 10])
  })

  it('take no more than 8 MiB', () => {
    const known = new KnownAutomata()
    for (const key of ['a', 'b', 'c', 'd']) known.add(key, automaton(3 * 1024 * 1024))
    expect([known.get('b'), known.size]).to.deep.equal([undefined, 2])
    known.add('e', automaton(9 * 1024 * 1024))
    expect([known.get('e'), known.bytes <= 8 * 1024 * 1024]).to.deep.equal([undefined, true])
  })

  const policy = (name: string, enhanceProtect: object): object => ({
    apiVersion: 'crd.varmor.org/v1beta1',
    kind: 'VarmorPolicy',
    metadata: { name, namespace: 'demo' },
    spec: { target: { kind: 'Deployment', name }, policy: { enforcer: 'BPF', mode: 'EnhanceProtect', enhanceProtect } },
  })
  const tableOf = (name: string, enhanceProtect: object): string | undefined => {
    const compiled = compilePolicy(policy(name, enhanceProtect))
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors))
    return compiled.value.enforcers.BPF?.profile.files.automaton?.table
  }
  const files = (pattern: string, permissions: string[], qualifiers = ['deny']): object => ({
    bpfRawRules: { files: [{ pattern, permissions, qualifiers }] },
  })

  it('are those of the same rules only, whatever policy asks', () => {
    const first = tableOf('one', files('/data/**', ['write']))
    expect(tableOf('two', files('/data/**', ['write']))).to.equal(first)
    const others = [
      files('/data/**', ['read']),
      files('/data/*', ['write']),
      files('/data/**', ['write'], ['audit']),
      { ...files('/data/**', ['write']), protectAncestors: false },
    ].map((rules) => tableOf('one', rules))
    expect(new Set([first, ...others])).to.have.property('size', 5)
    expect(tableOf('three', files('/data/**', ['write']))).to.equal(first)
  })
})
