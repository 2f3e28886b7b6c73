import { readFileSync, writeFileSync } from 'node:fs'
import { documentTables } from '../src/audit/line/events-document.ts'
import { lineJsonSchema } from '../src/audit/line/line-json-schema.ts'
import { withTables } from '../src/base/markdown.ts'
import { jsonText } from './json-text.ts'

const files: Record<string, (before: () => string) => string> = {
  'deploy/violation.schema.json': () => `${jsonText(lineJsonSchema({ strict: false }))}\n`,
  'src/audit/EVENTS.md': (before) => withTables(before(), documentTables()),
}
for (const [file, make] of Object.entries(files)) {
  const path = new URL(`../${file}`, import.meta.url)
  writeFileSync(
    path,
    make(() => readFileSync(path, 'utf8')),
  )
  console.log(file)
}
