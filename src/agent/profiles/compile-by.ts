import { CompilerError, type Compilers } from '../../../actors/compiler/ports.ts'
import type { LoadFailure } from '../../../actors/loaded-profile/ports.ts'
import type { CarriedProfile, CompileCarried, NodeFacts } from '../../profile/profile-source.ts'

/** Why a profile was not compiled. If it costs too much, it is retried only after a long wait. */
class NotCompiled extends Error implements LoadFailure {
  override readonly name = 'NotCompiled'
  readonly retryable: boolean

  constructor(cause: CompilerError) {
    super('The profile cannot be compiled on this node', { cause })
    this.retryable = cause.code !== 'TOO_COSTLY'
  }

  get reason(): string {
    return `cannot compile the profile on this node: ${(this.cause as CompilerError).message}`
  }
}

/**
 * Compiles in another thread, for the node's present facts.
 * @param node returns facts of the node; may wait until the facts that the profile needs are known
 */
export const compileBy =
  (compilers: Compilers, node: (carried: CarriedProfile) => NodeFacts | Promise<NodeFacts>): CompileCarried =>
  async (carried, namespace) => {
    try {
      const facts = await node(carried)
      const asked = { tenant: namespace, urgent: false, subject: carried.source }
      return await compilers.run('compileCarried', [carried, facts], asked)
    } catch (error) {
      throw error instanceof CompilerError ? new NotCompiled(error) : error
    }
  }
