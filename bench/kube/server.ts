/**
 * Serves argv[2] objects in pages, and sends argv[3] changes per second on each watch. All answers are created in
 * advance, so that the server is fast enough. Prints its URL.
 */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { armorProfile } from './objects.ts'

const [count = 10_000, rate = 1000] = process.argv.slice(2).map(Number)
const listVersion = count + 1
const parts = Array.from({ length: count }, (_, i) => JSON.stringify(armorProfile(i, 0)))
const tick = 10

const server = createServer((request, response) => {
  const { searchParams } = new URL(request.url ?? '', 'http://localhost')
  if (searchParams.get('watch') === 'true') watch(response, Number(searchParams.get('resourceVersion')))
  else list(response, Number(searchParams.get('limit') ?? count), Number(searchParams.get('continue') ?? 0))
})

function list(response: ServerResponse, limit: number, from: number): void {
  const to = Math.min(count, from + limit)
  const next = to < count ? `,"continue":"${to}"` : ''
  const head = `{"apiVersion":"crd.varmor.org/v1beta1","kind":"ArmorProfileList","metadata":{"resourceVersion":"${listVersion}"${next}},"items":[`
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(`${head}${parts.slice(from, to).join(',')}]}`)
}

function watch(response: ServerResponse, from: number): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.flushHeaders()
  let version = from
  const start = performance.now()
  const timer = setInterval(() => {
    // Derive the number of changes from the elapsed time and not from the ticks, so that a late timer sends all missing
    // changes at once.
    const due = from + Math.floor(((performance.now() - start) / 1000) * rate)
    let lines = ''
    for (; version < due; version++) {
      const object = JSON.stringify(armorProfile(version % count, version + 1))
      lines += `{"type":"MODIFIED","object":${object}}\n`
    }
    if (lines !== '') response.write(lines)
  }, tick)
  response.on('close', () => clearInterval(timer))
}

server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
