import { compilerJobs } from '../../../actors/compiler/jobs.ts'
import { compilerFamily } from '../../../actors/compiler.ts'
import type { ActorSystem } from '../../../actors/runtime/index.ts'
import type { AnyPolicy } from '../../../src/api/types.ts'

/** A policy's name selects its fault, because no known policy keeps the real compilers from finishing. */
function spinning<Input extends unknown[], Output>(job: (object: never, ...input: Input) => Output) {
  return (object: unknown, ...input: Input): Output => {
    const { name } = (object as AnyPolicy).metadata
    if (name.startsWith('spins')) for (;;);
    if (name.startsWith('fills'))
      for (const all: object[] = []; ; ) all.push(Array.from({ length: 1_000 }, () => ({ name })))
    if (name.startsWith('throws')) throw new RangeError('a compiler has a bug')
    return job(object as never, ...input)
  }
}

/** Furnishes the thread of a compiler that policies can block. */
export default function install(system: ActorSystem, { family }: { family: string }): void {
  const { compilePolicy, desiredProfile, judgePolicy } = compilerJobs
  const jobs = {
    compilePolicy: spinning(compilePolicy),
    desiredProfile: spinning(desiredProfile),
    judgePolicy: spinning(judgePolicy),
  }
  system.family(family, compilerFamily(jobs))
}
