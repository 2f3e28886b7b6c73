import { CompilerError, type Compilers } from '../../../actors/compiler/ports.ts'
import type { ModelPorts } from '../../../actors/model/ports.ts'
import { PortError } from '../../../actors/ports.ts'

/** A recording is built once, has up to 32,768 names per list, and no caller waits: 20 s of CPU by default. */
const TIMES = 10
/** A recording has no rules that a user could simplify, and is not compiled again automatically. */
const TOO_COSTLY =
  'TOO_COSTLY: building its profiles takes too much CPU or memory, and is not retried automatically. Record a workload that does less. While the policy is in mode BehaviorModeling, you can also delete the model after ten minutes; the manager then tries once more'

/**
 * Runs `buildProfile` in a compiler thread. A too costly recording is reported on the model; any other failure is
 * temporary.
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
