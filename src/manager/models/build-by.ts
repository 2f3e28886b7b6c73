import { CompilerError, type Compilers } from '../../../actors/compiler/ports.ts'
import type { ModelPorts } from '../../../actors/model/ports.ts'
import { PortError } from '../../../actors/ports.ts'

/**
 * Multiple of the usual CPU limit; 20 s by default. A recording has up to 32,768 names per list, is built only once,
 * and no caller waits.
 */
const TIMES = 10
/** Unlike the text for policies, it cannot tell the user to simplify rules. */
const TOO_COSTLY =
  'TOO_COSTLY: building its profiles takes too much CPU or memory, and is not retried automatically. Record a workload that does less. While the policy is in mode BehaviorModeling, you can also delete the model after ten minutes; the manager then tries once more'

/**
 * Runs `buildProfile` in a compiler thread. If the recording takes too much CPU or memory, the model reports it; all
 * other failures are temporary.
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
      if (error.code === 'TOO_COSTLY') return { ok: false, problem: TOO_COSTLY }
      throw new PortError('UNAVAILABLE', error.message, { cause: error })
    }
  }
