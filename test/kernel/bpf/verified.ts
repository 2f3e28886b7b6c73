import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { expect } from 'chai'
import type { VerifiedProgram } from './outcome.ts'

/** The highest figures for each object and program, over all kernels of the tests. */
type Recorded = Record<string, Record<string, Omit<VerifiedProgram, 'name'>>>

const path = new URL('./verified.json', import.meta.url)
const read = (): Recorded => (existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Recorded) : {})

const renew =
  'to record what is there now, remove test/kernel/bpf/verified.json and run ' +
  '`VARMOR_RECORD_VERIFIED=1 VARMOR_TEST_KERNELS=5.10,6.1,6.12,sid npx mocha --no-config --node-option import=tsx --exit ' +
  '--timeout 1200000 test/kernel/bpf/programs.test.ts`; without removing it, larger numbers and new programs are added'

/**
 * Prints the verifier's statistics for the programs of an object and compares them with the recorded ones.
 * If a figure doubles, either record it on purpose or fix the program.
 */
export function check(object: string, programs: readonly VerifiedProgram[]): void {
  if (process.env['VARMOR_RECORD_VERIFIED']) record(object, programs)
  const recorded = read()[object] ?? {}
  for (const { name, instructions, stack } of programs) {
    console.log(`      ${name}: ${instructions} instructions verified, ${stack} bytes of stack`)
    const known = recorded[name]
    if (known === undefined) throw new Error(`${name} of ${object} has no recorded numbers: ${renew}`)
    expect(instructions, name).to.be.above(0)
    expect(instructions, `instructions of ${name}; ${renew}`).to.be.at.most(2 * known.instructions)
    expect(stack, `stack of ${name}; ${renew}`).to.be.at.most(2 * known.stack)
  }
}

function record(object: string, programs: readonly VerifiedProgram[]): void {
  const all = read()
  const known = all[object] ?? {}
  all[object] = known
  for (const { name, instructions, stack } of programs) {
    known[name] = {
      instructions: Math.max(instructions, known[name]?.instructions ?? 0),
      stack: Math.max(stack, known[name]?.stack ?? 0),
    }
  }
  writeFileSync(path, textOf(all))
}

/** One line for each program. */
function textOf(all: Recorded): string {
  const objects = Object.entries(all).map(([object, programs]) => {
    const lines = Object.entries(programs)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, { instructions, stack }]) => `    "${name}": { "instructions": ${instructions}, "stack": ${stack} }`)
    return `  "${object}": {\n${lines.join(',\n')}\n  }`
  })
  return `{\n${objects.sort().join(',\n')}\n}\n`
}
