import type { DynamicResult } from '../../api/types.ts'
import { AllowedFiles } from './allowed-files.ts'

/** Something that one model allows and another does not. */
export interface Difference {
  enforcer: 'AppArmor' | 'BPF' | 'Seccomp'
  /** The field of the model. */
  kind: string
  /** For a person. */
  what: string
}

type Facts = NonNullable<DynamicResult['appArmor']> & NonNullable<DynamicResult['bpf']>

/** The facts of a section as texts, each of which a model has or lacks; files are compared by what they allow. */
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

function sectionDifferences(enforcer: 'AppArmor' | 'BPF', one: Partial<Facts>, other: Partial<Facts>): Difference[] {
  const known = new Map(textsOf(other).map(([kind, texts]) => [kind, new Set(texts)]))
  const found = textsOf(one).flatMap(([kind, texts]) =>
    texts.filter((what) => !known.get(kind)!.has(what)).map((what): Difference => ({ enforcer, kind, what })),
  )
  const allowed = new AllowedFiles(other.files ?? [])
  const files = (one.files ?? []).flatMap((file): Difference[] => {
    const missing = allowed.missing(file)
    return missing.length === 0 ? [] : [{ enforcer, kind: 'files', what: `${file.path} ${missing.join(' ')}` }]
  })
  return [...found, ...files]
}

/** What the first model allows and the second does not, in the order of the fields. */
export function onlyIn(one: DynamicResult, other: DynamicResult): Difference[] {
  const calls = new Set(other.seccomp?.syscalls ?? [])
  return [
    ...sectionDifferences('AppArmor', one.appArmor ?? {}, other.appArmor ?? {}),
    ...sectionDifferences('BPF', one.bpf ?? {}, other.bpf ?? {}),
    ...(one.seccomp?.syscalls ?? [])
      .filter((name) => !calls.has(name))
      .map((what): Difference => ({ enforcer: 'Seccomp', kind: 'syscalls', what })),
  ]
}
