import type { Suite } from 'mocha'
import { builtHelm } from '../cluster/binaries/helm.ts'
import { Helm } from '../cluster/helm/helm.ts'

/** A suite about Helm's output for the chart; skipped by name if the cluster tests have not built Helm yet. */
export function describeHelm(major: 3 | 4, title: string, suite: (this: Suite, helm: () => Helm) => void): void {
  const program = builtHelm(major)
  const lacks = program === undefined ? ' (skipped: needs Helm, which the tests of the cluster build)' : ''
  describe(`${title}${lacks}`, function () {
    let helm: Helm | undefined
    before(function () {
      if (program === undefined) this.skip()
      helm = new Helm(major, program)
    })
    after(() => helm?.end())
    suite.call(this, () => helm!)
  })
}
