import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { expect } from 'chai'
import { eventFields } from '../../../src/audit/decode/apparmor-fields.ts'
import { appArmorKeys } from '../../../src/audit/line/event-keys.ts'
import { documentTables } from '../../../src/audit/line/events-document.ts'
import { lineJsonSchema } from '../../../src/audit/line/line-json-schema.ts'
import { withTables } from '../../../src/base/markdown.ts'
import { checkLine } from '../check-line.ts'
import { demoPid, linesOf, run } from '../harness.ts'

const fileAt = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')

const [denial] = linesOf(
  run(
    'netlink',
    `type=1400 audit(1740366282.121:9): apparmor="DENIED" operation="open" class="file" profile="varmor-demo-demo-1" name="/etc/shadow" pid=${demoPid} comm="cat"\n`,
  ).output,
)

describe('what is published of a line', () => {
  it('is what the tables give; run `npm run generate` when this fails', () => {
    expect(JSON.parse(fileAt('deploy/violation.schema.json'))).to.deep.equal(lineJsonSchema({ strict: false }))
    const document = fileAt('src/audit/EVENTS.md')
    expect(withTables(document, documentTables())).to.equal(document)
  })

  it('has every field of libapparmor’s record that is decoded', () => {
    expect(appArmorKeys.map(({ name }) => name)).to.include.members([...eventFields])
  })

  it('lets a reader of today take a key of tomorrow', () => {
    const ajv = new Ajv2020({ strictTypes: false, formats: { 'date-time': true } })
    const isLine = ajv.compile(JSON.parse(fileAt('deploy/violation.schema.json')))
    expect(isLine({ ...JSON.parse(denial!), tomorrow: 1 })).to.equal(true)
    expect(isLine({ ...JSON.parse(denial!), timestamp: 1 })).to.equal(false)
  })
})

describe('the check of each line of a test', () => {
  const changed = (change: Record<string, unknown>): string => JSON.stringify({ ...JSON.parse(denial!), ...change })
  const rows: { what: string; line: string; problem: RegExp }[] = [
    { what: 'a key without an entry in the tables', line: changed({ another: 1 }), problem: /additional properties/ },
    { what: 'a value of another type', line: changed({ podUID: 7 }), problem: /podUID must be string/ },
    { what: 'a key that is missing', line: changed({ id: undefined }), problem: /required property 'id'/ },
    { what: 'a key of the event without an entry', line: changed({ event: { x: 1 } }), problem: /event must/ },
    { what: 'a message of no known kind', line: changed({ message: 'x' }), problem: /no kind/ },
    {
      what: 'keys in another order',
      line: JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(denial!) as object).reverse())),
      problem: /comes too late/,
    },
  ]
  for (const { what, line, problem } of rows)
    it(`finds ${what}`, () => {
      expect(() => checkLine(line)).to.throw(problem)
    })

  it('takes a line as it is', () => {
    expect(checkLine(denial!)).to.include({ podName: 'demo-1-5bccf6777c-c8lzr' })
  })
})
