import { CompilerError, type Compilers } from '../../../actors/compiler/ports.ts'
import type { ModelPorts } from '../../../actors/model/ports.ts'
import { PortError } from '../../../actors/ports.ts'

/** It is built once a recording, has up to 32,768 names a list, and nobody waits: 20 s of CPU by default. */
const TIMES = 10

/**
 * `buildProfile` by a compiler of another thread. What is too costly for it is said on the model; all else passes.
 * @param generalise see ManagerOptions
 */
export const buildBy =
  (compilers: Compilers, generalise: boolean): ModelPorts['build'] =>
  async (result, { name, enforcer }, namespace) => {
    const asked = { tenant: namespace, urgent: false, subject: result, times: TIMES }
    try {
      return await compilers.run('buildProfile', [result, { name, enforcer }, generalise], asked)
    } catch (error) {
      if (!(error instanceof CompilerError)) throw error
      if (error.code === 'TOO_COSTLY') return { ok: false, problem: error.message }
      throw new PortError('UNAVAILABLE', error.message, { cause: error })
    }
  }
