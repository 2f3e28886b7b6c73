import { readFileSync, writeFileSync } from 'node:fs'
import { readShown, readShownLines, shownFile, withRuns } from './shown.ts'

// Writes the results of rules/ and rules-bpf/ to shown.json: node --import tsx note-shown.ts LOG... Each LOG is the
// output of one or more runs.

const runs = process.argv.slice(2).flatMap((file) => readShownLines(readFileSync(file, 'utf8')))
writeFileSync(shownFile, `${JSON.stringify(withRuns(readShown(), runs), null, 2)}\n`)
for (const run of runs)
  for (const [kernel, of] of Object.entries(run)) console.log(`noted: ${kernel}, ${Object.keys(of).join(', ')}`)
if (runs.length === 0) {
  console.error('nothing noted: only a run of a whole folder in which all pass prints what it has shown')
  process.exitCode = 1
}
