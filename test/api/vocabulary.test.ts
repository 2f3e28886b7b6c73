import { expect } from 'chai'
import { filePermissions, mountFlags } from '../../src/api/schema/bpf-rules.ts'
import { findWord, listWords } from '../../src/api/vocabulary.ts'

describe('findWord', () => {
  it('finds words and short forms in any case', () => {
    expect(['READ', 'r', 'R', '*', 'Append', 'x', 'e'].map((text) => findWord(filePermissions, text))).to.deep.equal([
      'read',
      'read',
      'read',
      'all',
      'append',
      'exec',
      'exec',
    ])
  })

  it('tells R from r where they differ', () => {
    expect(['R', 'r', 'B', 'b', 'private'].map((text) => findWord(mountFlags, text))).to.deep.equal([
      'rbind',
      'ro',
      'bind',
      undefined,
      'make-private',
    ])
  })

  it('finds nothing in names that objects inherit, nor in letters beyond ASCII', () => {
    expect(['constructor', '__proto__', '', 'mar\u212a'].map((text) => findWord(filePermissions, text))).to.deep.equal(
      Array(4).fill(undefined),
    )
  })
})

describe('listWords', () => {
  it('names short forms', () => expect(listWords({ read: ['r'], all: [] })).to.equal('read (r), all'))
})
