/** As mocha's `it`. */
export type Define = (title: string, run: () => Promise<void>) => void

/**
 * Tests in separate namespaces that run concurrently, because they mostly wait. Each test passes or fails by itself.
 */
export function concurrently(title: string, define: (it: Define) => void): void {
  describe(title, () => {
    const tests: { title: string; run: () => Promise<void>; result?: Promise<unknown> }[] = []
    define((title, run) => tests.push({ title, run }))
    before(() => {
      for (const test of tests)
        test.result = test.run().then(
          () => undefined,
          (error: unknown) => error ?? new Error('it failed without a reason'),
        )
    })
    for (const test of tests)
      it(test.title, async () => {
        const error = await test.result
        if (error !== undefined) throw error
      })
  })
}
