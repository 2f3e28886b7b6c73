import fc from 'fast-check'
import type { Behaviour } from '../../../src/model/behaviour.ts'

/** A fact, as a call on a collector. */
export type Fact = (behaviour: Behaviour) => void

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', '*', 'é x', 'etc', 'proc', '.ssh', '"}', '\n')
const path = fc
  .tuple(fc.array(name, { minLength: 1, maxLength: 4 }), fc.constantFrom('', '', '/'))
  .map(([names, end]) => `/${names.join('/')}${end}`)
const recorder = fc.constantFrom('appArmor' as const, 'bpf' as const)
const word = fc.constantFrom('r', 'w', 'k', 'read', 'write', 'ADDRESS', 'kill', 'x y')
const words = fc.array(word, { maxLength: 3 })
const port = fc.integer({ min: 0, max: 65535 })

/** Any fact, with few names, so that runs reach small limits. */
export const arbitraryFact: fc.Arbitrary<Fact> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(recorder, path, words, fc.boolean()).map(fileFact) },
  fc.tuple(recorder, path, words).map(([by, at, permissions]): Fact => {
    return (behaviour) =>
      behaviour.addPattern(by, at, { path: `${at.replaceAll('*', 's').replace(/\/$/, '')}/*`, permissions })
  }),
  fc.tuple(recorder, path).map(
    ([by, at]): Fact =>
      (behaviour) =>
        behaviour.addExecution(by, at),
  ),
  fc.tuple(recorder, name).map(
    ([by, each]): Fact =>
      (behaviour) =>
        behaviour.addCapability(by, each),
  ),
  fc.tuple(recorder, name, name).map(([by, domain, type]): Fact => {
    return (behaviour) => behaviour.addSocket(by, { domain, type })
  }),
  fc.tuple(recorder, name, port).map(
    ([by, ip, at]): Fact =>
      (behaviour) =>
        behaviour.addEgress(by, ip, at),
  ),
  fc.tuple(recorder, name, words, fc.boolean()).map(([by, peer, permissions, external]): Fact => {
    return (behaviour) => behaviour.addPtrace(by, { peer, permissions, external })
  }),
  fc.tuple(name, words, words).map(([peer, permissions, signals]): Fact => {
    return (behaviour) => behaviour.addSignal({ peer, permissions, signals })
  }),
  fc.tuple(path, name, words).map(([at, type, flags]): Fact => {
    return (behaviour) => behaviour.addMount({ path: at, type, flags })
  }),
  name.map(
    (each): Fact =>
      (behaviour) =>
        behaviour.addSyscall(each),
  ),
  name.map(
    (each): Fact =>
      (behaviour) =>
        behaviour.addProfile(each),
  ),
  name.map(
    (each): Fact =>
      (behaviour) =>
        behaviour.addUnhandled(each),
  ),
)

function fileFact([by, at, permissions, owner]: ['appArmor' | 'bpf', string, string[], boolean]): Fact {
  return (behaviour) => behaviour.addFile(by, { path: at, permissions, owner })
}
