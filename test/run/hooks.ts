import fc from 'fast-check'

// A test that runs in a process of its own comes back without the cause of its error.
fc.configureGlobal({ includeErrorInReport: true })

/**
 * Loaded before the tests. A warning of Node.js fails the file in which it comes: each is a leak or a mistake, of a
 * test or of the product.
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
