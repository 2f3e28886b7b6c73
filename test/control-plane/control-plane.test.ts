import { EmbeddedTarget } from './embedded-target.ts'
import { killManagersElsewhere } from './kills.ts'
import { controlPlaneSuite } from './suite.ts'

describe('the control plane on the embedded server', () => {
  let target: EmbeddedTarget
  before(async () => {
    target = await EmbeddedTarget.start()
  })
  after(() => target?.stop())
  controlPlaneSuite(() => target, killManagersElsewhere)
})
