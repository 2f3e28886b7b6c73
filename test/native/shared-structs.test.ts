import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { missingForBpf, run } from '../../deploy/build-bpf.ts'
import { ObjectTypes } from './object-types.ts'
import { sharedStructs } from './shared-structs.ts'

const missing = missingForBpf()

/** C code that only declares each struct, so that structs without a use in native/bpf are compared, too. */
const source = [
  ...['char __u8', 'short __u16', 'int __u32', 'long long __u64'].map((type) => `typedef unsigned ${type};`),
  ...['varmor_event.h', 'varmor_profile.h'].map((header) => `#include "${header}"`),
  ...[...sharedStructs.keys()].map((name) => `struct ${name} one_${name};`),
].join('\n')

describe(`structs of C and TypeScript${missing.length > 0 ? ` (not here: needs ${missing.join(', ')})` : ''}`, () => {
  let folder: string
  before(function () {
    if (missing.length > 0) this.skip()
    folder = mkdtempSync(join(tmpdir(), 'varmor-structs-'))
  })
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })

  it('have the same sizes, and their fields at the same places', () => {
    const [code, object] = [join(folder, 'all.c'), join(folder, 'all.o')]
    writeFileSync(code, source)
    const headers = `-I${join(import.meta.dirname, '../../native/bpf')}`
    run('clang', ['-g', '-O2', '-Wall', '-Werror', '-target', 'bpf', headers, '-c', code, '-o', object])
    const inC = new ObjectTypes(object).structs('varmor_')
    expect(Object.fromEntries(inC)).to.deep.equal(Object.fromEntries(sharedStructs))
  })
})
