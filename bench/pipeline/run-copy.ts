/** The least that the log costs: the same bytes, read from a file in large pieces and written through the same rotated files. */
import { createReadStream, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { SinkFile } from '../../src/audit/sink-file.ts'

const [input = '', folder = ''] = process.argv.slice(2)
const output = join(folder, 'copied')
rmSync(output, { recursive: true, force: true })
mkdirSync(output, { recursive: true })
const file = await SinkFile.open({ path: join(output, 'violations.log') })
const cpu = process.cpuUsage()
const start = performance.now()
let bytes = 0
for await (const chunk of createReadStream(input, { highWaterMark: 256 * 1024 })) {
  // Cut anywhere: the file does not care.
  await file.write(chunk as Buffer)
  bytes += (chunk as Buffer).length
}
const seconds = (performance.now() - start) / 1000
const { user, system } = process.cpuUsage(cpu)
await file.close()
console.log(
  JSON.stringify({ bytes, seconds, cpuSeconds: (user + system) / 1e6, user: user / 1e6, system: system / 1e6 }),
)
