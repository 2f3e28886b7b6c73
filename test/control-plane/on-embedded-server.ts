import { EmbeddedTarget } from './embedded-target.ts'
import { controlPlaneSuite, type Part } from './suite.ts'

/** A part with a server of its own, in a file of its own, so that none waits for the others. */
export function onEmbeddedServer(part: Part): void {
  describe('the control plane on the embedded server', () => {
    let target: EmbeddedTarget
    before(async () => {
      target = await EmbeddedTarget.start()
    })
    after(() => target?.stop())
    controlPlaneSuite(() => target, part)
  })
}
