import { expect } from 'chai'
import {
  family,
  type Known,
  type KnownAddon,
  loadKnownAddon,
  maxOpenings,
  stateNumbers,
} from '../../../src/audit/batch/known-addon.ts'

const addon = loadKnownAddon()

/** Numbers that are not whole, or that a conversion to a whole number would change. */
const others = [1.5, -0.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
const notInt32 = [...others, 2 ** 31, -(2 ** 31) - 1, 2 ** 32, 2 ** 53]

/** A copy of the input with another number at this place. */
const changed = (numbers: readonly number[], at: number, number: number): Float64Array =>
  Float64Array.from(numbers, (one, i) => (i === at ? number : one))

const opening = [-1, 0, 0]
const process = [1, 0, 0, 0, 0, 0, 0, 1, 1, 1]
/** The places of a process's numbers, which must be whole numbers, and for each the first number that is too high. */
const wholes = {
  pid: [0, 2 ** 31],
  label: [3, 2 ** 31],
  kind: [4, 256],
  opening: [5, 2 ** 31],
  tree: [7, 2 ** 32],
  key: [8, 2 ** 53],
}

describe(`numbers for the native decoder${addon === undefined ? ' (not here: needs the native addon)' : ''}`, () => {
  let known: Known
  let native: KnownAddon
  before(function () {
    if (addon === undefined) this.skip()
    native = addon
    known = addon.openKnown(new Int32Array(stateNumbers), new Uint32Array(maxOpenings), new Int32Array(maxOpenings))
  })

  const open = (numbers: Float64Array): number =>
    native.addOpening(known, numbers, new Uint32Array(4), new Uint8Array())
  const teach = (numbers: Float64Array): number =>
    native.teachProcess(known, numbers, new Uint32Array(1), new Uint8Array())

  it('are taken where they are whole and fit', () => {
    for (const [i, at] of [0, 1, 2, 2].entries())
      expect(open(changed(opening, at, [-(2 ** 31), 2 ** 31 - 1, -1, 7][i]!))).to.be.at.least(0)
    native.addLabel(known, new Float64Array(), Uint32Array.of(1, 1), Uint8Array.of(97, 97))
    expect(teach(Float64Array.from(process))).to.be.within(0, 1)
  })

  for (const [at, what] of ['the place of an owner', 'the number of a head', 'the number of an origin'].entries())
    it(`are refused as ${what} where they are no int32, and not cut`, () => {
      for (const number of notInt32)
        expect(() => open(changed(opening, at, number)), `${number}`)
          .to.throw()
          .with.property('code', 'ERR_NAPI')
    })

  for (const [what, [at, tooHigh]] of Object.entries(wholes))
    it(`are refused as the ${what} of a process where they are not whole or do not fit`, () => {
      for (const number of [...others, -1, tooHigh!])
        expect(() => teach(changed(process, at!, number)), `${number}`)
          .to.throw()
          .with.property('code', 'ERR_NAPI')
    })

  it('are refused as an argument where they are not whole or do not fit', () => {
    for (const number of [...others, -1, 2 ** 31]) {
      expect(() => native.passOver(known, number), `label ${number}`).to.throw(RangeError)
      expect(() => native.matchForm(known, family.seccomp, new Uint8Array(), number), `body ${number}`).to.throw(
        RangeError,
      )
      expect(() => native.matchForm(known, number, new Uint8Array(), 0), `family ${number}`).to.throw(RangeError)
    }
  })
})
