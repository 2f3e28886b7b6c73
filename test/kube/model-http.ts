import type { ServerResponse } from 'node:http'
import { ApiError } from '../../src/kube/api-error.ts'
import type { Thing } from './harness.ts'
import { ModelServer } from './model-server.ts'
import { json, ScriptedServer, type Seen, status } from './scripted-server.ts'

/** The model server over HTTP: lists, watches and writes of objects. */
export async function serveModel(model = new ModelServer()): Promise<{ model: ModelServer; server: ScriptedServer }> {
  const server = await ScriptedServer.start()
  server.otherwise = (response, seen) => {
    answer(model, response, seen).catch((error: unknown) => refuse(response, seen, error))
  }
  return { model, server }
}

function refuse(response: ServerResponse, seen: Seen, error: unknown): void {
  const { code, reason, message } =
    error instanceof ApiError ? error : { code: 500, reason: 'InternalError', message: String(error) }
  if (!response.headersSent) status(code, reason, message)(response, seen)
  // In the middle of a watch a server sends an error event, and ends the stream.
  else response.end(`${JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code, reason, message } })}\n`)
}

async function answer(model: ModelServer, response: ServerResponse, seen: Seen): Promise<void> {
  const name = seen.path.split('/')[7]
  const query = Object.fromEntries(seen.query)
  if (seen.query.get('watch') === 'true') return watch(model, response, query)
  if (seen.method === 'GET') {
    const { limit, ...options } = query
    const list = await model.list({ ...options, ...(limit === undefined ? {} : { limit: Number(limit) }) })
    return json(list)(response, seen)
  }
  if (seen.method === 'DELETE') {
    if (!model.state.has(name ?? '')) return status(404, 'NotFound')(response, seen)
    model.remove(name ?? '')
    return json({ kind: 'Status', status: 'Success' })(response, seen)
  }
  const object = JSON.parse(seen.body) as Thing
  if (seen.method === 'POST' && model.state.has(object.metadata.name!))
    return status(409, 'AlreadyExists')(response, seen)
  if (seen.method === 'PUT' && !model.state.has(name ?? '')) return status(404, 'NotFound')(response, seen)
  json(model.set(object.metadata.name!, object.spec?.value ?? 0))(response, seen)
}

async function watch(model: ModelServer, response: ServerResponse, options: Record<string, string>): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  const write = (type: string, object: unknown) => response.write(`${JSON.stringify({ type, object })}\n`)
  await model
    .watch(
      { resourceVersion: options['resourceVersion'] },
      {
        opened: () => response.writeHead(200).flushHeaders(),
        changed: write,
        bookmark: (resourceVersion) => write('BOOKMARK', { metadata: { resourceVersion } }),
      },
      gone.signal,
    )
    .catch((error: unknown) => {
      if (!gone.signal.aborted) throw error
    })
  response.end()
}
