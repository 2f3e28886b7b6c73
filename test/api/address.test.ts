import { expect } from 'chai'
import { isAddress, isBlock } from '../../src/api/address.ts'

describe('isAddress', () => {
  for (const text of ['0.0.0.0', '255.255.255.255', '::', '2001:DB8::1', '::ffff:192.0.2.1']) {
    it(`takes ${text}`, () => expect(isAddress(text)).to.equal(true))
  }
  for (const text of [
    '',
    '256.0.0.1',
    '010.0.0.1',
    '10.0.0',
    '10.0.0.0/8',
    'fe80::1%eth0',
    ' ::1',
    ':::',
    'localhost',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => expect(isAddress(text)).to.equal(false))
  }
})

describe('isBlock', () => {
  for (const text of ['0.0.0.0/0', '10.1.2.3/8', '192.0.2.1/32', '::/0', '2001:db8::/128']) {
    it(`takes ${text}`, () => expect(isBlock(text)).to.equal(true))
  }
  for (const text of [
    '',
    '/',
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    'fe80::%1/64',
    'x/8',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => expect(isBlock(text)).to.equal(false))
  }
})
