import { CompilerError, type Compilers, tooCostly } from '../compiler/ports.ts'
import { PortError } from '../ports.ts'
import type { PolicyPorts } from './ports.ts'

/**
 * Runs `desiredProfile` in a compiler thread. If the policy takes too much CPU or memory, this is an error of the
 * policy; all other failures are temporary.
 */
export const askCompiler =
  (compilers: Compilers): PolicyPorts['compile'] =>
  async (policy, options) => {
    const { metadata, spec } = policy
    const asked = { tenant: metadata.namespace ?? '', urgent: false, subject: spec }
    try {
      return await compilers.run('desiredProfile', [policy, options], asked)
    } catch (error) {
      if (!(error instanceof CompilerError)) throw error
      if (error.code === 'TOO_COSTLY') return { ok: false, errors: [tooCostly(error)] }
      throw new PortError('UNAVAILABLE', error.message, { cause: error })
    }
  }
