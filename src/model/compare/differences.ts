import type { DynamicResult } from '../../api/types.ts'
import { AllowedFiles } from './allowed-files.ts'

/** A fact that one model allows and another model does not allow. */
export interface Difference {
  enforcer: 'AppArmor' | 'BPF' | 'Seccomp'
  /** The field of the model that contains the fact. */
  kind: string
  /** A description for users. */
  what: string
}

type Facts = NonNullable<DynamicResult['appArmor']> & NonNullable<DynamicResult['bpf']>

/**
 * The facts of a section as texts, for comparison. Files are left out: they are compared by the operations that they
 * allow.
 */
function textsOf(facts: Partial<Facts>): [kind: string, texts: string[]][] {
  const network = facts.network ?? facts.networks
  return [
    ['profiles', facts.profiles ?? []],
    ['executions', facts.executions ?? []],
    ['capabilities', facts.capabilities ?? []],
    [
      'sockets',
      (network?.sockets ?? []).map(({ domain, type, protocol }) => [domain, type, protocol].filter(Boolean).join(' ')),
    ],
    ['egresses', (network?.egresses ?? []).flatMap(({ ip, ports }) => ports.map((port) => `${ip} port ${port}`))],
    [
      'ptraces',
      (facts.ptraces ?? []).flatMap(({ peer, permissions, external }) =>
        permissions.map((word) =>
          [word, peer, external === true && 'outside of the container'].filter(Boolean).join(' '),
        ),
      ),
    ],
    [
      'signals',
      (facts.signals ?? []).flatMap(({ peer, permissions, signals }) =>
        permissions.flatMap((word) => signals.map((signal) => `${word} ${signal} ${peer}`)),
      ),
    ],
    [
      'mounts',
      (facts.mounts ?? []).map(({ path, type, flags = [] }) => [path, type, ...flags].filter(Boolean).join(' ')),
    ],
  ]
}

/** The facts that a section allows, indexed for many queries: a model may have tens of thousands of facts. */
class AllowedFacts {
  readonly #known: ReadonlyMap<string, ReadonlySet<string>>
  readonly #files: AllowedFiles

  constructor(facts: Partial<Facts>) {
    this.#known = new Map(textsOf(facts).map(([kind, texts]) => [kind, new Set(texts)]))
    this.#files = new AllowedFiles(facts.files ?? [])
  }

  missing(enforcer: 'AppArmor' | 'BPF', one: Partial<Facts>): Difference[] {
    const found = textsOf(one).flatMap(([kind, texts]) =>
      texts.filter((what) => !this.#known.get(kind)!.has(what)).map((what): Difference => ({ enforcer, kind, what })),
    )
    const files = (one.files ?? []).flatMap((file): Difference[] => {
      const missing = this.#files.missing(file)
      return missing.length === 0 ? [] : [{ enforcer, kind: 'files', what: `${file.path} ${missing.join(' ')}` }]
    })
    return [...found, ...files]
  }
}

/** The facts that a model allows. */
export class Allowed {
  readonly #appArmor: AllowedFacts
  readonly #bpf: AllowedFacts
  readonly #calls: ReadonlySet<string>

  constructor({ appArmor = {}, bpf = {}, seccomp }: DynamicResult) {
    this.#appArmor = new AllowedFacts(appArmor)
    this.#bpf = new AllowedFacts(bpf)
    this.#calls = new Set(seccomp?.syscalls ?? [])
  }

  /** The facts that another model allows and this model does not allow, in the order of the fields. */
  missing({ appArmor = {}, bpf = {}, seccomp }: DynamicResult): Difference[] {
    return [
      ...this.#appArmor.missing('AppArmor', appArmor),
      ...this.#bpf.missing('BPF', bpf),
      ...(seccomp?.syscalls ?? [])
        .filter((name) => !this.#calls.has(name))
        .map((what): Difference => ({ enforcer: 'Seccomp', kind: 'syscalls', what })),
    ]
  }
}

/** The facts that the first model allows and the second model does not allow. */
export const onlyIn = (one: DynamicResult, other: DynamicResult): Difference[] => new Allowed(other).missing(one)
