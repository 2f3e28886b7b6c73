import { compilerFamily } from '../compiler.ts'
import type { ActorSystem } from '../runtime/index.ts'
import { compilerJobs } from './jobs.ts'

/** Sets up the worker thread of one compiler. */
export default function install(system: ActorSystem, { family }: { family: string }): void {
  system.family(family, compilerFamily(compilerJobs))
}
