import fc from 'fast-check'

// A failure in another process arrives without the error's cause, so the report includes it.
fc.configureGlobal({ includeErrorInReport: true })

/**
 * mocha loads this file before the tests. A Node.js warning fails the test file in which it occurs, because each
 * warning shows a leak or a mistake in a test or in the product.
 */
const warnings: string[] = []
let current = 'outside of a test'

process.on('warning', (warning) => {
  if (expected.some((pattern) => pattern.test(warning.message))) return
  warnings.push(`${current}: ${warning.stack ?? warning.message}`)
})

/** Warnings of the tools that run the tests. */
const expected: readonly RegExp[] = []

export const mochaHooks = {
  beforeEach(this: Mocha.Context): void {
    current = this.currentTest?.fullTitle() ?? current
  },
  afterAll(): void {
    const found = warnings.splice(0)
    if (found.length > 0) throw new Error(`Node.js warned:\n${found.join('\n')}`)
  },
}
