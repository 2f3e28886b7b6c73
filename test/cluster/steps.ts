/** Receives a step's name and its duration in milliseconds, when the step has ended. */
export type StepLog = (step: string, milliseconds: number) => void

export const stepLine = (step: string, milliseconds: number): string =>
  `  ${(milliseconds / 1000).toFixed(2).padStart(7)} s  ${step}`

/** Prints steps as they end. */
export const printSteps: StepLog = (...step) => console.log(stepLine(...step))

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
