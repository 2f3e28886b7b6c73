import type { JudgeOptions } from '../../../actors/compiler/judge.ts'
import { CompilerError, type Compilers, tooCostly } from '../../../actors/compiler/ports.ts'
import type { ValidateOptions } from './validate.ts'

/**
 * Runs `judgePolicy` in a compiler thread. If the policy takes too much CPU or memory, this is an error of the policy.
 */
export const judgeBy =
  (compilers: Compilers, options: JudgeOptions): ValidateOptions['judge'] =>
  async (object, before, caller) => {
    const { metadata, spec } = object as typeof object & { spec?: unknown }
    // The API server ensures that a namespace is a text.
    const asked = { tenant: metadata?.namespace ?? '', ...caller, urgent: true, subject: spec ?? null }
    try {
      return await compilers.run('judgePolicy', [object, before, options], asked)
    } catch (error) {
      if (error instanceof CompilerError && error.code === 'TOO_COSTLY')
        return { errors: [tooCostly(error)], count: 1, skipped: [] }
      throw error
    }
  }
