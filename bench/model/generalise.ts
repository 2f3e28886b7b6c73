// Measures how well a model's patterns fit the names of later runs. `recall`: the share of later runs' names that the
// model allows. `precision`: the intended share of the names that the model allows beyond the recorded names; the other
// names belong to strangers in the same directories. The model records every second name of Debian's packages, and
// should allow none of the others.
import { readOptions } from '../bench.ts'
import { development } from './corpus/development.ts'
import { heldOut } from './corpus/held-out.ts'
import { debianNames } from './debian-names.ts'
import { type Maker, makers, measureAll, measureService, measureStable, precision, recall } from './measure.ts'

readOptions({ command: 'npm run bench:model --', about: 'precision and recall of patterns for names that vary' })

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`.padStart(8)
const corpora = { 'made with': development, 'held out': heldOut }

function row(name: string, make: Maker, services: typeof development): string {
  const score = measureAll(services, make)
  return `${name.padEnd(34)} ${percent(precision(score))} ${percent(recall(score))}   ${score.allowed} of ${score.later}, ${score.tooWide} of ${score.strange} too wide`
}

for (const [title, services] of Object.entries(corpora)) {
  console.log(`\n${title} (${services.length} services)\n${''.padEnd(34)} precision   recall`)
  for (const [name, make] of Object.entries(makers)) console.log(row(name, make, services))
}

console.log('\nthis generaliser, by service')
for (const [title, services] of Object.entries(corpora)) {
  for (const service of services) {
    const score = measureService(service, makers['this generaliser']!)
    console.log(`${`${service.name} (${title})`.padEnd(34)} ${percent(precision(score))} ${percent(recall(score))}`)
  }
}

const names = debianNames(20_000)
if (names.length === 0) console.log("\nNames of Debian's packages: not here, as this machine has no dpkg")
else {
  console.log(`\nfixed names of Debian's packages that were not recorded, and are allowed`)
  for (const [name, make] of Object.entries(makers)) {
    const { unseen, tooWide } = measureStable(names, make)
    console.log(`${name.padEnd(34)} ${tooWide} of ${unseen}`)
  }
}
