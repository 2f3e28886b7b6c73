import { EmbeddedTarget } from './embedded-target.ts'
import { runElsewhere } from './long-tests.ts'
import { controlPlaneSuite } from './suite.ts'

describe('the control plane on the embedded server', () => {
  let target: EmbeddedTarget
  before(async () => {
    target = await EmbeddedTarget.start()
  })
  after(() => target?.stop())
  controlPlaneSuite(() => target, runElsewhere)
})
