/**
 * Runs test files inside a guest: node in-guest.js OPTIONS FILE..., OPTIONS as JSON. The reporter's text goes to
 * standard output. Standard error also has an event for each test, so that the host knows in which one the kernel died.
 */
import { writeSync } from 'node:fs'
import Mocha from 'mocha'
import { type InGuestOptions, writeEvent } from './test-events.ts'

const [given, ...files] = process.argv.slice(2)
const options = JSON.parse(given!) as InGuestOptions
const mocha = new Mocha({
  reporter: 'spec',
  color: options.color,
  // Everything is slower under emulation.
  timeout: 300_000,
  slow: 10_000,
  ...(options.grep === undefined ? {} : { grep: options.grep }),
})
for (const file of files) mocha.addFile(file)
await mocha.loadFilesAsync()
const send = (kind: 'start' | 'pass' | 'fail' | 'pending') => (test: Mocha.Test) =>
  writeSync(2, writeEvent({ kind, title: test.fullTitle() }))
const runner = mocha.run((failures) => {
  writeSync(2, writeEvent({ kind: 'done', title: '' }))
  process.exit(failures > 0 ? 1 : 0)
})
runner.on('test', send('start')).on('pass', send('pass')).on('fail', send('fail')).on('pending', send('pending'))
