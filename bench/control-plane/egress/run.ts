/**
 * Measures a leader's memory and longest turn for rules about Services. Each row is a separate process; objects arrive
 * as from reflectors, and policies as from the watch of ArmorProfiles.
 */
import { fileURLToPath } from 'node:url'
import { countOption, inOwnProcess, progress, readOptions } from '../../bench.ts'
import type { choices, Scale } from './made-up.ts'
import type { Measured } from './measure.ts'

type Choice = keyof typeof choices

interface Row {
  choice: Choice
  scale: Scale
}

const { policies, services, endpoints, only } = readOptions<Record<keyof Scale, number>, 'aim' | 'attack'>({
  command: 'npm run bench:egress --',
  about: 'measure what the targets of egress rules cost a leader: memory, and the longest turn of its main thread',
  kinds: ['aim', 'attack'],
  options: [
    countOption('--policies <count>', 'number of policies, in a hundred namespaces, with 64 targets each', 5_000),
    countOption('--services <count>', 'number of Services', 10_000),
    countOption('--endpoints <count>', 'number of endpoints of all Services together', 50_000),
  ],
})

const aim: Scale = { policies, namespaces: 100, targets: 64, services, endpoints }
const attack: Scale = { policies: 20, namespaces: 1, targets: 64, services: 2_000, endpoints: 10_000 }
const flood: Scale = { ...attack, policies: 1_000 }
const rows: Record<'aim' | 'attack', Row[]> = {
  aim: [
    { choice: 'shared', scale: aim },
    { choice: 'different', scale: aim },
  ],
  attack: [
    { choice: 'unanchored', scale: attack },
    { choice: 'all_but_one', scale: attack },
    { choice: 'common', scale: attack },
    { choice: 'unanchored', scale: flood },
    { choice: 'different', scale: flood },
    { choice: 'all_but_one', scale: aim },
  ],
}

const script = fileURLToPath(new URL('measure.ts', import.meta.url))
const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0).padStart(4)} MiB`
const milliseconds = (time: number): string => `${time.toFixed(0).padStart(5)} ms`

for (const { choice, scale } of only.flatMap((kind) => rows[kind])) {
  const found = await inOwnProcess<Measured>(script, [choice, JSON.stringify(scale)], { flags: ['--expose-gc'] })
  const what = `${scale.policies} policies in ${scale.namespaces} namespaces × ${scale.targets} targets (${choice}), with ${scale.services} Services and ${scale.endpoints} endpoints`
  progress(what)
  console.log(
    `         heap ${mebibytes(found.before)} → ${mebibytes(found.after)} (increase ${mebibytes(found.after - found.before)}, maximum ${mebibytes(found.peak)})`,
    `; longest turn: first list ${milliseconds(found.firstTurn)} (egress ${milliseconds(found.firstWork)}), changes ${milliseconds(found.changeTurn)} (egress ${milliseconds(found.changeWork)})`,
    `; ${found.known} policies know their addresses after ${(found.seconds).toFixed(1)} s, ${found.leftOut} targets are left out`,
    `; heap after all objects are deleted: ${mebibytes(found.gone)}`,
  )
}
