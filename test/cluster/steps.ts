/** Is told that a step has ended, and how many milliseconds it took. */
export type StepLog = (step: string, milliseconds: number) => void

/** Prints steps as they end. */
export const printSteps: StepLog = (step, milliseconds) =>
  console.log(`  ${(milliseconds / 1000).toFixed(2).padStart(7)} s  ${step}`)

/** Measures a step and reports it, whether it succeeds or fails. */
export async function measured<T>(log: StepLog, step: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now()
  try {
    const result = await work()
    log(step, performance.now() - start)
    return result
  } catch (error) {
    log(`${step} (failed)`, performance.now() - start)
    throw error
  }
}
