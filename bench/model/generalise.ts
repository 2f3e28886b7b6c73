// Measures how well a model's patterns fit the names of later runs. `recall`: the share of later names that the model
// allows. `precision`: the share of intended names among the names that the model allows in addition to the recorded
// names. Names of strangers in the same directories are not intended. For Debian's packages, the model records every
// second name, and should allow no other name.
import { readOptions } from '../bench.ts'
import { development } from './corpus/development.ts'
import { heldOut } from './corpus/held-out.ts'
import { debianNames } from './debian-names.ts'
import { type Maker, makers, measureAll, measureService, measureStable, precision, recall } from './measure.ts'

readOptions({
  command: 'npm run bench:model --',
  about: 'measure precision and recall of the patterns for names that vary',
})

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`.padStart(8)
const corpora = { development, 'held out': heldOut }

function row(name: string, make: Maker, services: typeof development): string {
  const score = measureAll(services, make)
  return `${name.padEnd(34)} ${percent(precision(score))} ${percent(recall(score))}   ${score.allowed} of ${score.later} later paths, and ${score.tooWide} of ${score.strange} strangers' paths`
}

for (const [title, services] of Object.entries(corpora)) {
  console.log(`\n${title} (${services.length} services)\n${''.padEnd(34)} precision   recall      allowed`)
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
if (names.length === 0) console.log("\nnames of Debian's packages: skipped, because this machine does not have dpkg")
else {
  console.log("\nfixed names of Debian's packages that were not recorded, but are allowed")
  for (const [name, make] of Object.entries(makers)) {
    const { unseen, tooWide } = measureStable(names, make)
    console.log(`${name.padEnd(34)} ${tooWide} of ${unseen}`)
  }
}
