import { type Agent, request } from 'node:https'

export interface Load {
  agent: Agent
  port: number
  connections: number
  /** Requests in all. */
  count: number
  body: Buffer
}

/** Sends the same review again and again, each connection as soon as it has its answer. Times in milliseconds, in order of size. */
export async function load({
  agent,
  port,
  connections,
  count,
  body,
}: Load): Promise<{ times: number[]; patched: number }> {
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
