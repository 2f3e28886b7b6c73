import { expect } from 'chai'
import fc from 'fast-check'
import type { ModelBpf } from '../../../src/api/types.ts'
import type { BpfProfile } from '../../../src/profile/bpf/bpf-profile.ts'
import { compile, flagsAt } from './compiled.ts'

function profileOf(bpf: ModelBpf): BpfProfile {
  const policy = { mode: 'DefenseInDepth', defenseInDepth: { bpf: { profileType: 'BehaviorModel' } } } as const
  const result = compile(policy, { model: { bpf } })
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return result.value
}

/** Whether the profile refuses this access to the path. */
const refuses = (profile: BpfProfile, path: string, word: string): boolean =>
  flagsAt(profile, path).split(' | ')[0]!.split(' ').includes(word)

describe('what was recorded, of BPF', () => {
  it('is a path itself, with its stars, where no oldPath says that it is a pattern', () => {
    const profile = profileOf({
      executions: ['/data/*'],
      files: [{ path: '/srv/**', permissions: ['read'] }],
    })
    expect(refuses(profile, '/data/*', 'exec')).to.equal(false)
    expect(refuses(profile, '/srv/**', 'read')).to.equal(false)
    expect(refuses(profile, '/data/evil', 'exec')).to.equal(true)
    expect(refuses(profile, '/srv/x', 'read')).to.equal(true)
  })

  it('is a pattern that does not mean names which built-in rules protect, but for those that were seen', () => {
    const profile = profileOf({
      files: [
        { path: '/data/*', oldPath: '/data/20240501', permissions: ['read', 'write'] },
        { path: '/data/*/key', oldPath: '/data/1/key', permissions: ['read'] },
        { path: '/data/bash', permissions: ['read'] },
      ],
    })
    for (const [path, word, refused] of [
      ['/data/20250601', 'read', false],
      ['/data/20250601', 'write', false],
      ['/data/7/key', 'read', false],
      ['/data/.ssh/key', 'read', true],
      ['/data/docker.sock', 'write', true],
      ['/data/dash', 'read', true],
      ['/data/dash', 'write', false],
      ['/data/bash', 'read', false],
      ['/data/7/x', 'read', true],
    ] as const) {
      expect(refuses(profile, path, word), `${path} ${word}`).to.equal(refused)
    }
  })

  it('is a file of any process, where it was one of some, though a rule protects it and another pattern does not mean it', () => {
    const profile = profileOf({
      files: [
        { path: '/proc/*/mountinfo', oldPath: '/proc/12/mountinfo', permissions: ['read'] },
        { path: '/proc/*/m*', oldPath: '/proc/12/m20240501', permissions: ['read'] },
      ],
    })
    expect(refuses(profile, '/proc/4711/mountinfo', 'read')).to.equal(false)
    expect(refuses(profile, '/proc/4711/mounts', 'read')).to.equal(true)
  })

  it('allows exactly the names that were seen, whatever is in them', () => {
    const part = fc.constantFrom('*', '**', 'a', 'b', '\n', '"', '}', '?', '[', 'é')
    const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => `/zz/${parts.join('')}`)
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 2, maxLength: 20 }), (names) => {
        const seen = names.slice(0, names.length >> 1)
        const profile = profileOf({ files: seen.map((path) => ({ path, permissions: ['read'] })) })
        for (const path of names) expect(refuses(profile, path, 'read'), path).to.equal(!seen.includes(path))
      }),
    )
  })
})
