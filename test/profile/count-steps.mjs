import { Session } from 'node:inspector/promises'
import { parentPort } from 'node:worker_threads'
import { register } from 'tsx/esm/api'

// A thread of its own: the engine counts only in code that it compiles after it was asked to.
register()
const session = new Session()
session.connect()
await session.post('Profiler.enable')
await session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
const { compilePolicy } = await import('../../src/profile/compile.ts')

const counted = /\/src\/(?:api|rules|profile)\/|fastest-levenshtein/

/** How often the functions and blocks of the compilers ran since the last call. */
async function steps() {
  const { result } = await session.post('Profiler.takePreciseCoverage')
  const functions = result.filter(({ url }) => counted.test(url)).flatMap((script) => script.functions)
  return functions.flatMap(({ ranges }) => ranges).reduce((sum, { count }) => sum + count, 0)
}

parentPort.on('message', async (object) => {
  await steps()
  const { ok } = compilePolicy(object)
  parentPort.postMessage({ ok, steps: await steps() })
})
