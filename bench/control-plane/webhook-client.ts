/**
 * Calls the webhook at port argv[2], over argv[3] connections, argv[4] times, about a Deployment named argv[5]. Prints
 * JSON.
 */
import { Agent, request } from 'node:https'
import { madeUpReview } from './made-up.ts'

export interface Answers {
  /** Milliseconds. */
  median: number
  p99: number
  /** Number of answers with a patch. */
  patched: number
}

const [port = 0, connections = 0, count = 0] = process.argv.slice(2, 5).map(Number)
const agent = new Agent({ keepAlive: true, maxSockets: connections, rejectUnauthorized: false })
const { times, patched } = await load(madeUpReview(process.argv[5]!))
agent.destroy()
const at = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))]!
console.log(JSON.stringify({ median: at(0.5), p99: at(0.99), patched } satisfies Answers))

/**
 * Sends the same review repeatedly, on each connection as soon as the previous answer has arrived.
 * @returns sorted latencies in milliseconds
 */
async function load(body: Buffer): Promise<{ times: number[]; patched: number }> {
  const times: number[] = []
  let left = count
  let patched = 0
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const start = performance.now()
      const asked = request(
        {
          agent,
          port,
          host: '127.0.0.1',
          path: '/mutate?timeout=10s',
          method: 'POST',
          headers: { 'content-type': 'application/json', 'content-length': body.length },
        },
        (response) => {
          let text = ''
          response.setEncoding('utf8')
          response.on('data', (chunk) => {
            text += chunk
          })
          response.on('end', () => {
            if (response.statusCode !== 200) return reject(new Error(`${response.statusCode}: ${text}`))
            times.push(performance.now() - start)
            if (text.includes('"patch"')) patched++
            resolve()
          })
        },
      )
      asked.on('error', reject)
      asked.end(body)
    })
  const worker = async () => {
    while (left-- > 0) await one()
  }
  await Promise.all(Array.from({ length: connections }, worker))
  return { times: times.sort((a, b) => a - b), patched }
}
